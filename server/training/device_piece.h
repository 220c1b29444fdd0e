// A piece of training on the device thread, between the steps of sessions.
#ifndef GWM_SERVER_TRAINING_DEVICE_PIECE_H_
#define GWM_SERVER_TRAINING_DEVICE_PIECE_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "server/schedule/device_thread.h"

namespace gwm::server {

// Runs `piece` on the device thread when training's turn comes and waits for it: not for the device
// thread itself, nor for RPC threads. `client`: whose turn it is. The piece's error; Internal when
// it throws; the device thread's refusal when it has stopped, and then the piece did not run.
absl::Status RunOnDevice(DeviceThread& device, const std::string& client,
                         const std::function<absl::Status()>& piece);

}  // namespace gwm::server

#endif  // GWM_SERVER_TRAINING_DEVICE_PIECE_H_
