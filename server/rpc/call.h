// Calls with one request and one reply, unary RPCs and those inside a stream: everything that they
// have in common happens here, so that a verb's file says only what it does.
//
//   return RunNow(deps_, "Server.GetLimits", context, *request, reply, [&](auto& reply) { ...;
//   return absl::OkStatus(); });
//
//   return Enqueue(deps_, "Simulator.Step", context, *request, reply, [&](auto call) {
//     ...                         // an error that is returned ends the call
//     device.Submit(work);        // whose answer calls call->Finish*(...), on the device thread
//     return absl::OkStatus();
//   });
#ifndef GWM_SERVER_RPC_CALL_H_
#define GWM_SERVER_RPC_CALL_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "server/convert/call_context.h"
#include "server/convert/latency.h"
#include "server/rpc/call_record.h"

namespace gwm::server {

// Thread-safe. Request and reply live until Finish.
template <typename Reply>
class Call : public CallRecord {
 public:
  using CallRecord::CallRecord;

  virtual Reply& reply() = 0;
  // Ends the call; a second end has no effect.
  void Finish(const absl::Status& status) {
    size_t bytes = 0;
    if (status.ok() && !ended()) {
      const CallLatency latency = CloseLatency();
      if constexpr (requires { reply().mutable_timing(); }) {
        FillLatency(latency, *reply().mutable_timing());
      }
      bytes = reply().ByteSizeLong();
    }
    if (auto wire = End(status, bytes)) Send(*wire);
  }
  // Ends the call with `result`, whose value goes through fill(value, reply) first.
  template <typename T, typename Fill>
  void FinishWith(absl::StatusOr<T> result, const Fill& fill) {
    if (!result.ok()) return Finish(result.status());
    {
      // What it holds is let go of before the answer.
      T value = *std::move(result);
      fill(std::move(value), reply());
    }
    Finish(absl::OkStatus());
  }

 private:
  // The reply, or the error that took its place, can go to the client.
  virtual void Send(const grpc::Status& wire) = 0;
};

// Runs the handler of a verb, handler(call), unless the server is shutting down.
template <typename Reply, typename Handler>
void Begin(const std::shared_ptr<Call<Reply>>& call, const Handler& handler) {
  const absl::Status status =
      Guarded([&] { return call->admitted() ? handler(call) : DrainingError(); });
  if (!status.ok()) call->Finish(status);
}

// Shared between gRPC and the work; lives on until both are through.
template <typename Reply>
class UnaryCall final : public Call<Reply>, private grpc::ServerUnaryReactor {
 public:
  template <typename Request>
  static std::shared_ptr<UnaryCall> Start(const RpcDeps& deps, std::string rpc,
                                          grpc::CallbackServerContext& context,
                                          const Request& request, Reply* reply) {
    std::shared_ptr<UnaryCall> call(
        new UnaryCall(deps, std::move(rpc), context, request.ByteSizeLong(), reply));
    call->self_ = call;
    return call;
  }

  Reply& reply() override { return *reply_; }
  grpc::ServerUnaryReactor* reactor() { return this; }

 private:
  UnaryCall(const RpcDeps& deps, std::string rpc, grpc::CallbackServerContext& context,
            size_t request_bytes, Reply* reply)
      : Call<Reply>(deps, std::move(rpc), context, request_bytes, CallTime::kLimited),
        reply_(reply) {}

  void Send(const grpc::Status& wire) override { ServerUnaryReactor::Finish(wire); }
  void OnCancel() override { this->Cancel(); }
  void OnDone() override { self_.reset(); }

  Reply* const reply_;
  std::shared_ptr<UnaryCall> self_;  // until gRPC is through with the call
};

template <typename Request, typename Reply, typename Handler>
grpc::ServerUnaryReactor* Enqueue(const RpcDeps& deps, std::string rpc,
                                  grpc::CallbackServerContext* context, const Request& request,
                                  Reply* reply, const Handler& handler) {
  auto call = UnaryCall<Reply>::Start(deps, std::move(rpc), *context, request, reply);
  Begin<Reply>(call, [&](const std::shared_ptr<Call<Reply>>& begun) {
    const absl::Status origin = ApplyContextOf(request, deps.limits, *begun);
    return origin.ok() ? handler(begun) : origin;
  });
  return call->reactor();
}

template <typename Request, typename Reply, typename Handler>
grpc::ServerUnaryReactor* RunNow(const RpcDeps& deps, std::string rpc,
                                 grpc::CallbackServerContext* context, const Request& request,
                                 Reply* reply, const Handler& handler) {
  return Enqueue(deps, std::move(rpc), context, request, reply, [&](const auto& call) {
    const absl::Status status = handler(call->reply());
    if (status.ok()) call->Finish(status);
    return status;
  });
}

}  // namespace gwm::server

#endif  // GWM_SERVER_RPC_CALL_H_
