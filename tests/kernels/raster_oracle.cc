#include "tests/kernels/raster_oracle.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "kernels/sh_math.h"

namespace gwm::kernels {
namespace {

using Vec3 = std::array<double, 3>;
using Mat3 = std::array<Vec3, 3>;

Mat3 Multiply(const Mat3& a, const Mat3& b) {
  Mat3 c = {};
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) {
      for (int k = 0; k < 3; ++k) c[i][j] += a[i][k] * b[k][j];
    }
  }
  return c;
}

Mat3 Transpose(const Mat3& a) {
  Mat3 t = {};
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) t[i][j] = a[j][i];
  }
  return t;
}

// R = 1 + 2 w [v] + 2 [v]^2 with [v] the cross-product matrix of the unit quaternion's vector part.
Mat3 Rotation(const double* q) {
  const double n = std::sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3]);
  const double w = q[0] / n, x = q[1] / n, y = q[2] / n, z = q[3] / n;
  const Mat3 cross = {{{0, -z, y}, {z, 0, -x}, {-y, x, 0}}};
  const Mat3 square = Multiply(cross, cross);
  Mat3 r = {};
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) r[i][j] = (i == j) + 2 * w * cross[i][j] + 2 * square[i][j];
  }
  return r;
}

struct OracleSplat {
  bool visible = false;
  double x = 0, y = 0, z = 0;
  double a = 0, b = 0, c = 0;  // conic
  double opacity = 0;
  Vec3 color = {};
};

struct OracleView {
  Mat3 rotation;
  Vec3 translation;
  double fx, fy, cx, cy, width, height;
};

OracleView ViewOf(const RasterScene& scene, int64_t v) {
  const float* m = scene.viewmats.data() + 16 * v;
  const float* k = scene.intrinsics.data() + 9 * v;
  OracleView view;
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) view.rotation[i][j] = m[4 * i + j];
    view.translation[i] = m[4 * i + 3];
  }
  view.fx = k[0];
  view.fy = k[4];
  view.cx = k[2];
  view.cy = k[5];
  view.width = scene.width;
  view.height = scene.height;
  return view;
}

Vec3 Shade(const RasterScene& scene, const OracleParameters& p, const OracleView& view, int64_t g) {
  if (scene.sh_degree < 0) return {p.colors[3 * g], p.colors[3 * g + 1], p.colors[3 * g + 2]};
  double direction[3];
  for (int j = 0; j < 3; ++j) {
    direction[j] = p.means[3 * g + j];
    for (int i = 0; i < 3; ++i) direction[j] += view.rotation[i][j] * view.translation[i];
  }
  Vec3 rgb;
  ShColor(scene.sh_degree, direction, p.colors.data() + 3 * scene.sh_coefficients * g, rgb.data());
  for (double& c : rgb) c = std::max(0.0, c + .5);
  return rgb;
}

// Screen covariance xx, xy, yy before dilation.
Vec3 ScreenCovariance(const OracleParameters& p, const OracleView& view, int64_t g,
                      const Vec3& cam) {
  Mat3 m = Rotation(p.quats.data() + 4 * g);
  for (Vec3& row : m) {
    for (int j = 0; j < 3; ++j) row[j] *= p.scales[3 * g + j];
  }
  const Mat3 world = Multiply(m, Transpose(m));
  const Mat3 camera = Multiply(Multiply(view.rotation, world), Transpose(view.rotation));
  const double margin_x = .15 * view.width / view.fx, margin_y = .15 * view.height / view.fy;
  const double u = std::clamp(cam[0] / cam[2], -view.cx / view.fx - margin_x,
                              (view.width - view.cx) / view.fx + margin_x);
  const double v = std::clamp(cam[1] / cam[2], -view.cy / view.fy - margin_y,
                              (view.height - view.cy) / view.fy + margin_y);
  const Mat3 j = {{{view.fx / cam[2], 0, -view.fx * u / cam[2]},
                   {0, view.fy / cam[2], -view.fy * v / cam[2]},
                   {0, 0, 0}}};
  const Mat3 screen = Multiply(Multiply(j, camera), Transpose(j));
  return {screen[0][0], screen[0][1], screen[1][1]};
}

OracleSplat Project(const RasterScene& scene, const OracleParameters& p, const OracleView& view,
                    int64_t g) {
  OracleSplat s;
  Vec3 cam = view.translation;
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) cam[i] += view.rotation[i][j] * p.means[3 * g + j];
  }
  if (cam[2] <= scene.options.near_plane_m || cam[2] >= scene.options.far_plane_m) return s;
  const Vec3 cov = ScreenCovariance(p, view, g, cam);
  const double eps = scene.options.eps2d;
  const double xx = cov[0] + eps, xy = cov[1], yy = cov[2] + eps;
  const double before = cov[0] * cov[2] - cov[1] * cov[1], det = xx * yy - xy * xy;
  if (det <= 1e-16) return s;
  s.visible = true;
  s.x = view.fx * cam[0] / cam[2] + view.cx;
  s.y = view.fy * cam[1] / cam[2] + view.cy;
  s.z = cam[2];
  s.a = yy / det;
  s.b = -xy / det;
  s.c = xx / det;
  s.opacity = p.opacities[g];
  if (scene.options.antialias == Antialias::kCompensate) {
    s.opacity *= std::sqrt(std::max(before / det, 0.0));
  }
  s.color = Shade(scene, p, view, g);
  return s;
}

void CompositePixel(const RasterScene& scene, const std::vector<OracleSplat>& splats,
                    const double* background, double px, double py, int64_t pixel,
                    OracleImages* out) {
  double transmittance = 1, depth = 0;
  Vec3 rgb = {};
  for (const OracleSplat& s : splats) {
    const double dx = px - s.x, dy = py - s.y;
    const double sigma = .5 * (s.a * dx * dx + s.c * dy * dy) + s.b * dx * dy;
    const double alpha = std::min<double>(scene.options.max_alpha, s.opacity * std::exp(-sigma));
    if (sigma < 0 || alpha < 1.0 / 255) continue;
    if (transmittance * (1 - alpha) <= 1e-4) break;
    for (int c = 0; c < 3; ++c) rgb[c] += transmittance * alpha * s.color[c];
    depth += transmittance * alpha * s.z;
    transmittance *= 1 - alpha;
  }
  for (int c = 0; c < 3; ++c) out->rgb[3 * pixel + c] = rgb[c] + transmittance * background[c];
  out->alpha[pixel] = 1 - transmittance;
  out->depth[pixel] = depth / std::max(1 - transmittance, 1e-10);
}

}  // namespace

OracleParameters::OracleParameters(const RasterScene& scene)
    : means(scene.means.begin(), scene.means.end()),
      quats(scene.quats.begin(), scene.quats.end()),
      scales(scene.scales.begin(), scene.scales.end()),
      opacities(scene.opacities.begin(), scene.opacities.end()),
      colors(scene.colors.begin(), scene.colors.end()),
      background(scene.background.begin(), scene.background.end()) {}

OracleImages RenderOracle(const RasterScene& scene, const OracleParameters& parameters) {
  OracleImages out = {std::vector<double>(3 * scene.pixels()), std::vector<double>(scene.pixels()),
                      std::vector<double>(scene.pixels())};
  for (int64_t v = 0; v < scene.views(); ++v) {
    const OracleView view = ViewOf(scene, v);
    std::vector<OracleSplat> splats;
    for (int64_t j = 0; j < scene.gaussians; ++j) {
      const int64_t g = v / scene.views_per_scene * scene.gaussians + j;
      const OracleSplat s = Project(scene, parameters, view, g);
      if (s.visible) splats.push_back(s);
    }
    // Depths are compared as the floats that the kernel sorts by.
    std::stable_sort(splats.begin(), splats.end(), [](const auto& a, const auto& b) {
      return static_cast<float>(a.z) < static_cast<float>(b.z);
    });
    for (int y = 0; y < scene.height; ++y) {
      for (int x = 0; x < scene.width; ++x) {
        CompositePixel(scene, splats, parameters.background.data() + 3 * v, x + .5, y + .5,
                       (v * scene.height + y) * scene.width + x, &out);
      }
    }
  }
  return out;
}

std::vector<double> OracleGradient(const RasterScene& scene, const RasterImages& weights,
                                   OracleParameters* parameters, std::vector<double>* values) {
  const auto loss = [&] {
    const OracleImages images = RenderOracle(scene, *parameters);
    double sum = 0;
    for (size_t i = 0; i < images.rgb.size(); ++i) sum += images.rgb[i] * weights.rgb[i];
    for (size_t i = 0; i < images.alpha.size(); ++i) {
      sum += images.alpha[i] * weights.alpha[i] + images.depth[i] * weights.depth[i];
    }
    return sum;
  };
  std::vector<double> gradient;
  for (double& value : *values) {
    const double kept = value, step = 1e-6;
    value = kept + step;
    const double above = loss();
    value = kept - step;
    gradient.push_back((above - loss()) / (2 * step));
    value = kept;
  }
  return gradient;
}

}  // namespace gwm::kernels
