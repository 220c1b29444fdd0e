// The reply stream of one Imagine. At most two chunks exist at a time: one on its way to the
// reader, and one that is in the making or waits behind it.
//
//   Start -> rollout makes a chunk (device thread) -> Send: write it, ask for the next one
//                          ... -> made while the last is on its way: it waits
//   written -> Send what waits, or whatever is made next ... -> last chunk written -> Finish
//
// A client that cancels or goes away is noticed at the next step of the rollout or at the next
// write; one that does not read, after Limits.slow_reader_timeout.
#ifndef GWM_SERVER_RPC_IMAGINE_STREAM_H_
#define GWM_SERVER_RPC_IMAGINE_STREAM_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "gwm/v1/simulator.pb.h"
#include "server/rpc/call_record.h"
#include "server/rpc/stream_watch.h"
#include "server/work/imagine_rollout.h"

namespace gwm::server {

// Thread-safe. Shared between gRPC and the rollout; lives on until both are through.
class ImagineStream final : public CallRecord,
                            private grpc::ServerWriteReactor<v1::ImagineChunk>,
                            public WatchedStream,
                            public std::enable_shared_from_this<ImagineStream> {
 public:
  // `open_streams` counts the streams; it and the request outlive the stream.
  static grpc::ServerWriteReactor<v1::ImagineChunk>* Start(const RpcDeps& deps,
                                                           grpc::CallbackServerContext& context,
                                                           const v1::ImagineRequest& request,
                                                           std::atomic<uint32_t>* open_streams);
  ~ImagineStream() override;

  // DeadlineExceeded / SLOW_READER once the chunk on its way is unread for slow_reader_timeout: the
  // rollout ends and its states go. After twice that time the connection's side of it is dropped
  // too.
  void CheckReader(absl::Time now) override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Chunk = absl::StatusOr<ImagineResult>;

  ImagineStream(const RpcDeps& deps, grpc::CallbackServerContext& context,
                const v1::ImagineRequest& request, std::atomic<uint32_t>* open_streams);

  absl::Status Begin(const v1::ImagineRequest& request);
  absl::Status Roll(RolloutStart start, const ImagineArgs& args) ABSL_LOCKS_EXCLUDED(mutex_);
  // From the rollout.
  void TakeChunk(Chunk chunk) ABSL_LOCKS_EXCLUDED(mutex_);
  void Count(const ImagineResult& chunk) const;
  // Requires that nothing is being written.
  void Send(Chunk chunk) ABSL_LOCKS_EXCLUDED(mutex_);
  void RequestChunk() ABSL_LOCKS_EXCLUDED(mutex_);
  // Takes out what waits behind the chunk that was written.
  std::optional<Chunk> TakeWaiting(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void End(const absl::Status& status);

  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnCancel() override { Cancel(); }
  void OnDone() override ABSL_LOCKS_EXCLUDED(mutex_);

  const RpcDeps& deps_;
  std::atomic<uint32_t>* const open_streams_;
  const bool has_room_;
  std::string model_id_;
  // Written by whoever sends; nobody does while it is on its way.
  v1::ImagineChunk chunk_;
  std::atomic<size_t> bytes_ = 0;

  absl::Mutex mutex_;
  std::shared_ptr<ImagineRollout> rollout_ ABSL_GUARDED_BY(mutex_);  // shared with its work
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool last_ ABSL_GUARDED_BY(mutex_) = false;  // chunk_ is the last one
  absl::Time writing_since_ ABSL_GUARDED_BY(mutex_);
  std::optional<Chunk> waiting_ ABSL_GUARDED_BY(mutex_);
  absl::Time waiting_since_ ABSL_GUARDED_BY(mutex_);
  bool over_ ABSL_GUARDED_BY(mutex_) = false;  // nothing is to be written any more
  bool done_ ABSL_GUARDED_BY(mutex_) = false;  // gRPC is through with the call

  std::shared_ptr<ImagineStream> self_;  // until gRPC is through with the call
};

}  // namespace gwm::server

#endif  // GWM_SERVER_RPC_IMAGINE_STREAM_H_
