#include "server/rpc/health.h"

#include <grpcpp/health_check_service_interface.h>

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/error.h"
#include "server/rpc/device_verdict.h"
#include "server/work/perception_work.h"
#include "server/work/probe.h"

namespace gwm::server {
namespace {

constexpr const char* kServices[] = {"",
                                     "gwm.v1.Simulator",
                                     "gwm.v1.Perception",
                                     "gwm.v1.Models",
                                     "gwm.v1.Server",
                                     "gwm.v1.Trainer"};
constexpr const char* kLiveness = "liveness";

}  // namespace

Health::Health(const RpcDeps& deps, const HealthTimes& times,
               std::function<void(const absl::Status&)> on_stuck)
    : deps_(deps), times_(times), on_stuck_(std::move(on_stuck)) {}

void Health::Serve(grpc::HealthCheckServiceInterface* wire) {
  absl::MutexLock lock(&mutex_);
  wire_ = wire;
  in_service_ = true;
  serving_since_ = deps_.clock->Now();
  Show();
}

void Health::Leave() {
  deps_.metrics->SetDraining();
  absl::MutexLock lock(&mutex_);
  in_service_ = false;
  Show();
}

void Health::Lose() {
  absl::MutexLock lock(&mutex_);
  lost_ = true;
  live_ = false;
  Show();
}

bool Health::ready() const {
  absl::MutexLock lock(&mutex_);
  return Ready();
}

bool Health::live() const {
  absl::MutexLock lock(&mutex_);
  return live_;
}

void Health::Check() {
  const absl::Time now = deps_.clock->Now();
  const bool has_room = HasRoom();
  bool stuck = false, probe = false;
  {
    absl::MutexLock lock(&mutex_);
    if (lost_ || serving_since_ == absl::InfiniteFuture()) return;
    Pulse pulse = deps_.device->pulse();
    pulse.proved_at = std::max(pulse.proved_at, serving_since_);
    const DeviceVerdict verdict = Judge(pulse, now, times_, deps_.limits.max_call_time);
    stuck = verdict == DeviceVerdict::kStuck;
    const auto before = std::pair(Ready(), live_);
    if (live_ != (verdict == DeviceVerdict::kWell)) {
      live_ = !live_;
      live_ ? deps_.log->Info("the device answers again")
            : deps_.log->Error("the device does not answer");
    }
    has_room_ = has_room;
    if (std::pair(Ready(), live_) != before) Show();
    probe = !stuck && !probed_at_.has_value() && now - pulse.proved_at >= times_.probe_period;
    if (probe) probed_at_ = now;
  }
  if (stuck) on_stuck_(absl::UnavailableError("a computation does not end"));
  if (probe) Probe(now);
}

bool Health::HasRoom() const {
  const WorldHandle world = deps_.models->Default();
  return deps_.sessions->CouldHaveRoom({.world = world.get(), .room = {.envs = 1}, .sessions = 1});
}

void Health::Probe(absl::Time now) {
  const WorldHandle world = deps_.models->Default();
  const auto probe = [](World& on) -> absl::StatusOr<bool> {
    const absl::Status status = ProbeDevice(on);
    if (!status.ok()) return status;
    return true;
  };
  const auto call =
      std::make_shared<CallHandle>(absl::InfiniteFuture(), WorkClass::kInteractive, "health probe");
  deps_.device->Submit(std::make_unique<WorldCall<bool>>(
                           call, world, probe, Answer<bool>([this, now](absl::StatusOr<bool> done) {
                             EndProbe(now, done.status());
                           }),
                           Demand{.stage = Stage::kProbe}),
                       Admission::kAlways);
}

void Health::EndProbe(absl::Time begun, const absl::Status& status) {
  // Going out of service is no fault of the device.
  if (DetailsOf(status).reason != kDraining) {
    deps_.metrics->HealthProbed(deps_.clock->Now() - begun, status.ok());
    if (!status.ok()) deps_.log->Error(absl::StrCat("health probe: ", status.ToString()));
  }
  absl::MutexLock lock(&mutex_);
  probed_at_.reset();
}

void Health::Show() {
  deps_.metrics->SetReady(Ready());
  if (wire_ != nullptr) {
    for (const char* name : kServices) wire_->SetServingStatus(name, Ready());
    wire_->SetServingStatus(kLiveness, live_);
  }
  ShowModelsLocked();
}

void Health::ShowModels() {
  absl::MutexLock lock(&mutex_);
  ShowModelsLocked();
}

void Health::ShowModelsLocked() {
  std::map<std::string, size_t> versions;
  uint64_t pool_bytes = 0;
  for (const Model& model : deps_.models->List()) {
    if (model.model_id.empty()) continue;
    pool_bytes += model.state_pool_bytes;
    versions[model.model_id] += 1;
    shown_.insert(model.model_id);
  }
  deps_.metrics->SetPool(pool_bytes);
  for (const std::string& id : shown_) {
    deps_.metrics->SetModelVersions(id, versions[id]);
    // A name that was known stays known: NOT_SERVING, not UNKNOWN.
    if (wire_ == nullptr) continue;
    wire_->SetServingStatus(absl::StrCat("model/", id), versions[id] > 0 && Ready());
  }
}

}  // namespace gwm::server
