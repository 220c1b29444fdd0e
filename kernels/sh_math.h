// Real spherical harmonics of degree 0..4 in the order and sign of the 3DGS files, with gradients.
// Basis l * l + l + m; odd m carry a minus sign (y, x of degree 1 are negative).
#ifndef GWM_KERNELS_SH_MATH_H_
#define GWM_KERNELS_SH_MATH_H_

#include <cmath>

#include "kernels/host_device.h"

namespace gwm::kernels {

inline constexpr int kMaxShBases = 25;

// bases [(degree + 1)^2] at the unit vector (x, y, z).
template <typename T>
GWM_HOST_DEVICE void ShBases(int degree, T x, T y, T z, T* b) {
  b[0] = T(0.28209479177387814);
  if (degree < 1) return;
  b[1] = T(-0.4886025119029199) * y;
  b[2] = T(0.4886025119029199) * z;
  b[3] = T(-0.4886025119029199) * x;
  if (degree < 2) return;
  const T xx = x * x, yy = y * y, zz = z * z, xy = x * y, yz = y * z, xz = x * z;
  b[4] = T(1.0925484305920792) * xy;
  b[5] = T(-1.0925484305920792) * yz;
  b[6] = T(0.31539156525252005) * (T(3) * zz - T(1));
  b[7] = T(-1.0925484305920792) * xz;
  b[8] = T(0.5462742152960396) * (xx - yy);
  if (degree < 3) return;
  b[9] = T(-0.5900435899266435) * y * (T(3) * xx - yy);
  b[10] = T(2.890611442640554) * xy * z;
  b[11] = T(-0.4570457994644658) * y * (T(5) * zz - T(1));
  b[12] = T(0.3731763325901154) * z * (T(5) * zz - T(3));
  b[13] = T(-0.4570457994644658) * x * (T(5) * zz - T(1));
  b[14] = T(1.445305721320277) * z * (xx - yy);
  b[15] = T(-0.5900435899266435) * x * (xx - T(3) * yy);
  if (degree < 4) return;
  b[16] = T(2.5033429417967046) * xy * (xx - yy);
  b[17] = T(-1.7701307697799304) * yz * (T(3) * xx - yy);
  b[18] = T(0.9461746957575601) * xy * (T(7) * zz - T(1));
  b[19] = T(-0.6690465435572892) * yz * (T(7) * zz - T(3));
  b[20] = T(0.10578554691520431) * (T(35) * zz * zz - T(30) * zz + T(3));
  b[21] = T(-0.6690465435572892) * xz * (T(7) * zz - T(3));
  b[22] = T(0.47308734787878004) * (xx - yy) * (T(7) * zz - T(1));
  b[23] = T(-1.7701307697799304) * xz * (xx - T(3) * yy);
  b[24] = T(0.6258357354491761) * (xx * (xx - T(3) * yy) - yy * (T(3) * xx - yy));
}

// grad [3] = sum_k weights[k] * d basis_k / d (x, y, z) of the polynomials above, not yet projected
// on the sphere.
template <typename T>
GWM_HOST_DEVICE void ShBasesBackward(int degree, T x, T y, T z, const T* w, T* grad) {
  T gx = T(0), gy = T(0), gz = T(0);
  if (degree >= 1) {
    gx = T(-0.4886025119029199) * w[3];
    gy = T(-0.4886025119029199) * w[1];
    gz = T(0.4886025119029199) * w[2];
  }
  if (degree >= 2) {
    const T c = T(1.0925484305920792);
    gx += c * (y * w[4] - z * w[7] + x * w[8]);
    gy += c * (x * w[4] - z * w[5] - y * w[8]);
    gz += c * (-y * w[5] - x * w[7]) + T(1.8923493915151202) * z * w[6];
  }
  if (degree >= 3) {
    const T xx = x * x, yy = y * y, zz = z * z;
    const T a = T(-0.5900435899266435), b = T(-0.4570457994644658), c = T(1.445305721320277);
    gx += a * (T(6) * x * y * w[9] + T(3) * (xx - yy) * w[15]) + b * (T(5) * zz - T(1)) * w[13] +
          T(2) * c * (y * z * w[10] + x * z * w[14]);
    gy += a * (T(3) * (xx - yy) * w[9] - T(6) * x * y * w[15]) + b * (T(5) * zz - T(1)) * w[11] +
          T(2) * c * (x * z * w[10] - y * z * w[14]);
    gz += b * T(10) * z * (y * w[11] + x * w[13]) +
          T(0.3731763325901154) * (T(15) * zz - T(3)) * w[12] +
          c * (T(2) * x * y * w[10] + (xx - yy) * w[14]);
  }
  if (degree >= 4) {
    const T xx = x * x, yy = y * y, zz = z * z;
    const T a = T(2.5033429417967046), b = T(-1.7701307697799304), c = T(0.9461746957575601);
    const T d = T(-0.6690465435572892), e = T(0.47308734787878004);
    gx += a * (y * (T(3) * xx - yy) * w[16] + x * (xx - T(3) * yy) * w[24]) +
          b * (T(6) * x * y * z * w[17] + T(3) * z * (xx - yy) * w[23]) +
          c * y * (T(7) * zz - T(1)) * w[18] + d * z * (T(7) * zz - T(3)) * w[21] +
          e * T(2) * x * (T(7) * zz - T(1)) * w[22];
    gy += a * (x * (xx - T(3) * yy) * w[16] + y * (yy - T(3) * xx) * w[24]) +
          b * (T(3) * z * (xx - yy) * w[17] - T(6) * x * y * z * w[23]) +
          c * x * (T(7) * zz - T(1)) * w[18] + d * z * (T(7) * zz - T(3)) * w[19] -
          e * T(2) * y * (T(7) * zz - T(1)) * w[22];
    gz += b * (y * (T(3) * xx - yy) * w[17] + x * (xx - T(3) * yy) * w[23]) +
          c * T(14) * x * y * z * w[18] + d * (T(21) * zz - T(3)) * (y * w[19] + x * w[21]) +
          T(0.10578554691520431) * (T(140) * zz - T(60)) * z * w[20] +
          e * T(14) * z * (xx - yy) * w[22];
  }
  grad[0] = gx;
  grad[1] = gy;
  grad[2] = gz;
}

// rgb [3] = sum_k basis_k(direction / |direction|) * coefficients[k, :]; neither the 0.5 offset nor
// a clamp.
template <typename T>
GWM_HOST_DEVICE void ShColor(int degree, const T* direction, const T* coefficients, T* rgb) {
  const T inv = T(1) / std::sqrt(direction[0] * direction[0] + direction[1] * direction[1] +
                                 direction[2] * direction[2]);
  T bases[kMaxShBases];
  ShBases(degree, direction[0] * inv, direction[1] * inv, direction[2] * inv, bases);
  rgb[0] = rgb[1] = rgb[2] = T(0);
  const int count = (degree + 1) * (degree + 1);
  GWM_UNROLL
  for (int k = 0; k < kMaxShBases && k < count; ++k) {
    for (int c = 0; c < 3; ++c) rgb[c] += bases[k] * coefficients[3 * k + c];
  }
}

// Gradients of ShColor: grad_direction [3] written; grad_coefficients [K, 3] accumulated into, null
// = not wanted.
template <typename T>
GWM_HOST_DEVICE void ShColorBackward(int degree, const T* direction, const T* coefficients,
                                     const T* grad_rgb, T* grad_direction, T* grad_coefficients) {
  const T inv = T(1) / std::sqrt(direction[0] * direction[0] + direction[1] * direction[1] +
                                 direction[2] * direction[2]);
  const T n[3] = {direction[0] * inv, direction[1] * inv, direction[2] * inv};
  T bases[kMaxShBases], weights[kMaxShBases] = {}, g[3];
  ShBases(degree, n[0], n[1], n[2], bases);
  const int count = (degree + 1) * (degree + 1);
  GWM_UNROLL
  for (int k = 0; k < kMaxShBases && k < count; ++k) {
    weights[k] = coefficients[3 * k] * grad_rgb[0] + coefficients[3 * k + 1] * grad_rgb[1] +
                 coefficients[3 * k + 2] * grad_rgb[2];
    if (grad_coefficients != nullptr) {
      for (int c = 0; c < 3; ++c) grad_coefficients[3 * k + c] += bases[k] * grad_rgb[c];
    }
  }
  ShBasesBackward(degree, n[0], n[1], n[2], weights, g);
  const T radial = g[0] * n[0] + g[1] * n[1] + g[2] * n[2];
  for (int c = 0; c < 3; ++c) grad_direction[c] = (g[c] - n[c] * radial) * inv;
}

}  // namespace gwm::kernels

#endif  // GWM_KERNELS_SH_MATH_H_
