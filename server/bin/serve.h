// From the first call to the last: what a program does with a running server.
#ifndef GWM_SERVER_BIN_SERVE_H_
#define GWM_SERVER_BIN_SERVE_H_

#include "server/base/options.h"
#include "server/bin/stop_signal.h"
#include "server/observe/log.h"
#include "server/rpc/server.h"

namespace gwm::server {

inline constexpr int kExitDeviceLost = 3;

// Serves until a signal or Server.Drain, then goes out of service by `times`; a second signal
// hurries it. Returns the exit status. `stop` is to be woken by the server's on_drain_call and
// on_device_lost. When the device is lost, the process ends here, with kExitDeviceLost: a thread
// may hang for good.
int ServeUntilStopped(Server& server, const StopSignal& stop, const DrainTimes& times,
                      const Log& log);

}  // namespace gwm::server

#endif  // GWM_SERVER_BIN_SERVE_H_
