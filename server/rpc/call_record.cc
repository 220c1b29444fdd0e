#include "server/rpc/call_record.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/base/grpc_status.h"

namespace gwm::server {
namespace {

absl::Time DeadlineOf(const RpcDeps& deps, const grpc::CallbackServerContext& context,
                      CallTime time) {
  const absl::Time asked = absl::FromChrono(context.deadline());
  if (time == CallTime::kUnlimited) return asked;
  return std::min(asked, deps.clock->Now() + deps.limits.max_call_time);
}

WorkClass ClassOf(const std::string& rpc) {
  if (absl::StartsWith(rpc, "Perception.")) return WorkClass::kPerception;
  const bool imagines = rpc == "Simulator.Imagine" || rpc == "Simulator.Plan";
  return imagines ? WorkClass::kImagine : WorkClass::kInteractive;
}

}  // namespace

CallRecord::CallRecord(const RpcDeps& deps, std::string rpc, grpc::CallbackServerContext& context,
                       size_t request_bytes, CallTime time)
    : CallHandle(DeadlineOf(deps, context, time), ClassOf(rpc), context.peer()),
      deps_(deps),
      rpc_(std::move(rpc)),
      context_(&context),
      started_at_(deps.clock->Now()),
      admitted_(deps.gate->Enter()) {
  latency().Start(started_at_);
  deps_.metrics->RpcStarted(rpc_, request_bytes);
}

CallRecord::CallRecord(const RpcDeps& deps, std::string rpc, const CallRecord& stream,
                       size_t request_bytes)
    : CallHandle(std::min(stream.deadline(), deps.clock->Now() + deps.limits.max_call_time)),
      deps_(deps),
      rpc_(std::move(rpc)),
      context_(nullptr),
      started_at_(deps.clock->Now()),
      admitted_(deps.gate->Enter()) {
  latency().Start(started_at_);
  deps_.metrics->RpcStarted(rpc_, request_bytes);
}

CallLatency CallRecord::CloseLatency() {
  const CallLatency closed = latency().Close(deps_.clock->Now());
  stages_ = closed.stages;
  return closed;
}

std::optional<absl::Duration> CallRecord::Slack(const absl::Status& status, absl::Time now) {
  const bool counts = status.ok() || ReasonOf(status) == kDeadline;
  if (!counts || !latency().enqueued() || deadline() == absl::InfiniteFuture()) return std::nullopt;
  return deadline() - now;
}

std::optional<grpc::Status> CallRecord::End(const absl::Status& status, size_t response_bytes) {
  if (ended_.exchange(true)) return std::nullopt;
  grpc::Status wire = ToGrpcStatus(status);
  const absl::Time now = deps_.clock->Now();
  deps_.metrics->RpcEnded({.rpc = rpc_,
                           .code = CodeName(wire.error_code()),
                           .reason = ReasonOf(status),
                           .phase = DetailsOf(status).phase,
                           .duration = now - started_at_,
                           .response_bytes = response_bytes,
                           .stages = stages_,
                           .work_class = std::string(ClassName(work_class())),
                           .slack = Slack(status, now)});
  if (wire.error_code() == grpc::StatusCode::INTERNAL) {
    deps_.log->Error(absl::StrCat(rpc_, ": ", status.ToString()));
  } else if (!status.ok()) {
    deps_.log->Debug(absl::StrCat(rpc_, ": ", status.ToString()));
  }
  // For clients that leave retries to their gRPC library.
  if (const auto wait = DetailsOf(status).retry_after; wait.has_value() && context_ != nullptr) {
    context_->AddTrailingMetadata("grpc-retry-pushback-ms",
                                  absl::StrCat(absl::ToInt64Milliseconds(*wait)));
  }
  deps_.gate->Leave();
  return wire;
}

}  // namespace gwm::server
