// What all RPCs share.
#ifndef GWM_SERVER_RPC_DEPS_H_
#define GWM_SERVER_RPC_DEPS_H_

#include <functional>
#include <string>

#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/options.h"
#include "server/base/random_source.h"
#include "server/models/model_registry.h"
#include "server/observe/log.h"
#include "server/observe/metrics.h"
#include "server/rpc/call_gate.h"
#include "server/rpc/drain.h"
#include "server/rpc/stream_watch.h"
#include "server/schedule/device_thread.h"
#include "server/session/session_table.h"
#include "server/training/training_room.h"

namespace gwm::server {

// Everything is borrowed from the Server, which outlives every call.
struct RpcDeps {
  const Clock* clock = nullptr;
  const Log* log = nullptr;
  Metrics* metrics = nullptr;
  DeviceThread* device = nullptr;
  ModelRegistry* models = nullptr;
  SessionTable* sessions = nullptr;
  TrainingRoom* training = nullptr;  // null: the server does not train
  CallGate* gate = nullptr;          // no new calls once closed
  StreamWatch* streams = nullptr;
  std::function<DrainPlan(const DrainTimes&)> begin_drain;
  DrainTimes drain_times;  // unless the call says otherwise
  RandomSource random;
  Limits limits;
  std::string instance_id;
  std::string episode_root;
  std::string state_key;  // seals state blobs; empty: no seal
  std::string version;
  absl::Time started_at;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_RPC_DEPS_H_
