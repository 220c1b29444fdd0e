// The bookkeeping of one RPC of any kind: deadline, metrics, log, status.
#ifndef GWM_SERVER_RPC_CALL_RECORD_H_
#define GWM_SERVER_RPC_CALL_RECORD_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <exception>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/rpc/deps.h"
#include "server/schedule/call_handle.h"

namespace gwm::server {

enum class CallTime { kLimited, kUnlimited };  // whether Limits.max_call_time applies

// Thread-safe.
class CallRecord : public CallHandle {
 public:
  // `context` outlives the call's end.
  CallRecord(const RpcDeps& deps, std::string rpc, grpc::CallbackServerContext& context,
             size_t request_bytes, CallTime time);
  // A call that came through a stream: it ends with the stream, if not before.
  CallRecord(const RpcDeps& deps, std::string rpc, const CallRecord& stream, size_t request_bytes);

  // False: the server is shutting down, and the call is to be refused with DrainingError().
  bool admitted() const { return admitted_; }
  // The status to finish the call with, counted and logged; absent when the call has ended already.
  std::optional<grpc::Status> End(const absl::Status& status, size_t response_bytes);

  bool ended() const { return ended_; }
  // The answer is there: where its time went. Once, before End, by the thread that answers.
  CallLatency CloseLatency();

 protected:
  const std::string& rpc() const { return rpc_; }
  // Drops the connection's side of the call without waiting for the client. While gRPC still knows
  // the call.
  void CancelWire() {
    if (context_ != nullptr) context_->TryCancel();
  }

 private:
  // How far from its deadline a call of the device ended that was answered, or missed it.
  std::optional<absl::Duration> Slack(const absl::Status& status, absl::Time now);

  const RpcDeps& deps_;
  const std::string rpc_;
  grpc::CallbackServerContext* const context_;  // null: the call has no trailers of its own
  const absl::Time started_at_;
  const bool admitted_;
  std::atomic<bool> ended_ = false;
  std::optional<StageTimes> stages_;  // since CloseLatency
};

// Runs a handler so that no exception crosses into gRPC.
template <typename Handler>
absl::Status Guarded(Handler&& handler) {
  try {
    return handler();
  } catch (const std::exception& error) {
    return absl::InternalError(error.what());
  } catch (...) {
    return absl::InternalError("an exception of unknown type");
  }
}

}  // namespace gwm::server

#endif  // GWM_SERVER_RPC_CALL_RECORD_H_
