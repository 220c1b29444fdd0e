// Every metric of the server, by the names that dashboards know.
#ifndef GWM_SERVER_OBSERVE_METRICS_H_
#define GWM_SERVER_OBSERVE_METRICS_H_

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "engine/api/world.h"
#include "server/observe/device_metrics.h"
#include "server/observe/rpc_metrics.h"
#include "server/observe/training_metrics.h"

namespace gwm::server {

// Thread-safe. Labels never hold ids of sessions or clients: their number would grow without bound.
class Metrics {
 public:
  Metrics();

  // Before the first call is taken.
  void SetBuild(const std::string& version, const WorldSpec& spec);
  void SetReady(bool ready) { ready_.Set(ready ? 1 : 0); }
  void SetDraining() { draining_.Set(1); }
  // The server asked the device by itself.
  void HealthProbed(absl::Duration time, bool ok);

  void RpcStarted(const std::string& rpc, size_t request_bytes) {
    rpc_.Started(rpc, request_bytes);
  }
  void RpcEnded(const RpcOutcome& outcome) { rpc_.Ended(outcome); }
  void RpcStages(const std::string& rpc, const StageTimes& times) { rpc_.Stages(rpc, times); }

  void SessionOpened();
  void SessionClosed(const std::string& reason, absl::Duration lifetime);
  // A session's states went to host memory, or came back.
  void Spilled() { spills_.Increment(); }
  void Restored() { restores_.Increment(); }
  void SetSpilledBytes(uint64_t bytes) { spilled_bytes_.Set(static_cast<double>(bytes)); }
  void Forked(size_t children) { forks_.Increment(static_cast<double>(children)); }
  void SetOpen(uint32_t sessions, uint64_t envs, uint64_t state_bytes);

  // Rows that succeeded, rows that failed, and denoiser calls of all of them.
  void EnvSteps(const std::string& model, uint64_t steps, uint64_t failed, uint64_t denoiser_calls);
  // A repeated Step or Reset was answered from memory.
  void Replayed() { replayed_.Increment(); }
  void ImaginedSteps(const std::string& model, uint64_t steps, uint64_t failed,
                     uint64_t denoiser_calls);

  // A checkpoint became a served model.
  void ModelLoaded(const std::string& model, absl::Duration time);
  // It did not; code: "NOT_FOUND", "DATA_LOSS", ...
  void ModelLoadFailed(const std::string& code);
  // Versions of this model that are served now.
  void SetModelVersions(const std::string& model, size_t versions);
  // Of all models.
  void SetPool(uint64_t bytes) { pool_bytes_.Set(static_cast<double>(bytes)); }
  // A stream's computation stood still for so long, waiting for its reader.
  void Backpressure(const std::string& rpc, absl::Duration time);
  // Images of `pixels` pixels together.
  void Rendered(uint64_t images, uint64_t pixels);

  DeviceMetrics& device() { return device_; }
  TrainingMetrics& training() { return training_; }

  // Text exposition format.
  std::string Text() const;

 private:
  template <typename Metric>
  using Family = prometheus::Family<Metric>;

  prometheus::Registry registry_;
  Family<prometheus::Gauge>& build_;
  prometheus::Gauge& ready_;
  prometheus::Gauge& draining_;
  prometheus::Histogram& probe_seconds_;
  prometheus::Counter& probe_failures_;
  RpcMetrics rpc_;
  DeviceMetrics device_;
  TrainingMetrics training_;
  prometheus::Counter& sessions_created_;
  Family<prometheus::Counter>& sessions_closed_;
  prometheus::Histogram& session_lifetime_;
  prometheus::Counter& forks_;
  prometheus::Counter& spills_;
  prometheus::Counter& restores_;
  prometheus::Gauge& spilled_bytes_;
  prometheus::Gauge& sessions_;
  prometheus::Gauge& envs_;
  prometheus::Gauge& pool_bytes_;
  prometheus::Gauge& pool_used_bytes_;
  Family<prometheus::Counter>& env_steps_;
  Family<prometheus::Counter>& imagined_steps_;
  prometheus::Counter& replayed_;
  Family<prometheus::Counter>& denoiser_calls_;
  prometheus::Counter& rows_failed_;
  prometheus::Counter& frames_rendered_;
  prometheus::Counter& pixels_rendered_;
  Family<prometheus::Gauge>& model_loaded_;
  Family<prometheus::Histogram>& model_load_;
  Family<prometheus::Counter>& model_failures_;
  Family<prometheus::Counter>& backpressure_;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_OBSERVE_METRICS_H_
