#include "server/observe/device_metrics.h"

#include <algorithm>

#include "server/observe/families.h"

namespace gwm::server {
namespace {

using Bounds = prometheus::Histogram::BucketBoundaries;

const Bounds kCounts = {1, 2, 4, 8, 16, 32, 64, 128, 256};
// Measured time as a multiple of the expected.
const Bounds kRatios = {0.25, 0.5, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2, 4, 8};

// The power of two that holds so many rows: the label "bucket".
int BucketOf(int rows) {
  int bucket = 1;
  while (bucket < rows) bucket *= 2;
  return bucket;
}

}  // namespace

DeviceMetrics::DeviceMetrics(prometheus::Registry& registry)
    : queue_length_(
          Gauges(registry, "gwm_queue_length", "Works that wait for the device, or run on it.")),
      queue_seconds_(
          Gauges(registry, "gwm_queue_gpu_seconds", "Device time that these works will take.")),
      queue_wait_(Histograms(registry, "gwm_queue_wait_seconds", "From arrival to the device.")),
      rows_(Histograms(registry, "gwm_batch_rows", "Rows computed together.")),
      padding_(
          Counters(registry, "gwm_batch_padding_rows_total", "Rows computed to fill a batch.")),
      duration_(Histograms(registry, "gwm_stage_duration_seconds",
                           "Device time of a stage, by the rows that went together.")),
      cost_error_(Histograms(registry, "gwm_cost_model_error_ratio",
                             "Device time of a stage as a multiple of what was expected.")),
      busy_(Counters(registry, "gwm_gpu_busy_seconds_total", "Device time used.")),
      out_of_memory_(Counters(registry, "gwm_gpu_oom_total",
                              "Computations that did not fit into the device's memory.")
                         .Add({})),
      errors_(Counters(registry, "gwm_gpu_errors_total", "Errors that the device does not survive.")
                  .Add({})) {}

DeviceMetrics::OfClass& DeviceMetrics::Class(const std::string& name) {
  OfClass& series = classes_[name];
  if (series.wait == nullptr) {
    const std::map<std::string, std::string> labels = {{"class", name}};
    series.wait = &queue_wait_.Add(labels, kSecondsBounds);
    series.busy = &busy_.Add(labels);
  }
  return series;
}

DeviceMetrics::OfStage& DeviceMetrics::Stage(const std::string& name) {
  OfStage& series = stages_[name];
  if (series.rows == nullptr) {
    const std::map<std::string, std::string> labels = {{"stage", name}};
    series.rows = &rows_.Add(labels, kCounts);
    series.padding = &padding_.Add(labels);
    series.cost_error = &cost_error_.Add(labels, kRatios);
  }
  return series;
}

prometheus::Histogram& DeviceMetrics::Duration(const std::string& stage, int rows) {
  const int bucket = BucketOf(rows);
  prometheus::Histogram*& series = Stage(stage).durations[bucket];
  if (series == nullptr) {
    series = &duration_.Add({{"stage", stage}, {"bucket", std::to_string(bucket)}}, kSecondsBounds);
  }
  return *series;
}

void DeviceMetrics::Quantum(const DeviceQuantum& quantum) {
  absl::MutexLock lock(&mutex_);
  const OfClass& of_class = Class(quantum.work_class);
  for (absl::Duration wait : quantum.queue_waits) {
    of_class.wait->Observe(absl::ToDoubleSeconds(wait));
  }
  of_class.busy->Increment(absl::ToDoubleSeconds(quantum.busy));
  out_of_memory_.Increment(quantum.out_of_memory);
  if (quantum.rows == 0) return;
  const OfStage& of_stage = Stage(quantum.stage);
  of_stage.rows->Observe(quantum.rows);
  of_stage.padding->Increment(quantum.padding_rows);
  const double seconds = absl::ToDoubleSeconds(quantum.stage_time);
  Duration(quantum.stage, quantum.rows).Observe(seconds);
  if (quantum.expected > absl::ZeroDuration()) {
    of_stage.cost_error->Observe(seconds / absl::ToDoubleSeconds(quantum.expected));
  }
}

void DeviceMetrics::SetBacklog(const std::string& work_class, int works,
                               absl::Duration device_time) {
  queue_length_.Add({{"class", work_class}}).Set(works);
  queue_seconds_.Add({{"class", work_class}}).Set(absl::ToDoubleSeconds(device_time));
}

}  // namespace gwm::server
