// The sum of squares under a root mean square, in one order for all that take it. Internal.
#ifndef GWM_KERNELS_SUM_OF_SQUARES_H_
#define GWM_KERNELS_SUM_OF_SQUARES_H_

#include <cstdint>

#include "kernels/host_device.h"

namespace gwm::kernels {

// h [width]. 16 partial sums, element j in sum j % 16, then halves are added until one is left: an
// order that vectorises at every level with the same bits.
GWM_HOST_DEVICE float SumOfSquares(const float* h, int64_t width) {
  constexpr int64_t kPartials = 16;
  float partial[kPartials] = {};
  int64_t j = 0;
  for (; j + kPartials <= width; j += kPartials) {
    for (int64_t l = 0; l < kPartials; ++l) partial[l] += h[j + l] * h[j + l];
  }
  for (int64_t l = 0; j < width; ++j, ++l) partial[l] += h[j] * h[j];
  // Spelled out: a loop over the halves stays scalar.
  for (int64_t l = 0; l < 8; ++l) partial[l] += partial[l + 8];
  for (int64_t l = 0; l < 4; ++l) partial[l] += partial[l + 4];
  return (partial[0] + partial[2]) + (partial[1] + partial[3]);
}

}  // namespace gwm::kernels

#endif  // GWM_KERNELS_SUM_OF_SQUARES_H_
