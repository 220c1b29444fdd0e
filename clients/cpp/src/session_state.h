// What a Session remembers of itself.
#ifndef GWM_CLIENTS_CPP_SRC_SESSION_STATE_H_
#define GWM_CLIENTS_CPP_SRC_SESSION_STATE_H_

#include <cstdint>
#include <string>

#include "gwm/session.h"

namespace gwm::client {

struct Session::State {
  std::string id;
  uint32_t num_envs = 0;
  uint64_t seed = 0;
};

}  // namespace gwm::client

#endif  // GWM_CLIENTS_CPP_SRC_SESSION_STATE_H_
