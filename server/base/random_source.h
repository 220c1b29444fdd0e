// Unpredictable numbers for session ids and default seeds: injected, so that tests know them.
#ifndef GWM_SERVER_BASE_RANDOM_SOURCE_H_
#define GWM_SERVER_BASE_RANDOM_SOURCE_H_

#include <cstdint>
#include <functional>

namespace gwm::server {

// Thread-safe; 64 random bits per call.
using RandomSource = std::function<uint64_t()>;

// The kernel's generator, fit for secrets.
RandomSource SystemRandom();

}  // namespace gwm::server

#endif  // GWM_SERVER_BASE_RANDOM_SOURCE_H_
