#include "server/base/random_source.h"

#include <sys/random.h>

#include <cerrno>

namespace gwm::server {

RandomSource SystemRandom() {
  return [] {
    uint64_t value = 0;
    // Requests of up to 256 bytes are never cut short once the kernel's pool is ready; before that
    // they wait.
    while (getrandom(&value, sizeof(value), 0) != sizeof(value) && errno == EINTR) {
    }
    return value;
  };
}

}  // namespace gwm::server
