// The server as a whole: everything between the listening sockets and the world.
#ifndef GWM_SERVER_RPC_SERVER_H_
#define GWM_SERVER_RPC_SERVER_H_

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/base/clock.h"
#include "server/base/options.h"
#include "server/base/random_source.h"
#include "server/observe/http_server.h"
#include "server/observe/log.h"
#include "server/observe/metrics.h"
#include "server/rpc/deps.h"
#include "server/schedule/device_thread.h"
#include "server/session/reaper.h"
#include "server/session/session_table.h"

namespace grpc {
class Server;
class Service;
}  // namespace grpc

namespace gwm::server {

struct ServerParts {
  ServerOptions options;
  WorldFactory world;            // called once, on the device thread
  const Clock* clock = nullptr;  // these outlive the server
  const Log* log = nullptr;
  RandomSource random;
  std::string version;
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
  const WorldSpec& spec() const { return device_->spec(); }

  // Health turns NOT_SERVING; calls are still taken, new sessions are not.
  void BeginDrain();
  // BeginDrain; new calls are refused; waits for running ones, and cancels them after `timeout`.
  // Idempotent.
  void Shutdown(absl::Duration timeout);

  // For tests and tools: what the reaper's thread does regularly.
  int ReapExpiredSessions() { return sessions_->ReapExpired(); }
  SessionTable::Counts session_counts() const { return sessions_->counts(); }
  size_t queue_length() const { return device_->queue_length(); }

 private:
  explicit Server(ServerParts parts);
  absl::Status ReadStateKey();
  absl::Status OpenWorld();
  // Limits that follow from the size of the state pool.
  void SetCapacity(const WorldSpec& spec);
  void MakeSessions();
  absl::Status Listen();
  absl::Status ServeMetrics();
  std::string MetricsPage();
  void SetServing(bool serving);

  ServerParts parts_;
  std::atomic<bool> draining_ = false;
  CallGate gate_;
  Metrics metrics_;
  RpcDeps deps_;
  // Destroyed from the bottom up: calls end before the sessions go, all states before the world,
  // and the services when the device thread has let go of the last stream.
  std::vector<std::unique_ptr<grpc::Service>> services_;
  std::unique_ptr<DeviceThread> device_;
  std::unique_ptr<SessionTable> sessions_;
  std::unique_ptr<Reaper> reaper_;
  std::vector<std::string> addresses_;
  std::unique_ptr<grpc::Server> grpc_;
  std::unique_ptr<HttpServer> http_;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_RPC_SERVER_H_
