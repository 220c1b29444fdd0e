// e^x for x in [-87, 0], relative error < 2e-7: 2^n times a degree-6 polynomial on [-ln2 / 2, ln2 /
// 2]. One number here, sixteen in vec16.inc: same constants, same operations in the same order.
// Internal.
#ifndef GWM_KERNELS_EXP_NEGATIVE_H_
#define GWM_KERNELS_EXP_NEGATIVE_H_

#include <cstdint>

#include "kernels/host_device.h"

namespace gwm::kernels {

inline constexpr float kExpSmallest = -87.0f;
inline constexpr float kExpLog2E = 1.4426950408889634f;
inline constexpr float kExpRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
inline constexpr float kExpLn2High = 0.693359375f;
inline constexpr float kExpLn2Low = -2.12194440e-4f;
inline constexpr float kExp6 = 1.9875691500e-4f;
inline constexpr float kExp5 = 1.3981999507e-3f;
inline constexpr float kExp4 = 8.3334519073e-3f;
inline constexpr float kExp3 = 4.1665795894e-2f;
inline constexpr float kExp2 = 1.6666665459e-1f;
inline constexpr float kExp1 = 5.0000001201e-1f;
// Bits of a rounded number minus this = its integer plus the exponent bias.
inline constexpr int32_t kExpBias = 0x4B400000 - 127;

GWM_HOST_DEVICE float ExpNegative(float x) {
  union Bits {
    float f;
    int32_t i;
  };
  x = x > kExpSmallest ? x : kExpSmallest;
  const Bits shifted = {x * kExpLog2E + kExpRound};
  const float n = shifted.f - kExpRound;
  const float r = (x - n * kExpLn2High) - n * kExpLn2Low;
  float p = kExp6;
  p = p * r + kExp5;
  p = p * r + kExp4;
  p = p * r + kExp3;
  p = p * r + kExp2;
  p = p * r + kExp1;
  p = p * (r * r) + r + 1.0f;
  Bits power;
  power.i = static_cast<int32_t>(static_cast<uint32_t>(shifted.i - kExpBias) << 23);
  return p * power.f;
}

}  // namespace gwm::kernels

#endif  // GWM_KERNELS_EXP_NEGATIVE_H_
