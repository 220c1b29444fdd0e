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
#include "server/base/grpc_status.h"
#include "server/base/status.h"
#include "server/rpc/models_service.h"
#include "server/rpc/perception_service.h"
#include "server/rpc/server_service.h"
#include "server/rpc/simulator_service.h"
#include "server/rpc/trainer_service.h"

namespace gwm::server {
namespace {

constexpr size_t kMaxKeyBytes = 4096;

// For answers to leave the process, and for callers in a loop to be refused: a call that comes when
// the library shuts down is cancelled without a word.
constexpr absl::Duration kFlushTime = absl::Milliseconds(500);

const char* ReasonName(CloseReason reason) {
  switch (reason) {
    case CloseReason::kClient:
      return "client";
    case CloseReason::kExpired:
      return "expired";
    case CloseReason::kEvicted:
      return "evicted";
    case CloseReason::kModelUnloaded:
      return "model_unloaded";
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

QueueOptions QueueOptionsOf(const Limits& limits) {
  return {.max_length = limits.max_queue_length,
          .max_queue_time = limits.max_queue_time,
          .batch = {.max_rows = static_cast<int>(limits.max_batch_rows),
                    .max_quantum = limits.max_quantum},
          .order = {.ageing_quanta = limits.ageing_quanta,
                    .training_share = limits.training_share_percent / 100.0}};
}

DeviceQuantum ForMetrics(const BatchReport& report) {
  return {.stage = std::string(StageName(report.stage)),
          .work_class = std::string(ClassName(report.work_class)),
          .queue_waits = report.queue_waits,
          .rows = report.rows,
          .padding_rows = report.padding_rows,
          .stage_time = report.stage_time,
          .expected = report.expected,
          .busy = report.busy,
          .out_of_memory = report.out_of_memory};
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
  RETURN_IF_ERROR(server->OpenTraining());
  RETURN_IF_ERROR(server->Listen());
  server->WatchStreams();
  RETURN_IF_ERROR(server->ServeMetrics());
  server->health_->Serve(server->grpc_->GetHealthCheckService());
  server->WatchHealth();
  return server;
}

Server::Server(ServerParts parts) : parts_(std::move(parts)) {
  deps_ = {.clock = parts_.clock,
           .log = parts_.log,
           .metrics = &metrics_,
           .gate = &gate_,
           .streams = &streams_,
           .begin_drain = [this](const DrainTimes& times) { return DrainByCall(times); },
           .drain_times = parts_.options.drain,
           .random = parts_.random,
           .limits = parts_.options.limits,
           .instance_id = absl::StrFormat("%016x", parts_.random()),
           .episode_root = parts_.options.episode_root,
           .version = parts_.version,
           .started_at = parts_.clock->Now()};
  health_ = std::make_unique<Health>(deps_, parts_.options.health,
                                     [this](const absl::Status& why) { LoseDevice(why); });
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
  DeviceThreadOptions options{.queue = QueueOptionsOf(deps_.limits),
                              .warm_up_time = parts_.options.warm_up_time,
                              .clock = parts_.clock,
                              .on_batch =
                                  [this](const BatchReport& report) {
                                    metrics_.device().Quantum(ForMetrics(report));
                                    NoteForTraining(report);
                                  },
                              .on_lost = [this](const absl::Status& why) { LoseDevice(why); }};
  device_ = std::make_unique<DeviceThread>(std::move(options));
  deps_.device = device_.get();
  MakeSessions();
  MakeModels();
  RETURN_IF_ERROR(models_->OpenFirst(parts_.world, parts_.options.checkpoint));
  metrics_.SetBuild(parts_.version, spec());
  const RoomLimits room =
      RoomLimits{deps_.limits.max_envs, deps_.limits.max_state_bytes}.For(spec());
  deps_.limits.max_envs = room.max_envs;
  deps_.limits.max_state_bytes = room.max_state_bytes;
  reaper_ = std::make_unique<Reaper>([this] { ReapExpiredSessions(); },
                                     std::min(deps_.limits.min_idle_ttl / 4, absl::Seconds(5)));
  return absl::OkStatus();
}

void Server::MakeSessions() {
  const Limits& limits = deps_.limits;
  sessions_ = std::make_unique<SessionTable>(
      SessionTableOptions{.instance_id = deps_.instance_id,
                          .max_sessions = limits.max_sessions,
                          .room = {limits.max_envs, limits.max_state_bytes},
                          .max_spill_bytes = limits.max_spill_bytes,
                          .max_kept_states = limits.max_kept_states,
                          .max_tombstones = limits.max_tombstones,
                          .tombstone_ttl = limits.tombstone_ttl,
                          .clock = parts_.clock,
                          .random = parts_.random,
                          .on_open = [this] { metrics_.SessionOpened(); },
                          .on_close =
                              [this](CloseReason reason, absl::Duration lifetime) {
                                metrics_.SessionClosed(ReasonName(reason), lifetime);
                                models_->CollectDrained();
                              },
                          .on_moved =
                              [this](Moved moved) {
                                moved == Moved::kToHost ? metrics_.Spilled() : metrics_.Restored();
                              }});
  deps_.sessions = sessions_.get();
}

void Server::MakeModels() {
  const auto on_load = [this](const absl::Status& status, const Model& model) {
    if (status.ok()) {
      metrics_.ModelLoaded(model.model_id, model.load_time);
      parts_.log->Info(absl::StrCat("serving ", model.model_id, ", digest ",
                                    model.checkpoint_digest, ", from ", model.checkpoint));
    } else {
      metrics_.ModelLoadFailed(CodeName(ToGrpcStatus(status).error_code()));
      parts_.log->Error(absl::StrCat("loading ", model.checkpoint, ": ", status.ToString()));
    }
  };
  models_ = std::make_unique<ModelRegistry>(
      ModelRegistryOptions{.checkpoint_root = parts_.options.checkpoint_root,
                           .max_models = deps_.limits.max_models,
                           .open = parts_.open,
                           .device = device_.get(),
                           .sessions = sessions_.get(),
                           .clock = parts_.clock,
                           .on_load = on_load,
                           .on_change = [this] { health_->ShowModels(); }});
  deps_.models = models_.get();
}

int Server::ReapExpiredSessions() {
  const int ended = sessions_->ReapExpired();
  models_->CollectDrained();
  return ended;
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
  services_.push_back(std::make_unique<ModelsService>(deps_));
  services_.push_back(std::make_unique<ServerService>(deps_));
  services_.push_back(std::make_unique<TrainerService>(deps_));
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

void Server::WatchStreams() {
  const absl::Duration period = std::min(deps_.limits.slow_reader_timeout / 4, absl::Seconds(1));
  slow_readers_ = std::make_unique<Ticker>(period, [this] { EndSlowReaders(); });
}

void Server::WatchHealth() {
  const HealthTimes& times = parts_.options.health;
  if (times.probe_period == absl::ZeroDuration()) return;
  health_watch_ = std::make_unique<Ticker>(std::min(times.probe_period / 4, absl::Seconds(1)),
                                           [this] { CheckHealth(); });
}

absl::Status Server::ServeMetrics() {
  if (parts_.options.metrics_listen.empty()) return absl::OkStatus();
  HttpPages pages{.metrics = [this] { return MetricsText(); },
                  .ready = [this] { return health_->ready(); },
                  .live = [this] { return health_->live(); }};
  ASSIGN_OR_RETURN(http_, HttpServer::Start(parts_.options.metrics_listen, std::move(pages)));
  return absl::OkStatus();
}

std::string Server::MetricsText() {
  const SessionTable::Counts counts = sessions_->counts();
  metrics_.SetOpen(counts.sessions, counts.envs, counts.state_bytes);
  metrics_.SetSpilledBytes(counts.spilled_bytes);
  if (training_ != nullptr) metrics_.training().SetJobs(training_->active_jobs());
  const auto backlog = device_->backlog();
  for (size_t i = 0; i < backlog.size(); ++i) {
    const std::string name(ClassName(static_cast<WorkClass>(i)));
    metrics_.device().SetBacklog(name, backlog[i].works, backlog[i].device_time);
  }
  return metrics_.Text();
}

DrainPlan Server::BeginDrain(const std::optional<DrainTimes>& times) {
  return drain_.Begin(parts_.clock->Now(), times.value_or(parts_.options.drain),
                      [this] { health_->Leave(); });
}

DrainPlan Server::DrainByCall(const DrainTimes& times) {
  return drain_.Begin(parts_.clock->Now(), times, [this] {
    health_->Leave();
    if (parts_.on_drain_call) parts_.on_drain_call();
  });
}

void Server::LoseDevice(const absl::Status& why) {
  if (device_lost_.exchange(true)) return;
  parts_.log->Error(absl::StrCat("the device is lost: ", why.ToString()));
  metrics_.device().Lost();
  health_->Lose();
  device_->Abandon();
  if (parts_.on_device_lost) parts_.on_device_lost();
}

void Server::Shutdown(absl::Duration timeout) {
  if (grpc_ == nullptr) return;
  BeginDrain();
  RefuseCalls();
  // Jobs wait for the next process: what is left of the time is for calls.
  if (training_ != nullptr) training_->Stop();
  // What is left then is answers on their way, and streams of the library itself (Watch) that never
  // end.
  const absl::Duration rest =
      gate_.AwaitQuiet(kFlushTime, timeout) ? kFlushTime : absl::ZeroDuration();
  models_->Stop();
  grpc_->Shutdown(absl::ToChronoTime(absl::Now() + rest));
}

}  // namespace gwm::server
