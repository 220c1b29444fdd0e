// The request stream of one Trainer.AppendData: an episode is read, checked, written to disk on a
// thread of its own, and only then the next one is read.
#ifndef GWM_SERVER_RPC_APPEND_STREAM_H_
#define GWM_SERVER_RPC_APPEND_STREAM_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "gwm/v1/trainer.pb.h"
#include "server/models/serial_thread.h"
#include "server/rpc/call_record.h"

namespace gwm::server {

// Thread-safe. Lives on until gRPC and the writer are through with it.
class AppendStream final : public CallRecord,
                           private grpc::ServerReadReactor<v1::AppendDataRequest>,
                           public std::enable_shared_from_this<AppendStream> {
 public:
  // `reply` lives as long as the call; `writer` outlives it.
  static grpc::ServerReadReactor<v1::AppendDataRequest>* Start(const RpcDeps& deps,
                                                               grpc::CallbackServerContext& context,
                                                               v1::AppendDataReply* reply,
                                                               SerialThread* writer);

 private:
  AppendStream(const RpcDeps& deps, grpc::CallbackServerContext& context,
               v1::AppendDataReply* reply, SerialThread* writer);

  absl::Status Open();
  void StartReading();
  // Writer's thread.
  void Take();
  absl::Status Store();
  absl::Status FillReply();
  void End(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);

  void OnReadDone(bool ok) override;
  void OnCancel() override { Cancel(); }
  void OnDone() override;

  const RpcDeps& deps_;
  v1::AppendDataReply& reply_;
  SerialThread& writer_;
  v1::AppendDataRequest request_;  // of whoever reads or stores
  std::string dataset_;
  uint64_t gate_watch_ = 0;
  absl::Mutex mutex_;
  bool storing_ ABSL_GUARDED_BY(mutex_) = false;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<AppendStream> self_;  // until gRPC is through with the call
};

}  // namespace gwm::server

#endif  // GWM_SERVER_RPC_APPEND_STREAM_H_
