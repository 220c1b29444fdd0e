// A version of a model as the server knows it.
#ifndef GWM_SERVER_MODELS_MODEL_H_
#define GWM_SERVER_MODELS_MODEL_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"

namespace gwm::server {

enum class ModelState {
  kLoading,
  kReady,
  kDraining,  // serves the sessions that it has, takes no new ones
  kFailed,    // could not be loaded; holds no memory
  kUnloaded,  // gone
};

struct Model {
  std::string model_id;           // empty until it is loaded
  std::string checkpoint_digest;  // what names the version; empty until it is loaded
  std::string checkpoint;         // folder, relative to the root of all checkpoints
  std::string device;
  ModelState state = ModelState::kLoading;
  bool is_default = false;
  uint32_t sessions = 0;                          // pinned to it
  uint64_t state_bytes = 0;                       // set aside for their states
  uint64_t state_pool_bytes = 0;                  // memory for states
  uint64_t checkpoint_bytes = 0;                  // of its files
  absl::Duration load_time;                       // opening and warming up
  absl::Time changed_at;                          // when it reached its state
  absl::Time unload_at = absl::InfiniteFuture();  // of a draining one: when its sessions are ended
  std::string error;                              // why loading failed
};

}  // namespace gwm::server

#endif  // GWM_SERVER_MODELS_MODEL_H_
