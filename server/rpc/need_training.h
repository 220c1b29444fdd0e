// The first question of every call of the Trainer service.
#ifndef GWM_SERVER_RPC_NEED_TRAINING_H_
#define GWM_SERVER_RPC_NEED_TRAINING_H_

#include "absl/status/status.h"
#include "server/base/error.h"
#include "server/rpc/deps.h"

namespace gwm::server {

// Unimplemented / UNSUPPORTED when the server does not train.
inline absl::Status NeedTraining(const RpcDeps& deps) {
  if (deps.training != nullptr) return absl::OkStatus();
  return MakeError(absl::StatusCode::kUnimplemented,
                   "this server has no training_root: it does not train",
                   {.reason = std::string(kUnsupported)});
}

}  // namespace gwm::server

#endif  // GWM_SERVER_RPC_NEED_TRAINING_H_
