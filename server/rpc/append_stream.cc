#include "server/rpc/append_stream.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/error.h"
#include "server/base/status.h"
#include "server/convert/training_message.h"
#include "server/rpc/need_training.h"
#include "server/training/names.h"

namespace gwm::server {

grpc::ServerReadReactor<v1::AppendDataRequest>* AppendStream::Start(
    const RpcDeps& deps, grpc::CallbackServerContext& context, v1::AppendDataReply* reply,
    SerialThread* writer) {
  std::shared_ptr<AppendStream> stream(new AppendStream(deps, context, reply, writer));
  stream->self_ = stream;
  if (const absl::Status open = stream->Open(); !open.ok()) {
    stream->End(open);
  } else {
    stream->StartReading();
  }
  return stream.get();
}

AppendStream::AppendStream(const RpcDeps& deps, grpc::CallbackServerContext& context,
                           v1::AppendDataReply* reply, SerialThread* writer)
    : CallRecord(deps, "Trainer.AppendData", context, 0, CallTime::kUnlimited),
      deps_(deps),
      reply_(*reply),
      writer_(*writer) {}

absl::Status AppendStream::Open() {
  if (!admitted()) return DrainingError();
  return NeedTraining(deps_);
}

void AppendStream::StartReading() {
  StartRead(&request_);
  gate_watch_ = deps_.gate->OnClose([weak = weak_from_this()] {
    const auto stream = weak.lock();
    if (stream == nullptr) return;
    {
      absl::MutexLock lock(&stream->mutex_);
      stream->draining_ = true;
      if (stream->storing_) return;  // Take sees to it
    }
    stream->End(DrainingError());
  });
}

void AppendStream::OnReadDone(bool ok) {
  {
    absl::MutexLock lock(&mutex_);
    if (over_) return;
    storing_ = ok;
  }
  if (!ok) {
    const absl::Status alive = Alive(deps_.clock->Now(), kPhaseRunning);
    return End(alive.ok() ? FillReply() : alive);
  }
  writer_.Do([stream = shared_from_this()] { stream->Take(); });
}

void AppendStream::Take() {
  const absl::Status stored = Guarded([this] { return Store(); });
  bool draining = false;
  {
    absl::MutexLock lock(&mutex_);
    storing_ = false;
    draining = draining_;
  }
  if (!stored.ok()) {
    deps_.metrics->training().Episode("refused");
    return End(stored);
  }
  if (draining) return End(DrainingError());
  StartRead(&request_);
}

absl::Status AppendStream::Store() {
  if (dataset_.empty()) {
    RETURN_IF_ERROR(CheckTrainingName(request_.dataset(), "dataset"));
    dataset_ = request_.dataset();
  } else if (!request_.dataset().empty() && request_.dataset() != dataset_) {
    return BadField("dataset", absl::StrCat(Quoted(request_.dataset()), "; the stream is for ",
                                            Quoted(dataset_)));
  }
  ASSIGN_OR_RETURN(const io::Episode episode, ParseEpisode(*request_.mutable_episode()));
  ASSIGN_OR_RETURN(const bool appended, deps_.training->episodes().Append(
                                            dataset_, request_.episode().episode_id(), episode));
  deps_.metrics->training().Episode(appended ? "appended" : "duplicate");
  if (appended) {
    reply_.set_appended(reply_.appended() + 1);
    deps_.training->Appended();
  } else {
    reply_.set_duplicates(reply_.duplicates() + 1);
  }
  return absl::OkStatus();
}

absl::Status AppendStream::FillReply() {
  if (dataset_.empty()) return BadField("dataset", "missing; the stream has no message");
  ASSIGN_OR_RETURN(const DatasetInfo info, deps_.training->episodes().Get(dataset_));
  *reply_.mutable_dataset() = ToProto(info);
  return absl::OkStatus();
}

void AppendStream::End(const absl::Status& status) {
  {
    absl::MutexLock lock(&mutex_);
    if (std::exchange(over_, true)) return;
  }
  if (auto wire = CallRecord::End(status, reply_.ByteSizeLong())) Finish(*wire);
}

void AppendStream::OnDone() {
  deps_.gate->Forget(gate_watch_);
  self_.reset();
}

}  // namespace gwm::server
