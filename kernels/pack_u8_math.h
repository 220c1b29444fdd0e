// One value of PackU8, shared by CPU and CUDA. Internal.
#ifndef GWM_KERNELS_PACK_U8_MATH_H_
#define GWM_KERNELS_PACK_U8_MATH_H_

#include <cstdint>

#include "kernels/host_device.h"
#include "kernels/pack_u8.h"

namespace gwm::kernels {

inline bool ValidPack(const PackU8Args& args) {
  return args.rows >= 0 && args.columns >= 0 && args.out_row_bytes >= args.columns;
}

GWM_HOST_DEVICE uint8_t PackByte(float x) {
  union {
    float f;
    int32_t i;
  } bits;
  const float scaled = x * 255.0f;
  const float above = scaled > 0.0f ? scaled : 0.0f;  // NaN too
  const float clamped = above < 255.0f ? above : 255.0f;
  bits.f = clamped + 8388608.0f;  // 2^23: the last bit of the sum is 1, so it rounds to an integer
  return static_cast<uint8_t>(bits.i & 0xFF);
}

}  // namespace gwm::kernels

#endif  // GWM_KERNELS_PACK_U8_MATH_H_
