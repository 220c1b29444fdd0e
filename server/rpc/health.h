// Health that is true: in service, with a device that answers, and room for one more session.
//
// Names of grpc.health.v1: "" and each service (ready: all three), "model/<id>" (ready, and the
// model is served), "liveness" (the device answers, also while the server is full or going out of
// service: restarting it would help nobody).
#ifndef GWM_SERVER_RPC_HEALTH_H_
#define GWM_SERVER_RPC_HEALTH_H_

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/base/options.h"
#include "server/rpc/deps.h"

namespace grpc {
class HealthCheckServiceInterface;
}  // namespace grpc

namespace gwm::server {

// Thread-safe.
class Health {
 public:
  // deps: borrowed; complete before Serve. on_stuck: called once, when a quantum takes so long that
  // it will never end.
  Health(const RpcDeps& deps, const HealthTimes& times,
         std::function<void(const absl::Status&)> on_stuck);

  // In service from now on. `wire`: what tells clients; may be null.
  void Serve(grpc::HealthCheckServiceInterface* wire) ABSL_LOCKS_EXCLUDED(mutex_);
  // Out of service for good.
  void Leave() ABSL_LOCKS_EXCLUDED(mutex_);
  // The device is gone, and liveness with it.
  void Lose() ABSL_LOCKS_EXCLUDED(mutex_);
  // To be called regularly: looks at the device, and makes a denoiser call of its own when there
  // was none for a while.
  void Check() ABSL_LOCKS_EXCLUDED(mutex_);
  // Health and metrics of the models that are served now.
  void ShowModels() ABSL_LOCKS_EXCLUDED(mutex_);

  bool ready() const ABSL_LOCKS_EXCLUDED(mutex_);
  bool live() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  bool Ready() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return in_service_ && live_ && has_room_;
  }
  void Show() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ShowModelsLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HasRoom() const;
  void Probe(absl::Time now) ABSL_LOCKS_EXCLUDED(mutex_);
  void EndProbe(absl::Time begun, const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);

  const RpcDeps& deps_;
  const HealthTimes times_;
  const std::function<void(const absl::Status&)> on_stuck_;
  mutable absl::Mutex mutex_;
  grpc::HealthCheckServiceInterface* wire_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::set<std::string> shown_ ABSL_GUARDED_BY(mutex_);  // models that were ever served
  absl::Time serving_since_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  bool in_service_ ABSL_GUARDED_BY(mutex_) = false;
  bool live_ ABSL_GUARDED_BY(mutex_) = true;
  bool lost_ ABSL_GUARDED_BY(mutex_) = false;
  bool has_room_ ABSL_GUARDED_BY(mutex_) = true;
  std::optional<absl::Time> probed_at_ ABSL_GUARDED_BY(mutex_);  // of the probe on its way
};

}  // namespace gwm::server

#endif  // GWM_SERVER_RPC_HEALTH_H_
