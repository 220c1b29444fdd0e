// The reply stream of one Trainer.WatchJob.
#ifndef GWM_SERVER_RPC_WATCH_JOB_STREAM_H_
#define GWM_SERVER_RPC_WATCH_JOB_STREAM_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "gwm/v1/trainer.pb.h"
#include "server/rpc/call_record.h"
#include "server/rpc/stream_watch.h"

namespace gwm::server {

// Thread-safe.
class WatchJobStream final : public CallRecord,
                             private grpc::ServerWriteReactor<v1::TrainingJob>,
                             public WatchedStream,
                             public std::enable_shared_from_this<WatchJobStream> {
 public:
  // `watch` calls CheckReader regularly, which is what makes the stream go on.
  static grpc::ServerWriteReactor<v1::TrainingJob>* Start(const RpcDeps& deps,
                                                          grpc::CallbackServerContext& context,
                                                          const v1::WatchJobRequest& request,
                                                          StreamWatch* watch);

  // Sends the job if it has changed and its interval has passed; DeadlineExceeded / SLOW_READER
  // when a message is unread for slow_reader_timeout.
  void CheckReader(absl::Time now) override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  WatchJobStream(const RpcDeps& deps, grpc::CallbackServerContext& context,
                 const v1::WatchJobRequest& request);

  absl::Status Open(const v1::WatchJobRequest& request);
  // The status to end with, or OK.
  absl::Status SendIfChanged(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void End(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);

  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnCancel() override;
  void OnDone() override;

  const RpcDeps& deps_;
  const std::string job_id_;
  absl::Duration interval_;
  uint64_t gate_watch_ = 0;
  absl::Mutex mutex_;
  v1::TrainingJob message_ ABSL_GUARDED_BY(mutex_);  // while it is written, nobody's
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t sent_version_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Time sent_at_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool last_ ABSL_GUARDED_BY(mutex_) = false;  // what was sent is the job's last state
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<WatchJobStream> self_;  // until gRPC is through with the call
};

}  // namespace gwm::server

#endif  // GWM_SERVER_RPC_WATCH_JOB_STREAM_H_
