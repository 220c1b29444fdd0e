#include "server/observe/metrics.h"

#include <prometheus/text_serializer.h>

#include <map>
#include <sstream>

namespace gwm::server {
namespace {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;
using Labels = std::map<std::string, std::string>;
using Bounds = prometheus::Histogram::BucketBoundaries;

const Bounds kSeconds = {0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.125,
                         0.25,   0.5,   1,     2,     4,     8,     15,    30};
const Bounds kLifetimeSeconds = {1, 10, 60, 300, 1800, 3600, 21600, 86400};
const Bounds kCounts = {1, 2, 4, 8, 16, 32, 64, 128, 256};

auto& Gauges(prometheus::Registry& registry, const char* name, const char* help) {
  return BuildGauge().Name(name).Help(help).Register(registry);
}
auto& Counters(prometheus::Registry& registry, const char* name, const char* help) {
  return BuildCounter().Name(name).Help(help).Register(registry);
}
auto& Histograms(prometheus::Registry& registry, const char* name, const char* help) {
  return BuildHistogram().Name(name).Help(help).Register(registry);
}

}  // namespace

Metrics::Metrics()
    : build_(Gauges(registry_, "gwm_build_info", "What runs; always 1.")),
      ready_(Gauges(registry_, "gwm_ready", "1 while calls are taken.").Add({})),
      draining_(Gauges(registry_, "gwm_draining", "1 while shutting down.").Add({})),
      rpc_(registry_),
      sessions_created_(
          Counters(registry_, "gwm_sessions_created_total", "Sessions made.").Add({})),
      sessions_closed_(Counters(registry_, "gwm_sessions_closed_total", "Sessions ended.")),
      session_lifetime_(Histograms(registry_, "gwm_session_lifetime_seconds", "Of ended sessions.")
                            .Add({}, kLifetimeSeconds)),
      forks_(Counters(registry_, "gwm_forks_total", "Environments made by Fork.").Add({})),
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
      queue_length_(
          Gauges(registry_, "gwm_queue_length", "Works that wait for the device.").Add({})),
      queue_wait_(Histograms(registry_, "gwm_queue_wait_seconds", "From arrival to the device.")
                      .Add({}, kSeconds)),
      batch_rows_(Histograms(registry_, "gwm_batch_rows", "Rows computed together.")
                      .Add({{"stage", "dynamics"}}, kCounts)),
      busy_seconds_(
          Counters(registry_, "gwm_gpu_busy_seconds_total", "Device time used.").Add({})) {}

void Metrics::SetBuild(const std::string& version, const WorldSpec& spec) {
  model_ = {{"model", spec.model_id}};
  build_.Add({{"version", version}, {"model", spec.model_id}, {"device", spec.device}}).Set(1);
  pool_bytes_.Set(static_cast<double>(spec.pool_states * spec.state_bytes));
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

void Metrics::EnvSteps(uint64_t steps, uint64_t failed, uint64_t denoiser_calls) {
  env_steps_.Add(model_).Increment(static_cast<double>(steps));
  denoiser_calls_.Add(model_).Increment(static_cast<double>(denoiser_calls));
  rows_failed_.Increment(static_cast<double>(failed));
}

void Metrics::ImaginedSteps(uint64_t steps, uint64_t failed, uint64_t denoiser_calls) {
  imagined_steps_.Add(model_).Increment(static_cast<double>(steps));
  denoiser_calls_.Add(model_).Increment(static_cast<double>(denoiser_calls));
  rows_failed_.Increment(static_cast<double>(failed));
}

void Metrics::Rendered(uint64_t images, uint64_t pixels) {
  frames_rendered_.Increment(static_cast<double>(images));
  pixels_rendered_.Increment(static_cast<double>(pixels));
}

void Metrics::DeviceBatch(const std::vector<absl::Duration>& queue_waits, int64_t rows,
                          absl::Duration busy) {
  for (absl::Duration wait : queue_waits) queue_wait_.Observe(absl::ToDoubleSeconds(wait));
  if (rows > 0) batch_rows_.Observe(static_cast<double>(rows));
  busy_seconds_.Increment(absl::ToDoubleSeconds(busy));
}

std::string Metrics::Text() const {
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, registry_.Collect());
  return text.str();
}

}  // namespace gwm::server
