#include "engine/scene/gaussian_ops.h"

#include <vector>

#include "engine/base/shape.h"
#include "engine/scene/rotations.h"

namespace gwm {
namespace {

// The part of Y_{l,m} that depends on z = cos(theta), for m >= 0, with the factor (-1)^m of the
// 3DGS files. The azimuthal part is Re or Im of (x + i y)^m. Constants: sqrt((2l+1)(l-m)!/((4 or 2)
// pi (l+m)!)) times the derivative of the Legendre polynomial.
torch::Tensor ShPolynomial(int64_t l, int64_t m, const torch::Tensor& z) {
  const torch::Tensor one = torch::ones_like(z);
  const torch::Tensor z2 = z * z;
  switch (10 * l + m) {
    case 0:
      return 0.28209479177387814 * one;
    case 10:
      return 0.48860251190291992 * z;
    case 11:
      return -0.48860251190291992 * one;
    case 20:
      return 0.31539156525252005 * (3 * z2 - 1);
    case 21:
      return -1.0925484305920792 * z;
    case 22:
      return 0.54627421529603959 * one;
    case 30:
      return 0.37317633259011546 * z * (5 * z2 - 3);
    case 31:
      return -0.45704579946446572 * (5 * z2 - 1);
    case 32:
      return 1.4453057213202769 * z;
    case 33:
      return -0.59004358992664352 * one;
    case 40:
      return 0.10578554691520431 * ((35 * z2 - 30) * z2 + 3);
    case 41:
      return -0.66904654355728921 * z * (7 * z2 - 3);
    case 42:
      return 0.47308734787878004 * (7 * z2 - 1);
    case 43:
      return -1.7701307697799304 * z;
    case 44:
      return 0.62583573544917614 * one;
    default:
      break;
  }
  TORCH_CHECK_VALUE(false, "spherical harmonics of degree ", l, ", expected 0..4");
}

}  // namespace

torch::Tensor CovarianceFrom(const torch::Tensor& quats, const torch::Tensor& scales) {
  CheckTrailing(scales, {3}, "scales");
  const torch::Tensor half = MatrixFromQuat(quats) * scales.unsqueeze(-2);
  return torch::matmul(half, half.transpose(-1, -2));
}

torch::Tensor PrecisionFrom(const torch::Tensor& quats, const torch::Tensor& scales) {
  return CovarianceFrom(quats, scales.reciprocal());
}

torch::Tensor UpperTriangle(const torch::Tensor& matrices) {
  CheckTrailing(matrices, {3, 3}, "matrices");
  return torch::cat({matrices.select(-2, 0), matrices.select(-2, 1).slice(-1, 1, 3),
                     matrices.select(-2, 2).slice(-1, 2, 3)},
                    -1);
}

torch::Tensor ShBases(const torch::Tensor& directions, int64_t degree) {
  CheckTrailing(directions, {3}, "directions");
  TORCH_CHECK_VALUE(degree >= 0 && degree <= 4, "degree is ", degree, ", expected 0..4");
  const torch::Tensor unit = directions / directions.norm(2, -1, /*keepdim=*/true).clamp_min(1e-12);
  const torch::Tensor x = unit.select(-1, 0), y = unit.select(-1, 1), z = unit.select(-1, 2);
  std::vector<torch::Tensor> cosines = {torch::ones_like(x)};  // Re (x + i y)^m
  std::vector<torch::Tensor> sines = {torch::zeros_like(x)};   // Im (x + i y)^m
  for (int64_t m = 1; m <= degree; ++m) {
    cosines.push_back(x * cosines[m - 1] - y * sines[m - 1]);
    sines.push_back(x * sines[m - 1] + y * cosines[m - 1]);
  }
  std::vector<torch::Tensor> bases;
  for (int64_t l = 0; l <= degree; ++l) {
    for (int64_t m = -l; m <= l; ++m) {
      const torch::Tensor azimuth = m < 0 ? sines[-m] : cosines[m];
      bases.push_back(ShPolynomial(l, std::abs(m), z) * azimuth);
    }
  }
  return torch::stack(bases, -1);
}

torch::Tensor ShValue(const torch::Tensor& sh, const torch::Tensor& directions) {
  CheckTrailing(sh, {kAny, 3}, "sh");
  int64_t degree = 0;
  while ((degree + 1) * (degree + 1) < sh.size(-2)) ++degree;
  TORCH_CHECK_VALUE((degree + 1) * (degree + 1) == sh.size(-2), "sh is ", Describe(sh),
                    ", expected [..., K, 3] with K = 1, 4, 9, 16 or 25");
  return (ShBases(directions, degree).unsqueeze(-1) * sh).sum(-2);
}

}  // namespace gwm
