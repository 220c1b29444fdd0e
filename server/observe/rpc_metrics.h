// Metrics of calls. Series are looked up by the name of the RPC once and then kept: to ask the
// library for one makes a histogram each time, which costs more than the call's own work.
#ifndef GWM_SERVER_OBSERVE_RPC_METRICS_H_
#define GWM_SERVER_OBSERVE_RPC_METRICS_H_

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <array>
#include <map>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/base/latency.h"

namespace gwm::server {

struct RpcOutcome {
  std::string rpc;     // "Simulator.Step"
  std::string code;    // "OK", "INVALID_ARGUMENT", ...
  std::string reason;  // empty for OK
  std::string phase;   // QUEUED or RUNNING, of what was cancelled
  absl::Duration duration;
  size_t response_bytes = 0;
  std::optional<StageTimes> stages;  // of an answered call, unless Stages was told
  std::string work_class;            // "interactive", ...
  // Time left until the deadline, below zero when it was missed; absent for calls without a
  // deadline, that never went to the device, or that ended for another reason.
  std::optional<absl::Duration> slack;
};

// Thread-safe.
class RpcMetrics {
 public:
  explicit RpcMetrics(prometheus::Registry& registry);

  void Started(const std::string& rpc, size_t request_bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  void Ended(const RpcOutcome& outcome) ABSL_LOCKS_EXCLUDED(mutex_);
  // Of a part of a stream's answer.
  void Stages(const std::string& rpc, const StageTimes& times) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  template <typename Metric>
  using Family = prometheus::Family<Metric>;
  struct OfCode {
    prometheus::Counter* handled = nullptr;
    prometheus::Histogram* duration = nullptr;
  };
  struct OfRpc {
    prometheus::Counter* started = nullptr;
    prometheus::Gauge* in_flight = nullptr;
    prometheus::Histogram* request_bytes = nullptr;
    prometheus::Histogram* response_bytes = nullptr;
    std::map<std::string, OfCode> codes;
    std::array<prometheus::Counter*, kLatencyStages> stages = {};
  };
  OfRpc& Find(const std::string& rpc) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  OfCode& Find(const std::string& rpc, const std::string& code)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AddStages(const std::string& rpc, const StageTimes& times)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AddSlack(const std::string& work_class, absl::Duration slack)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Calls refused for lack of room or time, and those that the client gave up.
  void CountFailure(const RpcOutcome& outcome);

  Family<prometheus::Counter>& started_;
  Family<prometheus::Counter>& handled_;
  Family<prometheus::Histogram>& duration_;
  Family<prometheus::Gauge>& in_flight_;
  Family<prometheus::Histogram>& request_bytes_;
  Family<prometheus::Histogram>& response_bytes_;
  Family<prometheus::Counter>& stages_;
  Family<prometheus::Histogram>& slack_;
  Family<prometheus::Counter>& rejected_;
  Family<prometheus::Counter>& cancelled_;
  absl::Mutex mutex_;
  std::map<std::string, OfRpc> rpcs_ ABSL_GUARDED_BY(mutex_);  // entries never move
  std::map<std::string, prometheus::Histogram*> slacks_ ABSL_GUARDED_BY(mutex_);  // by class
};

}  // namespace gwm::server

#endif  // GWM_SERVER_OBSERVE_RPC_METRICS_H_
