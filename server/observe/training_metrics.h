// Metrics of training, by part of the model.
#ifndef GWM_SERVER_OBSERVE_TRAINING_METRICS_H_
#define GWM_SERVER_OBSERVE_TRAINING_METRICS_H_

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"

namespace gwm::server {

// Thread-safe. Labels never name a job.
class TrainingMetrics {
 public:
  explicit TrainingMetrics(prometheus::Registry& registry);

  // loss: of an update that was completed by it.
  void MicroBatch(const std::string& part, uint32_t rows, std::optional<double> loss);
  // kind: "publish", "save", "state".
  void Written(const std::string& kind, uint64_t bytes, absl::Duration time);
  // outcome: "appended", "duplicate", "refused".
  void Episode(const std::string& outcome);
  void DamagedFile() { damaged_.Increment(); }
  // Jobs that have not ended.
  void SetJobs(size_t jobs) { jobs_.Set(static_cast<double>(jobs)); }

 private:
  template <typename Metric>
  using Family = prometheus::Family<Metric>;

  Family<prometheus::Counter>& steps_;
  Family<prometheus::Gauge>& loss_;
  Family<prometheus::Counter>& samples_;
  Family<prometheus::Gauge>& bytes_;
  Family<prometheus::Histogram>& duration_;
  Family<prometheus::Counter>& episodes_;
  prometheus::Counter& damaged_;
  prometheus::Gauge& jobs_;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_OBSERVE_TRAINING_METRICS_H_
