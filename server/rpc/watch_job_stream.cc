#include "server/rpc/watch_job_stream.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/error.h"
#include "server/base/status.h"
#include "server/convert/training_message.h"
#include "server/rpc/need_training.h"

namespace gwm::server {

grpc::ServerWriteReactor<v1::TrainingJob>* WatchJobStream::Start(
    const RpcDeps& deps, grpc::CallbackServerContext& context, const v1::WatchJobRequest& request,
    StreamWatch* watch) {
  std::shared_ptr<WatchJobStream> stream(new WatchJobStream(deps, context, request));
  stream->self_ = stream;
  const absl::Status open = Guarded([&] { return stream->Open(request); });
  if (!open.ok()) {
    stream->End(open);
    return stream.get();
  }
  watch->Add(stream);
  stream->CheckReader(deps.clock->Now());
  return stream.get();
}

WatchJobStream::WatchJobStream(const RpcDeps& deps, grpc::CallbackServerContext& context,
                               const v1::WatchJobRequest& request)
    : CallRecord(deps, "Trainer.WatchJob", context, request.ByteSizeLong(), CallTime::kUnlimited),
      deps_(deps),
      job_id_(request.job_id()) {}

absl::Status WatchJobStream::Open(const v1::WatchJobRequest& request) {
  if (!admitted()) return DrainingError();
  RETURN_IF_ERROR(NeedTraining(deps_));
  ASSIGN_OR_RETURN(interval_, ParseInterval(request));
  RETURN_IF_ERROR(deps_.training->Get(job_id_).status());
  gate_watch_ = deps_.gate->OnClose([weak = weak_from_this()] {
    if (const auto stream = weak.lock(); stream != nullptr) stream->End(DrainingError());
  });
  return absl::OkStatus();
}

void WatchJobStream::CheckReader(absl::Time now) {
  absl::Status ends;
  {
    absl::MutexLock lock(&mutex_);
    if (over_) return;
    if (!writing_) {
      ends = SendIfChanged(now);
    } else if (now >= sent_at_ + deps_.limits.slow_reader_timeout) {
      ends = MakeError(absl::StatusCode::kDeadlineExceeded,
                       absl::StrCat("a message was not read for ",
                                    absl::FormatDuration(deps_.limits.slow_reader_timeout)),
                       {.reason = std::string(kSlowReader), .phase = std::string(kPhaseRunning)});
    }
  }
  if (!ends.ok()) End(ends);
}

absl::Status WatchJobStream::SendIfChanged(absl::Time now) {
  if (now < sent_at_ + interval_) return absl::OkStatus();
  ASSIGN_OR_RETURN(const uint64_t version, deps_.training->VersionOf(job_id_));
  if (version == sent_version_) return absl::OkStatus();
  ASSIGN_OR_RETURN(const JobView view, deps_.training->Get(job_id_));
  message_ = ToProto(view, [this](const std::string& d) { return deps_.training->Served(d); });
  bytes_ += message_.ByteSizeLong();
  last_ = Ended(view.job.state);
  sent_version_ = view.version;
  sent_at_ = now;
  writing_ = true;
  StartWrite(&message_);
  return absl::OkStatus();
}

void WatchJobStream::OnWriteDone(bool ok) {
  bool last = false;
  {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    last = last_;
  }
  if (!ok) {
    Cancel();
    End(Alive(deps_.clock->Now(), kPhaseRunning));
  } else if (last) {
    End(absl::OkStatus());
  }
}

void WatchJobStream::OnCancel() {
  Cancel();
  End(Alive(deps_.clock->Now(), kPhaseRunning));
}

void WatchJobStream::End(const absl::Status& status) {
  size_t bytes = 0;
  {
    absl::MutexLock lock(&mutex_);
    if (std::exchange(over_, true)) return;
    bytes = bytes_;
  }
  if (auto wire = CallRecord::End(status, bytes)) Finish(*wire);
}

void WatchJobStream::OnDone() {
  deps_.gate->Forget(gate_watch_);
  self_.reset();
}

}  // namespace gwm::server
