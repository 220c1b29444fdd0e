// The reply stream of one Imagine: one chunk in the making or on its way at a time.
//
//   Start -> rollout makes a chunk (device thread) -> Write -> written -> next chunk ... -> last
//   chunk written -> Finish
//
// A client that cancels or goes away is noticed at the next step of the rollout or at the next
// write.
#ifndef GWM_SERVER_RPC_IMAGINE_STREAM_H_
#define GWM_SERVER_RPC_IMAGINE_STREAM_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <memory>

#include "gwm/v1/simulator.pb.h"
#include "server/rpc/call_record.h"
#include "server/work/imagine_rollout.h"

namespace gwm::server {

// Thread-safe. Shared between gRPC and the rollout; lives on until both are through.
class ImagineStream final : public CallRecord,
                            private grpc::ServerWriteReactor<v1::ImagineChunk>,
                            public std::enable_shared_from_this<ImagineStream> {
 public:
  // `open_streams` counts the streams; it and the request outlive the stream.
  static grpc::ServerWriteReactor<v1::ImagineChunk>* Start(const RpcDeps& deps,
                                                           grpc::CallbackServerContext& context,
                                                           const v1::ImagineRequest& request,
                                                           std::atomic<uint32_t>* open_streams);
  ~ImagineStream() override;

 private:
  ImagineStream(const RpcDeps& deps, grpc::CallbackServerContext& context,
                const v1::ImagineRequest& request, std::atomic<uint32_t>* open_streams);

  absl::Status Begin(const v1::ImagineRequest& request);
  absl::Status BeginAtState(const v1::ImagineRequest& request);
  absl::Status Roll(RolloutStart start, const ImagineArgs& args);
  void TakeChunk(absl::StatusOr<ImagineResult> chunk);
  void End(const absl::Status& status);

  void OnWriteDone(bool ok) override;
  void OnCancel() override { Cancel(); }
  void OnDone() override;

  const RpcDeps& deps_;
  std::atomic<uint32_t>* const open_streams_;
  const bool has_room_;
  std::shared_ptr<ImagineRollout> rollout_;  // shared with its work in the queue
  v1::ImagineChunk chunk_;                   // on its way
  bool last_ = false;
  size_t bytes_ = 0;
  std::shared_ptr<ImagineStream> self_;  // until gRPC is through with the call
};

}  // namespace gwm::server

#endif  // GWM_SERVER_RPC_IMAGINE_STREAM_H_
