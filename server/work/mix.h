// Numbers out of numbers.
#ifndef GWM_SERVER_WORK_MIX_H_
#define GWM_SERVER_WORK_MIX_H_

#include <cstdint>

namespace gwm::server {

// Finaliser of SplitMix64: every input bit reaches every output bit.
constexpr uint64_t Mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

}  // namespace gwm::server

#endif  // GWM_SERVER_WORK_MIX_H_
