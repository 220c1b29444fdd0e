// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011) and floats
// made of its bits.
//
// Every float operation is +, -, *, / or sqrt, correctly rounded under IEEE 754, in a fixed order
// and without FMA (this folder compiles with contraction off, CUDA with --fmad=false): the same
// bits on every machine.
#ifndef GWM_KERNELS_PHILOX_H_
#define GWM_KERNELS_PHILOX_H_

#include <cmath>
#include <cstdint>

#include "kernels/host_device.h"

namespace gwm::kernels {

struct PhiloxBlock {
  uint32_t v[4];
};

GWM_HOST_DEVICE PhiloxBlock Philox4x32(PhiloxBlock counter, uint32_t key0, uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = static_cast<uint64_t>(0xD2511F53u) * counter.v[0];
    const uint64_t product1 = static_cast<uint64_t>(0xCD9E8D57u) * counter.v[2];
    const uint32_t high0 = static_cast<uint32_t>(product0 >> 32);
    const uint32_t high1 = static_cast<uint32_t>(product1 >> 32);
    counter = {{high1 ^ counter.v[1] ^ key0, static_cast<uint32_t>(product1),
                high0 ^ counter.v[3] ^ key1, static_cast<uint32_t>(product0)}};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return counter;
}

// The stream (seed, env, episode, step, call) folded to 128 bits by one Philox block: two words of
// key for the elements, two words of their counter.
GWM_HOST_DEVICE PhiloxBlock PhiloxStreamKey(uint64_t seed, uint32_t env, uint32_t episode,
                                            uint32_t step, uint32_t call) {
  return Philox4x32({{env, episode, step, call}}, static_cast<uint32_t>(seed),
                    static_cast<uint32_t>(seed >> 32));
}

// Four words for the elements 4 block .. 4 block + 3 of a stream.
GWM_HOST_DEVICE PhiloxBlock PhiloxElements(PhiloxBlock stream, uint64_t block) {
  return Philox4x32({{static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), stream.v[2],
                      stream.v[3]}},
                    stream.v[0], stream.v[1]);
}

// [0, 1), a multiple of 2^-24.
GWM_HOST_DEVICE float UniformFromBits(uint32_t bits) {
  return static_cast<float>(static_cast<int32_t>(bits >> 8)) * 0x1p-24f;
}

// Natural logarithm of a normal positive float, relative error < 2e-7 away from 1, absolute < 1e-7
// near it. x = 2^e m with m in [sqrt(1/2), sqrt(2)); ln m = 2 artanh(s), s = (m - 1) / (m + 1), as
// an odd polynomial.
GWM_HOST_DEVICE float PortableLog(float x) {
  union {
    float f;
    int32_t i;
  } bits = {x};
  const int32_t exponent = (bits.i - 0x3F3504F3) >> 23;
  bits.i -= exponent * (1 << 23);
  const float s = (bits.f - 1.0f) / (bits.f + 1.0f);
  const float z = s * s;
  float p = 0.22222222f;
  p = p * z + 0.28571430f;
  p = p * z + 0.4f;
  p = p * z + 0.66666667f;
  const float e = static_cast<float>(exponent);
  return e * 0.69314575f + (e * 1.4286068e-6f + (s * z * p + 2.0f * s));
}

// sin and cos of 2 pi t for t in [0, 1), absolute error < 2e-7.
GWM_HOST_DEVICE void PortableSinCos2Pi(float t, float* sin_out, float* cos_out) {
  // The quarter turn nearest to t and what is left of it, in [-1/8, 1/8] turns: exact.
  // NOLINTNEXTLINE(bugprone-incorrect-roundings): lround would change the bits of the noise.
  const int32_t quarter = static_cast<int32_t>(t * 4.0f + 0.5f);
  const float r = (t - static_cast<float>(quarter) * 0.25f) * 6.2831855f;
  const float z = r * r;
  const float sin_r =
      r + r * z * (-0.16666667f + z * (8.3333310e-3f + z * (-1.9840874e-4f + z * 2.7525562e-6f)));
  const float cos_r =
      1.0f + z * (-0.5f + z * (4.1666668e-2f + z * (-1.3888889e-3f + z * 2.4801587e-5f)));
  const bool swap = (quarter & 1) != 0;
  const float s = swap ? cos_r : sin_r;
  const float c = swap ? sin_r : cos_r;
  *sin_out = (quarter & 2) != 0 ? -s : s;
  *cos_out = ((quarter + 1) & 2) != 0 ? -c : c;
}

// Two independent standard normals of two words (Box and Muller 1958); |value| <= 5.9.
GWM_HOST_DEVICE void NormalPair(uint32_t bits0, uint32_t bits1, float* first, float* second) {
  // (0, 1]: the logarithm never sees 0.
  const float u = static_cast<float>(static_cast<int32_t>(bits0 >> 8) + 1) * 0x1p-24f;
  const float radius = std::sqrt(-2.0f * PortableLog(u));
  float s, c;
  PortableSinCos2Pi(UniformFromBits(bits1), &s, &c);
  *first = radius * c;
  *second = radius * s;
}

}  // namespace gwm::kernels

#endif  // GWM_KERNELS_PHILOX_H_
