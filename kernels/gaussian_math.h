// Rotation and covariance of one Gaussian, with gradients. T is float or double; matrices are
// row-major.
#ifndef GWM_KERNELS_GAUSSIAN_MATH_H_
#define GWM_KERNELS_GAUSSIAN_MATH_H_

#include <cmath>

#include "kernels/host_device.h"

namespace gwm::kernels {

// r [3, 3] = rotation of the quaternion q [4] (w, x, y, z), normalised first. |q| > 0.
template <typename T>
GWM_HOST_DEVICE void QuatToRotation(const T* q, T* r) {
  const T inv = T(1) / std::sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3]);
  const T w = q[0] * inv, x = q[1] * inv, y = q[2] * inv, z = q[3] * inv;
  r[0] = T(1) - T(2) * (y * y + z * z);
  r[1] = T(2) * (x * y - w * z);
  r[2] = T(2) * (x * z + w * y);
  r[3] = T(2) * (x * y + w * z);
  r[4] = T(1) - T(2) * (x * x + z * z);
  r[5] = T(2) * (y * z - w * x);
  r[6] = T(2) * (x * z - w * y);
  r[7] = T(2) * (y * z + w * x);
  r[8] = T(1) - T(2) * (x * x + y * y);
}

// grad_q [4] = gradient of QuatToRotation for grad_r [3, 3].
template <typename T>
GWM_HOST_DEVICE void QuatToRotationBackward(const T* q, const T* g, T* grad_q) {
  const T inv = T(1) / std::sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3]);
  const T w = q[0] * inv, x = q[1] * inv, y = q[2] * inv, z = q[3] * inv;
  const T gw = T(2) * (x * (g[7] - g[5]) + y * (g[2] - g[6]) + z * (g[3] - g[1]));
  const T gx =
      T(2) * (y * (g[1] + g[3]) + z * (g[2] + g[6]) + w * (g[7] - g[5]) - T(2) * x * (g[4] + g[8]));
  const T gy =
      T(2) * (x * (g[1] + g[3]) + z * (g[5] + g[7]) + w * (g[2] - g[6]) - T(2) * y * (g[0] + g[8]));
  const T gz =
      T(2) * (x * (g[2] + g[6]) + y * (g[5] + g[7]) + w * (g[3] - g[1]) - T(2) * z * (g[0] + g[4]));
  // The normalisation passes only what is tangent to the unit sphere.
  const T radial = gw * w + gx * x + gy * y + gz * z;
  grad_q[0] = (gw - w * radial) * inv;
  grad_q[1] = (gx - x * radial) * inv;
  grad_q[2] = (gy - y * radial) * inv;
  grad_q[3] = (gz - z * radial) * inv;
}

// m [3, 3] = R diag(s): the square root of the covariance, cov = m m^T.
template <typename T>
GWM_HOST_DEVICE void ScaledRotation(const T* rotation, const T* scales, T* m) {
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) m[3 * i + j] = rotation[3 * i + j] * scales[j];
  }
}

// Gradients of q [4] and s [3] for grad_m [3, 3] of m = R(q) diag(s).
template <typename T>
GWM_HOST_DEVICE void ScaledRotationBackward(const T* q, const T* scales, const T* grad_m, T* grad_q,
                                            T* grad_scales) {
  T rotation[9], grad_rotation[9];
  QuatToRotation(q, rotation);
  for (int j = 0; j < 3; ++j) {
    grad_scales[j] = T(0);
    for (int i = 0; i < 3; ++i) {
      grad_scales[j] += rotation[3 * i + j] * grad_m[3 * i + j];
      grad_rotation[3 * i + j] = scales[j] * grad_m[3 * i + j];
    }
  }
  QuatToRotationBackward(q, grad_rotation, grad_q);
}

// covariance [3, 3] = (R S)(R S)^T of a quaternion [4] and scales [3]; with 1/scales it is the
// precision matrix.
template <typename T>
GWM_HOST_DEVICE void Covariance(const T* q, const T* scales, T* covariance) {
  T rotation[9], m[9];
  QuatToRotation(q, rotation);
  ScaledRotation(rotation, scales, m);
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) {
      covariance[3 * i + j] =
          m[3 * i] * m[3 * j] + m[3 * i + 1] * m[3 * j + 1] + m[3 * i + 2] * m[3 * j + 2];
    }
  }
}

// Gradients of q and scales for grad_covariance [3, 3] (each entry counted once, need not be
// symmetric).
template <typename T>
GWM_HOST_DEVICE void CovarianceBackward(const T* q, const T* scales, const T* grad_covariance,
                                        T* grad_q, T* grad_scales) {
  T rotation[9], m[9], grad_m[9];
  QuatToRotation(q, rotation);
  ScaledRotation(rotation, scales, m);
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) {
      grad_m[3 * i + j] = T(0);
      for (int k = 0; k < 3; ++k) {
        grad_m[3 * i + j] +=
            (grad_covariance[3 * i + k] + grad_covariance[3 * k + i]) * m[3 * k + j];
      }
    }
  }
  ScaledRotationBackward(q, scales, grad_m, grad_q, grad_scales);
}

}  // namespace gwm::kernels

#endif  // GWM_KERNELS_GAUSSIAN_MATH_H_
