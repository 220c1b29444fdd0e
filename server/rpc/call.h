// Unary RPCs: everything that they have in common happens here, so that a service's file says only
// what it does.
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
#include "server/rpc/call_record.h"

namespace gwm::server {

// Thread-safe. Request and reply live until Finish. Shared between gRPC and the work; lives on
// until both are through.
template <typename Reply>
class UnaryCall final : public CallRecord, private grpc::ServerUnaryReactor {
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

  Reply& reply() { return *reply_; }
  // Ends the call; a second end has no effect.
  void Finish(const absl::Status& status) {
    const size_t bytes = status.ok() && !ended() ? reply_->ByteSizeLong() : 0;
    if (auto wire = End(status, bytes)) ServerUnaryReactor::Finish(*wire);
  }
  // Ends the call with `result`, whose value goes through fill(value, reply) first.
  template <typename T, typename Fill>
  void FinishWith(absl::StatusOr<T> result, const Fill& fill) {
    if (!result.ok()) return Finish(result.status());
    fill(*std::move(result), *reply_);
    Finish(absl::OkStatus());
  }
  grpc::ServerUnaryReactor* reactor() { return this; }

 private:
  UnaryCall(const RpcDeps& deps, std::string rpc, grpc::CallbackServerContext& context,
            size_t request_bytes, Reply* reply)
      : CallRecord(deps, std::move(rpc), context, request_bytes, CallTime::kLimited),
        reply_(reply) {}

  void OnCancel() override { Cancel(); }
  void OnDone() override { self_.reset(); }

  Reply* const reply_;
  std::shared_ptr<UnaryCall> self_;  // until gRPC is through with the call
};

template <typename Request, typename Reply, typename Handler>
grpc::ServerUnaryReactor* Enqueue(const RpcDeps& deps, std::string rpc,
                                  grpc::CallbackServerContext* context, const Request& request,
                                  Reply* reply, Handler handler) {
  auto call = UnaryCall<Reply>::Start(deps, std::move(rpc), *context, request, reply);
  const absl::Status status =
      Guarded([&] { return call->admitted() ? handler(call) : DrainingError(); });
  if (!status.ok()) call->Finish(status);
  return call->reactor();
}

template <typename Request, typename Reply, typename Handler>
grpc::ServerUnaryReactor* RunNow(const RpcDeps& deps, std::string rpc,
                                 grpc::CallbackServerContext* context, const Request& request,
                                 Reply* reply, Handler handler) {
  auto call = UnaryCall<Reply>::Start(deps, std::move(rpc), *context, request, reply);
  call->Finish(
      Guarded([&] { return call->admitted() ? handler(call->reply()) : DrainingError(); }));
  return call->reactor();
}

}  // namespace gwm::server

#endif  // GWM_SERVER_RPC_CALL_H_
