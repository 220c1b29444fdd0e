#include "server/rpc/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/io/file.h"
#include "server/base/status.h"
#include "server/rpc/perception_service.h"
#include "server/rpc/server_service.h"
#include "server/rpc/simulator_service.h"

namespace gwm::server {
namespace {

constexpr size_t kMaxKeyBytes = 4096;

// For answers to leave the process.
constexpr absl::Duration kFlushTime = absl::Milliseconds(500);

const char* ReasonName(CloseReason reason) {
  switch (reason) {
    case CloseReason::kClient:
      return "client";
    case CloseReason::kExpired:
      return "expired";
    case CloseReason::kEvicted:
      return "evicted";
    case CloseReason::kShutdown:
      return "shutdown";
  }
  return "";
}

// Whom clients may ping how often, and how dead connections are found.
void SetChannelArguments(const Limits& limits, grpc::ServerBuilder& builder) {
  constexpr int kMinPingIntervalMs = 10'000;
  constexpr int kKeepaliveMs = 60'000;
  constexpr int kKeepaliveTimeoutMs = 20'000;
  builder.SetMaxReceiveMessageSize(static_cast<int>(limits.max_message_bytes));
  builder.SetMaxSendMessageSize(-1);
  // A second server on the same port must fail, not share the connections.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kMinPingIntervalMs);
}

// "127.0.0.1:0" with the port that was chosen.
std::string Dialled(const std::string& address, int port) {
  if (absl::StartsWith(address, "unix:")) return address;
  return absl::StrCat(address.substr(0, address.rfind(':')), ":", port);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(ServerParts parts) {
  std::unique_ptr<Server> server(new Server(std::move(parts)));
  RETURN_IF_ERROR(server->ReadStateKey());
  RETURN_IF_ERROR(server->OpenWorld());
  server->MakeSessions();
  RETURN_IF_ERROR(server->Listen());
  RETURN_IF_ERROR(server->ServeMetrics());
  server->SetServing(true);
  return server;
}

Server::Server(ServerParts parts) : parts_(std::move(parts)) {
  deps_ = {.clock = parts_.clock,
           .log = parts_.log,
           .metrics = &metrics_,
           .draining = &draining_,
           .gate = &gate_,
           .random = parts_.random,
           .limits = parts_.options.limits,
           .instance_id = absl::StrFormat("%016x", parts_.random()),
           .episode_root = parts_.options.episode_root,
           .version = parts_.version,
           .started_at = parts_.clock->Now()};
}

Server::~Server() { Shutdown(absl::ZeroDuration()); }

absl::Status Server::ReadStateKey() {
  const std::string& path = parts_.options.state_key_file;
  if (path.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(deps_.state_key, io::ReadFile(path, kMaxKeyBytes));
  if (!deps_.state_key.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("state_key_file: ", path, " is empty"));
}

absl::Status Server::OpenWorld() {
  DeviceThreadOptions options{.max_queue_length = deps_.limits.max_queue_length,
                              .max_batch_rows = deps_.limits.max_batch_rows,
                              .clock = parts_.clock,
                              .on_batch = [this](const BatchReport& report) {
                                metrics_.DeviceBatch(report.queue_waits, report.step_rows,
                                                     report.busy);
                              }};
  ASSIGN_OR_RETURN(device_, DeviceThread::Create(parts_.world, std::move(options)));
  deps_.device = device_.get();
  metrics_.SetBuild(parts_.version, device_->spec());
  SetCapacity(device_->spec());
  return absl::OkStatus();
}

void Server::SetCapacity(const WorldSpec& spec) {
  const auto at_most = [](uint64_t& limit, uint64_t bound) {
    limit = limit == 0 ? bound : std::min(limit, bound);
  };
  // A step holds the old and the new state of its environments at once.
  const auto half_pool = static_cast<uint64_t>(std::max<int64_t>(spec.pool_states / 2, 1));
  const auto state_bytes = static_cast<uint64_t>(std::max<int64_t>(spec.state_bytes, 1));
  at_most(deps_.limits.max_state_bytes, half_pool * state_bytes);
  at_most(deps_.limits.max_envs, deps_.limits.max_state_bytes / state_bytes);
}

void Server::MakeSessions() {
  sessions_ = std::make_unique<SessionTable>(
      SessionTableOptions{.instance_id = deps_.instance_id,
                          .max_sessions = deps_.limits.max_sessions,
                          .max_envs = deps_.limits.max_envs,
                          .max_state_bytes = deps_.limits.max_state_bytes,
                          .state_bytes = static_cast<uint64_t>(spec().state_bytes),
                          .max_kept_states = deps_.limits.max_kept_states,
                          .max_tombstones = deps_.limits.max_tombstones,
                          .tombstone_ttl = deps_.limits.tombstone_ttl,
                          .clock = parts_.clock,
                          .random = parts_.random,
                          .on_close = [this](CloseReason reason, absl::Duration lifetime) {
                            metrics_.SessionClosed(ReasonName(reason), lifetime);
                          }});
  deps_.sessions = sessions_.get();
  reaper_ = std::make_unique<Reaper>(sessions_.get(),
                                     std::min(deps_.limits.min_idle_ttl / 4, absl::Seconds(5)));
}

absl::Status Server::Listen() {
  // Both set process-wide switches of the gRPC library; setting them again changes nothing.
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  SetChannelArguments(deps_.limits, builder);
  const std::vector<std::string>& listen = parts_.options.listen;
  std::vector<int> ports(listen.size(), 0);
  for (size_t i = 0; i < listen.size(); ++i) {
    builder.AddListeningPort(listen[i], grpc::InsecureServerCredentials(), &ports[i]);
  }
  services_.push_back(std::make_unique<SimulatorService>(deps_));
  services_.push_back(std::make_unique<PerceptionService>(deps_));
  services_.push_back(std::make_unique<ServerService>(deps_));
  for (const auto& service : services_) builder.RegisterService(service.get());
  grpc_ = builder.BuildAndStart();
  for (size_t i = 0; i < listen.size(); ++i) {
    if (grpc_ == nullptr || ports[i] == 0) {
      const std::string which = grpc_ == nullptr ? parts_.options.listen.front() : listen[i];
      return absl::UnavailableError(absl::StrCat("cannot listen on ", which));
    }
    addresses_.push_back(Dialled(listen[i], ports[i]));
  }
  return grpc_ != nullptr ? absl::OkStatus()
                          : absl::InvalidArgumentError("no address to listen on");
}

absl::Status Server::ServeMetrics() {
  if (parts_.options.metrics_listen.empty()) return absl::OkStatus();
  HttpPages pages{.metrics = [this] { return MetricsPage(); },
                  .healthy = [this] { return !draining_; }};
  ASSIGN_OR_RETURN(http_, HttpServer::Start(parts_.options.metrics_listen, std::move(pages)));
  return absl::OkStatus();
}

std::string Server::MetricsPage() {
  const SessionTable::Counts counts = sessions_->counts();
  metrics_.SetOpen(counts.sessions, counts.envs, counts.state_bytes);
  metrics_.SetQueueLength(device_->queue_length());
  return metrics_.Text();
}

void Server::SetServing(bool serving) {
  metrics_.SetReady(serving);
  grpc::HealthCheckServiceInterface* health = grpc_->GetHealthCheckService();
  if (health == nullptr) return;
  for (const char* name : {"", "gwm.v1.Simulator", "gwm.v1.Perception", "gwm.v1.Server"}) {
    health->SetServingStatus(name, serving);
  }
  health->SetServingStatus(absl::StrCat("model/", spec().model_id), serving);
}

void Server::BeginDrain() {
  if (draining_.exchange(true)) return;
  metrics_.SetDraining();
  SetServing(false);
}

void Server::Shutdown(absl::Duration timeout) {
  if (grpc_ == nullptr) return;
  BeginDrain();
  gate_.Close();
  // What is left then is answers on their way, and streams of the library itself (Watch) that never
  // end.
  const absl::Duration rest = gate_.AwaitEmpty(timeout) ? kFlushTime : absl::ZeroDuration();
  grpc_->Shutdown(absl::ToChronoTime(absl::Now() + rest));
}

}  // namespace gwm::server
