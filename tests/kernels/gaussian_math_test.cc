#include "kernels/gaussian_math.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <vector>

#include "kernels/ewa_math.h"
#include "kernels/sh_math.h"
#include "tests/kernels/test_support.h"

namespace gwm::kernels {
namespace {

std::vector<double> Randoms(Lcg* lcg, int n, double low, double high) {
  std::vector<double> v(n);
  for (double& x : v) x = low + (high - low) * lcg->Next();
  return v;
}

// Gradient of sum_i weights[i] * f(x)[i] by central differences.
std::vector<double> NumericGradient(
    std::vector<double> x, const std::vector<double>& weights,
    const std::function<std::vector<double>(const std::vector<double>&)>& f) {
  const auto loss = [&] {
    const std::vector<double> y = f(x);
    double sum = 0;
    for (size_t i = 0; i < y.size(); ++i) sum += weights[i] * y[i];
    return sum;
  };
  std::vector<double> gradient;
  for (double& value : x) {
    const double kept = value, step = 1e-6;
    value = kept + step;
    const double above = loss();
    value = kept - step;
    gradient.push_back((above - loss()) / (2 * step));
    value = kept;
  }
  return gradient;
}

void ExpectMatches(const std::vector<double>& got, const std::vector<double>& want, double abs,
                   double rel) {
  ASSERT_EQ(got.size(), want.size());
  const VectorMatch match = Match(got, want, abs, rel);
  EXPECT_LT(match.worst_excess, 1) << "largest difference " << match.worst_abs;
  EXPECT_GT(match.cosine, 1 - 1e-8);
}

TEST(GaussianMathTest, RotationAndCovarianceHaveTheGoldenValues) {
  const double quat[4] = {.9, .1, .2, .3}, scales[3] = {.5, 1, 2};
  double rotation[9], covariance[9];
  QuatToRotation(quat, rotation);
  Covariance(quat, scales, covariance);
  const std::vector<double> want_rotation = {.72631579,  -.52631579, .44210526,
                                             .61052632,  .78947368,  -.06315789,
                                             -.31578947, .31578947,  .89473684};
  const std::vector<double> want_covariance = {1.19072022, -.41634349, 1.35872576,
                                               -.41634349, .73240997,  -.02493075,
                                               1.35872576, -.02493075, 3.32686981};
  for (int i = 0; i < 9; ++i) {
    EXPECT_NEAR(rotation[i], want_rotation[i], 1e-8);
    EXPECT_NEAR(covariance[i], want_covariance[i], 1e-8);
  }
}

TEST(GaussianMathTest, RotationGradientFollowsFiniteDifferences) {
  Lcg lcg(2);
  for (int trial = 0; trial < 10; ++trial) {
    const std::vector<double> quat = Randoms(&lcg, 4, -2, 2), weights = Randoms(&lcg, 9, -1, 1);
    std::vector<double> gradient(4);
    QuatToRotationBackward(quat.data(), weights.data(), gradient.data());
    ExpectMatches(gradient,
                  NumericGradient(quat, weights,
                                  [](const std::vector<double>& q) {
                                    std::vector<double> r(9);
                                    QuatToRotation(q.data(), r.data());
                                    return r;
                                  }),
                  1e-8, 1e-6);
  }
}

TEST(GaussianMathTest, CovarianceGradientFollowsFiniteDifferences) {
  Lcg lcg(3);
  for (int trial = 0; trial < 10; ++trial) {
    std::vector<double> x = Randoms(&lcg, 7, -1, 1);
    for (int i = 4; i < 7; ++i) x[i] = std::abs(x[i]) + .1;
    const std::vector<double> weights = Randoms(&lcg, 9, -1, 1);
    std::vector<double> gradient(7);
    CovarianceBackward(x.data(), x.data() + 4, weights.data(), gradient.data(),
                       gradient.data() + 4);
    ExpectMatches(gradient,
                  NumericGradient(x, weights,
                                  [](const std::vector<double>& v) {
                                    std::vector<double> c(9);
                                    Covariance(v.data(), v.data() + 4, c.data());
                                    return c;
                                  }),
                  1e-8, 1e-6);
  }
}

TEST(ShMathTest, BasesAreOrthonormalOnTheSphere) {
  // Gauss-Legendre in z (8 nodes, exact to degree 15) times 16 equal angles: exact for products of
  // two bases.
  const double nodes[4] = {.1834346424956498, .5255324099163290, .7966664774136267,
                           .9602898564975363};
  const double node_weights[4] = {.3626837833783620, .3137066458778873, .2223810344533745,
                                  .1012285362903763};
  std::vector<double> gram(kMaxShBases * kMaxShBases);
  for (int n = 0; n < 8; ++n) {
    const double z = n < 4 ? nodes[n] : -nodes[n - 4], radius = std::sqrt(1 - z * z);
    for (int a = 0; a < 16; ++a) {
      const double angle = 2 * M_PI * a / 16;
      double b[kMaxShBases];
      ShBases(4, radius * std::cos(angle), radius * std::sin(angle), z, b);
      const double weight = node_weights[n % 4] * 2 * M_PI / 16;
      for (int i = 0; i < kMaxShBases; ++i) {
        for (int j = 0; j < kMaxShBases; ++j) gram[i * kMaxShBases + j] += weight * b[i] * b[j];
      }
    }
  }
  for (int i = 0; i < kMaxShBases; ++i) {
    for (int j = 0; j < kMaxShBases; ++j) {
      EXPECT_NEAR(gram[i * kMaxShBases + j], i == j ? 1 : 0, 1e-12) << i << " " << j;
    }
  }
}

TEST(ShMathTest, OddOrdersCarryAMinusSign) {
  double b[kMaxShBases];
  ShBases(4, 0.6, 0.0, 0.8, b);
  for (const int odd_positive : {3, 7, 13, 21}) EXPECT_LT(b[odd_positive], 0) << odd_positive;
  ShBases(4, 0.0, 0.6, 0.8, b);
  for (const int odd_negative : {1, 5, 11, 19}) EXPECT_LT(b[odd_negative], 0) << odd_negative;
}

TEST(ShMathTest, ColorGradientsFollowFiniteDifferencesAtEveryDegree) {
  Lcg lcg(5);
  for (int degree = 0; degree <= 4; ++degree) {
    const int count = (degree + 1) * (degree + 1);
    std::vector<double> x = Randoms(&lcg, 3 + 3 * count, -1, 1);
    const std::vector<double> weights = Randoms(&lcg, 3, -1, 1);
    std::vector<double> gradient(x.size());
    ShColorBackward(degree, x.data(), x.data() + 3, weights.data(), gradient.data(),
                    gradient.data() + 3);
    ExpectMatches(gradient,
                  NumericGradient(x, weights,
                                  [&](const std::vector<double>& v) {
                                    std::vector<double> rgb(3);
                                    ShColor(degree, v.data(), v.data() + 3, rgb.data());
                                    return rgb;
                                  }),
                  1e-8, 1e-6);
  }
}

PinholeView<double> TestView() {
  const double quat[4] = {.9, .2, -.1, .15};
  double rotation[9];
  QuatToRotation(quat, rotation);
  float viewmat[16] = {};
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) viewmat[4 * i + j] = static_cast<float>(rotation[3 * i + j]);
  }
  viewmat[11] = 2.0f;
  viewmat[15] = 1.0f;
  const float intrinsics[9] = {50, 0, 30, 0, 55, 22, 0, 0, 1};
  PinholeView<double> view;
  MakePinholeView(viewmat, intrinsics, 64, 48, &view);
  return view;
}

// p_cam [3] and m [9] to mean, depth, conic, compensation.
std::vector<double> Project(const std::vector<double>& x, double eps2d) {
  ScreenSplat<double> s = {};
  EXPECT_TRUE(ProjectSplat(TestView(), x.data(), x.data() + 3, eps2d, &s));
  return {s.mean[0], s.mean[1], s.depth, s.conic[0], s.conic[1], s.conic[2], s.compensation};
}

void ExpectProjectionGradient(double x_over_z, double y_over_z, double eps2d) {
  Lcg lcg(7);
  for (int trial = 0; trial < 5; ++trial) {
    std::vector<double> x = Randoms(&lcg, 12, -.3, .3);
    x[2] = 1.5 + lcg.Next();
    x[0] = x_over_z * x[2];
    x[1] = y_over_z * x[2];
    const std::vector<double> w = Randoms(&lcg, 7, -1, 1);
    const ScreenSplatGrad<double> grad = {{w[0], w[1]}, w[2], {w[3], w[4], w[5]}, w[6]};
    ScreenSplat<double> s = {};
    ASSERT_TRUE(ProjectSplat(TestView(), x.data(), x.data() + 3, eps2d, &s));
    std::vector<double> gradient(12);
    ProjectSplatBackward(TestView(), x.data(), x.data() + 3, s, grad, gradient.data(),
                         gradient.data() + 3);
    ExpectMatches(
        gradient,
        NumericGradient(x, w, [&](const std::vector<double>& v) { return Project(v, eps2d); }),
        1e-6, 1e-5);
  }
}

TEST(EwaMathTest, GradientFollowsFiniteDifferencesInsideTheFrustum) {
  ExpectProjectionGradient(.1, -.2, .3);
}

TEST(EwaMathTest, GradientFollowsFiniteDifferencesWithoutDilation) {
  ExpectProjectionGradient(-.2, .15, 0);
}

TEST(EwaMathTest, GradientFollowsFiniteDifferencesBeyondTheClamp) {
  ExpectProjectionGradient(1.6, -1.5, .3);
}

TEST(EwaMathTest, ConicInvertsTheCovarianceOfANeedleWithoutDilation) {
  // 10 px long, 1e-3 px wide, at 45 degrees: ac - b^2 in float would lose every digit.
  PinholeView<float> view = {};
  view.rotation[0] = view.rotation[4] = view.rotation[8] = 1;
  view.fx = view.fy = 100;
  view.u_min = view.v_min = -1;
  view.u_max = view.v_max = 1;
  const float p_cam[3] = {0, 0, 1};
  const float c = std::sqrt(.5f), m[9] = {c * .1f, -c * 1e-5f, 0, c * .1f, c * 1e-5f, 0, 0, 0, 0};
  ScreenSplat<float> s = {};
  ASSERT_TRUE(ProjectSplat(view, p_cam, m, 0.0f, &s));
  EXPECT_NEAR(s.det, 1e-4, 1e-9);
  EXPECT_NEAR(s.conic[0], .5e6, 1);
  EXPECT_FLOAT_EQ(s.compensation, 1);
}

TEST(EwaMathTest, DropsASplatWithoutArea) {
  PinholeView<float> view = {};
  view.rotation[0] = view.rotation[4] = view.rotation[8] = 1;
  view.fx = view.fy = 100;
  const float p_cam[3] = {0, 0, 1}, m[9] = {.1f, 0, 0, 0, 0, 0, 0, 0, 0};
  ScreenSplat<float> s = {};
  EXPECT_FALSE(ProjectSplat(view, p_cam, m, 0.0f, &s));
  EXPECT_TRUE(ProjectSplat(view, p_cam, m, 0.3f, &s));
}

}  // namespace
}  // namespace gwm::kernels
