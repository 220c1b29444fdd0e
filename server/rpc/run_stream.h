// The two directions of one Simulator.Run.
//
//   read a request -> its verb starts -> ... -> answered (device thread) -> written
//
// At most `window` requests are between "read" and "written". Requests are read one after the
// other, so their works enter the queue in the order of the stream; answers are written in the
// order in which they come. The stream ends when nothing is in between any more and no request can
// follow: the client sent its last one, the call broke, or the server's gate closed.
#ifndef GWM_SERVER_RPC_RUN_STREAM_H_
#define GWM_SERVER_RPC_RUN_STREAM_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <deque>
#include <memory>
#include <set>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "gwm/v1/run.pb.h"
#include "server/rpc/call_record.h"

namespace gwm::server {

// One request and its answer.
struct RunTurn {
  v1::RunRequest request;
  v1::RunResponse response;
  std::weak_ptr<CallHandle> call;
};

// Thread-safe. Shared between gRPC and the calls of its requests; lives on until all are through.
class RunStream final : public CallRecord,
                        private grpc::ServerBidiReactor<v1::RunRequest, v1::RunResponse>,
                        public std::enable_shared_from_this<RunStream> {
 public:
  // `open_streams` counts the streams; it outlives them.
  static grpc::ServerBidiReactor<v1::RunRequest, v1::RunResponse>* Start(
      const RpcDeps& deps, grpc::CallbackServerContext& context,
      std::atomic<uint32_t>* open_streams);
  ~RunStream() override;

  // The answer of a request that was read; once for each.
  void Answer(const std::shared_ptr<RunTurn>& turn) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  RunStream(const RpcDeps& deps, grpc::CallbackServerContext& context,
            std::atomic<uint32_t>* open_streams);

  void Open() ABSL_LOCKS_EXCLUDED(mutex_);
  // Hands the request to its verb.
  void Dispatch(const std::shared_ptr<RunTurn>& turn) ABSL_LOCKS_EXCLUDED(mutex_);
  template <typename Request, typename Reply, typename Verb>
  void Take(const char* rpc, const std::shared_ptr<RunTurn>& turn, const Request& request,
            Reply* reply, Verb verb) ABSL_LOCKS_EXCLUDED(mutex_);
  void Drain() ABSL_LOCKS_EXCLUDED(mutex_);
  // Nobody can be answered any more.
  void Break() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ReadNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FinishIfDone() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  void OnReadDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnCancel() override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnDone() override;

  const RpcDeps& deps_;
  std::atomic<uint32_t>* const open_streams_;
  const bool has_room_;
  uint64_t gate_watch_ = 0;
  std::shared_ptr<RunStream> self_;  // until gRPC is through with the call

  absl::Mutex mutex_;
  std::set<std::shared_ptr<RunTurn>> turns_ ABSL_GUARDED_BY(mutex_);  // read and not yet written
  std::deque<std::shared_ptr<RunTurn>> answers_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<RunTurn> reading_ ABSL_GUARDED_BY(mutex_);  // null: no read is under way
  bool dispatching_ ABSL_GUARDED_BY(mutex_) = false;          // the next one must not overtake it
  std::shared_ptr<RunTurn> writing_ ABSL_GUARDED_BY(mutex_);  // null: no write is under way
  bool read_all_ ABSL_GUARDED_BY(mutex_) = false;             // the client sends no more
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_RPC_RUN_STREAM_H_
