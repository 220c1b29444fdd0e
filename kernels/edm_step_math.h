// Per-element updates of the sampler, shared by CPU and CUDA: same operations in the same order.
#ifndef GWM_KERNELS_EDM_STEP_MATH_H_
#define GWM_KERNELS_EDM_STEP_MATH_H_

#include "kernels/host_device.h"

namespace gwm::kernels {

// Euler in the form (1 - r) denoised + r x with r = sigma_next / sigma: exact at sigma_next = 0, no
// division.
GWM_HOST_DEVICE float EulerElement(float x, float denoised, float ratio) {
  return denoised + ratio * (x - denoised);
}

// `half_step` = (sigma_next - sigma) / 2.
GWM_HOST_DEVICE float HeunElement(float x, float denoised, float x_euler, float denoised_euler,
                                  float inverse_sigma, float inverse_sigma_next, float half_step) {
  const float slope = (x - denoised) * inverse_sigma;
  const float slope_next = (x_euler - denoised_euler) * inverse_sigma_next;
  return x + half_step * (slope + slope_next);
}

}  // namespace gwm::kernels

#endif  // GWM_KERNELS_EDM_STEP_MATH_H_
