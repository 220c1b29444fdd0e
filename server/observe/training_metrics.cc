#include "server/observe/training_metrics.h"

#include "server/observe/families.h"

namespace gwm::server {

TrainingMetrics::TrainingMetrics(prometheus::Registry& registry)
    : steps_(Counters(registry, "gwm_train_steps_total", "Updates of the weights.")),
      loss_(Gauges(registry, "gwm_train_loss", "Of the last update.")),
      samples_(Counters(registry, "gwm_train_samples_total", "Rows of micro-batches.")),
      bytes_(Gauges(registry, "gwm_checkpoint_bytes", "Of what training wrote last.")),
      duration_(Histograms(registry, "gwm_checkpoint_duration_seconds",
                           "Writing a trained checkpoint or a state of training.")),
      episodes_(Counters(registry, "gwm_train_episodes_total", "Episodes that were sent.")),
      damaged_(Counters(registry, "gwm_train_damaged_files_total",
                        "Files below the training root that were set aside.")
                   .Add({})),
      jobs_(Gauges(registry, "gwm_train_jobs", "Training jobs that have not ended.").Add({})) {}

void TrainingMetrics::MicroBatch(const std::string& part, uint32_t rows,
                                 std::optional<double> loss) {
  samples_.Add({{"part", part}}).Increment(rows);
  if (!loss.has_value()) return;
  steps_.Add({{"part", part}}).Increment();
  loss_.Add({{"part", part}}).Set(*loss);
}

void TrainingMetrics::Written(const std::string& kind, uint64_t bytes, absl::Duration time) {
  bytes_.Add({{"kind", kind}}).Set(static_cast<double>(bytes));
  duration_.Add({{"kind", kind}}, kSecondsBounds).Observe(absl::ToDoubleSeconds(time));
}

void TrainingMetrics::Episode(const std::string& outcome) {
  episodes_.Add({{"outcome", outcome}}).Increment();
}

}  // namespace gwm::server
