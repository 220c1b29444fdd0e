// The server as a whole: everything between the listening sockets and the world.
#ifndef GWM_SERVER_RPC_SERVER_H_
#define GWM_SERVER_RPC_SERVER_H_

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/base/clock.h"
#include "server/base/options.h"
#include "server/base/random_source.h"
#include "server/base/ticker.h"
#include "server/models/model_registry.h"
#include "server/observe/http_server.h"
#include "server/observe/log.h"
#include "server/observe/metrics.h"
#include "server/rpc/deps.h"
#include "server/rpc/drain.h"
#include "server/rpc/health.h"
#include "server/rpc/stream_watch.h"
#include "server/schedule/device_thread.h"
#include "server/session/reaper.h"
#include "server/session/session_table.h"
#include "server/training/training_room.h"

namespace grpc {
class Server;
class Service;
}  // namespace grpc

namespace gwm::server {

struct ServerParts {
  ServerOptions options;
  WorldFactory world;            // the first one; called once, on the device thread
  WorldOpener open;              // further ones
  TrainerOpener open_trainer;    // of training jobs; needed with options.training_root
  const Clock* clock = nullptr;  // these outlive the server
  const Log* log = nullptr;
  RandomSource random;
  std::string version;
  // Called once, when Server.Drain asks the program to stop; optional.
  std::function<void()> on_drain_call;
  // Called once, on any thread, when the device is lost or hangs: the program should exit soon, and
  // not by way of the destructor, which would wait for the device. Optional.
  std::function<void()> on_device_lost;
};

// Thread-safe.
class Server {
 public:
  // Opens the world, then listens. Errors: the world's, or Unavailable / InvalidArgument for an
  // address.
  static absl::StatusOr<std::unique_ptr<Server>> Start(ServerParts parts);
  // Ends running calls at once, if Shutdown was not called.
  ~Server();

  // As they can be dialled, in the order of options.listen: "127.0.0.1:40123",
  // "unix:/run/gwm.sock".
  const std::vector<std::string>& addresses() const { return addresses_; }
  // The port of /metrics; 0 when off.
  int metrics_port() const { return http_ == nullptr ? 0 : http_->port(); }
  // Of the default model.
  WorldSpec spec() const { return models_->Default()->spec(); }

  // Health turns NOT_SERVING; calls are still taken. The first call, or Server.Drain, decides when
  // they no longer are; acting by the plan is for the caller. `times` absent: options.drain.
  DrainPlan BeginDrain(const std::optional<DrainTimes>& times = std::nullopt);
  // Of BeginDrain or Server.Drain; absent before.
  std::optional<DrainPlan> drain_plan() const { return drain_.plan(); }
  // Every new call gets Unavailable / DRAINING from now on; running ones go on. Idempotent.
  void RefuseCalls() { gate_.Close(); }
  // BeginDrain and RefuseCalls; waits for running calls, and cancels them after `timeout`.
  // Idempotent.
  void Shutdown(absl::Duration timeout);

  bool device_lost() const { return device_lost_.load(); }

  // For tests and tools: what threads of the server do regularly.
  void CheckHealth() { health_->Check(); }
  int ReapExpiredSessions();
  void CollectTrained() { training_->Collect(); }
  void EndSlowReaders() { streams_.Check(parts_.clock->Now()); }
  SessionTable::Counts session_counts() const { return sessions_->counts(); }
  size_t queue_length() const { return device_->queue_length(); }
  // What /metrics shows.
  std::string MetricsText();

 private:
  explicit Server(ServerParts parts);
  absl::Status ReadStateKey();
  absl::Status OpenWorld();
  void MakeSessions();
  void MakeModels();
  absl::Status OpenTraining();
  absl::Status Listen();
  void WatchStreams();
  void WatchHealth();
  absl::Status ServeMetrics();
  // Server.Drain.
  DrainPlan DrainByCall(const DrainTimes& times);
  void LoseDevice(const absl::Status& why);
  // Training waits for others that use the device; device thread.
  void NoteForTraining(const BatchReport& report);
  TrainingHooks HooksOfTraining();

  ServerParts parts_;
  Drain drain_;
  CallGate gate_;
  StreamWatch streams_;
  Metrics metrics_;
  ShareLimiter share_;
  RpcDeps deps_;
  std::atomic<bool> device_lost_ = false;
  std::unique_ptr<Health> health_;
  // Destroyed from the bottom up: calls end before the sessions go, all states before the worlds,
  // and the services when the device thread has let go of the last stream.
  std::vector<std::unique_ptr<grpc::Service>> services_;
  std::unique_ptr<DeviceThread> device_;
  std::unique_ptr<ModelRegistry> models_;
  std::unique_ptr<SessionTable> sessions_;
  std::unique_ptr<TrainingRoom> training_;
  std::unique_ptr<Reaper> reaper_;
  std::vector<std::string> addresses_;
  std::unique_ptr<grpc::Server> grpc_;
  std::unique_ptr<Ticker> slow_readers_;
  std::unique_ptr<Ticker> health_watch_;
  std::unique_ptr<HttpServer> http_;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_RPC_SERVER_H_
