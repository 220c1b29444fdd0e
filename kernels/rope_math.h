// One rotation of RoPE, shared by CPU and CUDA.
#ifndef GWM_KERNELS_ROPE_MATH_H_
#define GWM_KERNELS_ROPE_MATH_H_

#include <cstdint>

#include "kernels/host_device.h"
#include "kernels/rope.h"

namespace gwm::kernels {

// Rotates pair i of the row x [2 * bands] into out; x and out may be the same.
GWM_HOST_DEVICE void RotatePair(RopeLayout layout, const float* x, float cosine, float sine,
                                int64_t i, int64_t bands, float* out) {
  const bool half = layout == RopeLayout::kHalfSplit;
  const int64_t first = half ? i : 2 * i;
  const int64_t second = half ? i + bands : 2 * i + 1;
  const float u = x[first], v = x[second];
  out[first] = u * cosine - v * sine;
  out[second] = v * cosine + u * sine;
}

}  // namespace gwm::kernels

#endif  // GWM_KERNELS_ROPE_MATH_H_
