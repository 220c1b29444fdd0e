#include "server/observe/rpc_metrics.h"

#include "server/observe/families.h"

namespace gwm::server {
namespace {

using Labels = std::map<std::string, std::string>;
using Bounds = prometheus::Histogram::BucketBoundaries;

const Bounds kBytes = {64,     256,     1024,    4096,     16384,   65536,
                       262144, 1048576, 4194304, 16777216, 67108864};

const Bounds kSlackSeconds = {-10, -1, -0.1, -0.01, 0, 0.001, 0.01, 0.1, 1, 10, 100};

// The value of gwm_rejected_total's label for a reason; empty: the call was not rejected for lack
// of room.
std::string RejectionOf(const RpcOutcome& outcome) {
  static const Labels kRejections = {{"OVERLOADED", "overloaded"},
                                     {"QUOTA", "quota"},
                                     {"DEADLINE", "deadline"},
                                     {"GPU_MEMORY", "gpu_memory"},
                                     {"DRAINING", "draining"}};
  const auto found = kRejections.find(outcome.reason);
  return found == kRejections.end() ? "" : found->second;
}

}  // namespace

RpcMetrics::RpcMetrics(prometheus::Registry& registry)
    : started_(Counters(registry, "gwm_rpc_started_total", "Calls that arrived.")),
      handled_(Counters(registry, "gwm_rpc_handled_total", "Calls that were answered.")),
      duration_(Histograms(registry, "gwm_rpc_duration_seconds", "From arrival to answer.")),
      in_flight_(Gauges(registry, "gwm_rpc_in_flight", "Calls not answered yet.")),
      request_bytes_(Histograms(registry, "gwm_rpc_request_bytes", "Sizes of requests.")),
      response_bytes_(Histograms(registry, "gwm_rpc_response_bytes", "Sizes of replies.")),
      stages_(Counters(registry, "gwm_rpc_stage_seconds_total",
                       "Where the time of answered calls went.")),
      slack_(Histograms(registry, "gwm_deadline_slack_seconds",
                        "Time left until the deadline when a call of the device ended.")),
      rejected_(
          Counters(registry, "gwm_rejected_total", "Calls refused for lack of room or time.")),
      cancelled_(Counters(registry, "gwm_cancelled_total", "Calls that the client gave up.")) {}

RpcMetrics::OfRpc& RpcMetrics::Find(const std::string& rpc) {
  OfRpc& series = rpcs_[rpc];
  if (series.started == nullptr) {
    const Labels labels = {{"rpc", rpc}};
    series.started = &started_.Add(labels);
    series.in_flight = &in_flight_.Add(labels);
    series.request_bytes = &request_bytes_.Add(labels, kBytes);
    series.response_bytes = &response_bytes_.Add(labels, kBytes);
  }
  return series;
}

RpcMetrics::OfCode& RpcMetrics::Find(const std::string& rpc, const std::string& code) {
  OfCode& series = Find(rpc).codes[code];
  if (series.handled == nullptr) {
    const Labels labels = {{"rpc", rpc}, {"code", code}};
    series.handled = &handled_.Add(labels);
    series.duration = &duration_.Add(labels, kSecondsBounds);
  }
  return series;
}

void RpcMetrics::Started(const std::string& rpc, size_t request_bytes) {
  absl::MutexLock lock(&mutex_);
  const OfRpc& series = Find(rpc);
  series.started->Increment();
  series.in_flight->Increment();
  series.request_bytes->Observe(static_cast<double>(request_bytes));
}

void RpcMetrics::Ended(const RpcOutcome& outcome) {
  {
    absl::MutexLock lock(&mutex_);
    const OfRpc& of_rpc = Find(outcome.rpc);
    const OfCode& of_code = Find(outcome.rpc, outcome.code);
    of_code.handled->Increment();
    of_code.duration->Observe(absl::ToDoubleSeconds(outcome.duration));
    of_rpc.in_flight->Decrement();
    of_rpc.response_bytes->Observe(static_cast<double>(outcome.response_bytes));
    if (outcome.stages.has_value()) AddStages(outcome.rpc, *outcome.stages);
    if (outcome.slack.has_value()) AddSlack(outcome.work_class, *outcome.slack);
  }
  if (outcome.code != "OK") CountFailure(outcome);
}

void RpcMetrics::Stages(const std::string& rpc, const StageTimes& times) {
  absl::MutexLock lock(&mutex_);
  AddStages(rpc, times);
}

void RpcMetrics::AddStages(const std::string& rpc, const StageTimes& times) {
  OfRpc& series = Find(rpc);
  for (size_t i = 0; i < kLatencyStages; ++i) {
    prometheus::Counter*& counter = series.stages[i];
    if (counter == nullptr) {
      const char* stage = StageName(static_cast<LatencyStage>(i));
      counter = &stages_.Add({{"rpc", rpc}, {"stage", stage}});
    }
    counter->Increment(absl::ToDoubleSeconds(times[i]));
  }
}

void RpcMetrics::AddSlack(const std::string& work_class, absl::Duration slack) {
  prometheus::Histogram*& series = slacks_[work_class];
  if (series == nullptr) series = &slack_.Add({{"class", work_class}}, kSlackSeconds);
  series->Observe(absl::ToDoubleSeconds(slack));
}

void RpcMetrics::CountFailure(const RpcOutcome& outcome) {
  if (const std::string reason = RejectionOf(outcome); !reason.empty()) {
    rejected_.Add({{"rpc", outcome.rpc}, {"reason", reason}}).Increment();
  }
  if (outcome.code == "CANCELLED") {
    const char* phase = outcome.phase == "QUEUED" ? "queued" : "running";
    cancelled_.Add({{"rpc", outcome.rpc}, {"phase", phase}}).Increment();
  }
}

}  // namespace gwm::server
