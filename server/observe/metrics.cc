#include "server/observe/metrics.h"

#include <prometheus/text_serializer.h>

#include <map>
#include <sstream>

#include "server/observe/families.h"

namespace gwm::server {
namespace {

using Labels = std::map<std::string, std::string>;
using Bounds = prometheus::Histogram::BucketBoundaries;

const Bounds kLifetimeSeconds = {1, 10, 60, 300, 1800, 3600, 21600, 86400};
const Bounds kLoadSeconds = {0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300};

}  // namespace

Metrics::Metrics()
    : build_(Gauges(registry_, "gwm_build_info", "What runs; always 1.")),
      ready_(Gauges(registry_, "gwm_ready", "1 while calls are taken.").Add({})),
      draining_(Gauges(registry_, "gwm_draining", "1 while shutting down.").Add({})),
      probe_seconds_(Histograms(registry_, "gwm_health_probe_seconds",
                                "Denoiser calls that the server made to see whether it can.")
                         .Add({}, kSecondsBounds)),
      probe_failures_(
          Counters(registry_, "gwm_health_probe_failures_total", "Those that failed.").Add({})),
      rpc_(registry_),
      device_(registry_),
      training_(registry_),
      sessions_created_(
          Counters(registry_, "gwm_sessions_created_total", "Sessions made.").Add({})),
      sessions_closed_(Counters(registry_, "gwm_sessions_closed_total", "Sessions ended.")),
      session_lifetime_(Histograms(registry_, "gwm_session_lifetime_seconds", "Of ended sessions.")
                            .Add({}, kLifetimeSeconds)),
      forks_(Counters(registry_, "gwm_forks_total", "Environments made by Fork.").Add({})),
      spills_(Counters(registry_, "gwm_state_spills_total",
                       "Sessions whose states went to host memory.")
                  .Add({})),
      restores_(Counters(registry_, "gwm_state_restores_total",
                         "Sessions whose states came back from there.")
                    .Add({})),
      spilled_bytes_(
          Gauges(registry_, "gwm_state_spilled_bytes", "Host memory of spilled states.").Add({})),
      sessions_(Gauges(registry_, "gwm_sessions", "Sessions open.").Add({})),
      envs_(Gauges(registry_, "gwm_envs", "Environments of open sessions.").Add({})),
      pool_bytes_(Gauges(registry_, "gwm_state_pool_bytes", "Memory for states.").Add({})),
      pool_used_bytes_(
          Gauges(registry_, "gwm_state_pool_used_bytes", "Memory set aside for sessions.").Add({})),
      env_steps_(Counters(registry_, "gwm_env_steps_total", "Environment steps.")),
      imagined_steps_(
          Counters(registry_, "gwm_imagined_steps_total", "Steps of imagined branches.")),
      replayed_(Counters(registry_, "gwm_replayed_steps_total",
                         "Repeated Steps and Resets answered from memory.")
                    .Add({})),
      denoiser_calls_(
          Counters(registry_, "gwm_denoiser_calls_total", "Denoiser calls, one per row.")),
      rows_failed_(Counters(registry_, "gwm_row_failures_total", "Rows without a usable result.")
                       .Add({{"kind", "non_finite"}})),
      frames_rendered_(Counters(registry_, "gwm_frames_rendered_total", "Images sent.").Add({})),
      pixels_rendered_(
          Counters(registry_, "gwm_rendered_pixels_total", "Pixels of images sent.").Add({})),
      model_loaded_(
          Gauges(registry_, "gwm_model_loaded", "Versions of the model that are served.")),
      model_load_(Histograms(registry_, "gwm_model_load_duration_seconds",
                             "Opening a checkpoint and warming it up.")),
      model_failures_(
          Counters(registry_, "gwm_model_load_failures_total", "Checkpoints not loaded.")),
      backpressure_(Counters(registry_, "gwm_stream_backpressure_seconds_total",
                             "Time that streams stood still, waiting for their readers.")) {}

void Metrics::SetBuild(const std::string& version, const WorldSpec& spec) {
  build_.Add({{"version", version}, {"model", spec.model_id}, {"device", spec.device}}).Set(1);
}

void Metrics::HealthProbed(absl::Duration time, bool ok) {
  probe_seconds_.Observe(absl::ToDoubleSeconds(time));
  if (!ok) probe_failures_.Increment();
}

void Metrics::SessionOpened() { sessions_created_.Increment(); }

void Metrics::SessionClosed(const std::string& reason, absl::Duration lifetime) {
  sessions_closed_.Add({{"reason", reason}}).Increment();
  session_lifetime_.Observe(absl::ToDoubleSeconds(lifetime));
}

void Metrics::SetOpen(uint32_t sessions, uint64_t envs, uint64_t state_bytes) {
  sessions_.Set(sessions);
  envs_.Set(static_cast<double>(envs));
  pool_used_bytes_.Set(static_cast<double>(state_bytes));
}

void Metrics::EnvSteps(const std::string& model, uint64_t steps, uint64_t failed,
                       uint64_t denoiser_calls) {
  env_steps_.Add({{"model", model}}).Increment(static_cast<double>(steps));
  denoiser_calls_.Add({{"model", model}}).Increment(static_cast<double>(denoiser_calls));
  rows_failed_.Increment(static_cast<double>(failed));
}

void Metrics::ImaginedSteps(const std::string& model, uint64_t steps, uint64_t failed,
                            uint64_t denoiser_calls) {
  imagined_steps_.Add({{"model", model}}).Increment(static_cast<double>(steps));
  denoiser_calls_.Add({{"model", model}}).Increment(static_cast<double>(denoiser_calls));
  rows_failed_.Increment(static_cast<double>(failed));
}

void Metrics::Backpressure(const std::string& rpc, absl::Duration time) {
  backpressure_.Add({{"rpc", rpc}}).Increment(absl::ToDoubleSeconds(time));
}

void Metrics::Rendered(uint64_t images, uint64_t pixels) {
  frames_rendered_.Increment(static_cast<double>(images));
  pixels_rendered_.Increment(static_cast<double>(pixels));
}

void Metrics::ModelLoaded(const std::string& model, absl::Duration time) {
  model_load_.Add({{"model", model}}, kLoadSeconds).Observe(absl::ToDoubleSeconds(time));
}

void Metrics::ModelLoadFailed(const std::string& code) {
  model_failures_.Add({{"code", code}}).Increment();
}

void Metrics::SetModelVersions(const std::string& model, size_t versions) {
  model_loaded_.Add({{"model", model}}).Set(static_cast<double>(versions));
}

std::string Metrics::Text() const {
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, registry_.Collect());
  return text.str();
}

}  // namespace gwm::server
