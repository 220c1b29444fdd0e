// Metrics of the device: what it did, what waited for it, and how well its costs are known.
#ifndef GWM_SERVER_OBSERVE_DEVICE_METRICS_H_
#define GWM_SERVER_OBSERVE_DEVICE_METRICS_H_

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace gwm::server {

// One quantum: one denoiser call, or one other work.
struct DeviceQuantum {
  std::string stage;       // "step", "reset", ...
  std::string work_class;  // "interactive", ...: of the work that it was formed for
  std::vector<absl::Duration> queue_waits;  // of each work that began in it
  int rows = 0;                             // that were computed together
  int padding_rows = 0;                     // computed for nobody
  absl::Duration stage_time;                // of the stage alone
  absl::Duration expected;                  // of stage_time; zero: it was not known
  absl::Duration busy;                      // everything in the quantum
  int out_of_memory = 0;                    // calls of the world that did not fit into memory
};

// Thread-safe. Series are kept once they were looked up, as in RpcMetrics.
class DeviceMetrics {
 public:
  explicit DeviceMetrics(prometheus::Registry& registry);

  void Quantum(const DeviceQuantum& quantum) ABSL_LOCKS_EXCLUDED(mutex_);
  // Works of a class that wait or run, and the device time that they will take.
  void SetBacklog(const std::string& work_class, int works, absl::Duration device_time);
  // The device is lost.
  void Lost() { errors_.Increment(); }

 private:
  template <typename Metric>
  using Family = prometheus::Family<Metric>;
  struct OfClass {
    prometheus::Histogram* wait = nullptr;
    prometheus::Counter* busy = nullptr;
  };
  struct OfStage {
    prometheus::Histogram* rows = nullptr;
    prometheus::Counter* padding = nullptr;
    prometheus::Histogram* cost_error = nullptr;
    std::map<int, prometheus::Histogram*> durations;  // by bucket
  };
  OfClass& Class(const std::string& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  OfStage& Stage(const std::string& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  prometheus::Histogram& Duration(const std::string& stage, int rows)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Family<prometheus::Gauge>& queue_length_;
  Family<prometheus::Gauge>& queue_seconds_;
  Family<prometheus::Histogram>& queue_wait_;
  Family<prometheus::Histogram>& rows_;
  Family<prometheus::Counter>& padding_;
  Family<prometheus::Histogram>& duration_;
  Family<prometheus::Histogram>& cost_error_;
  Family<prometheus::Counter>& busy_;
  prometheus::Counter& out_of_memory_;
  prometheus::Counter& errors_;
  absl::Mutex mutex_;
  std::map<std::string, OfClass> classes_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, OfStage> stages_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace gwm::server

#endif  // GWM_SERVER_OBSERVE_DEVICE_METRICS_H_
