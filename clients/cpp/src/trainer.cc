#include "gwm/trainer.h"

#include <utility>

#include "clients/cpp/src/trainer_convert.h"
#include "clients/cpp/src/wire.h"
#include "gwm/v1/trainer.grpc.pb.h"

namespace gwm::client {

using internal::FromProto;
using internal::Repeat;
using internal::ToProto;
using std::chrono::milliseconds;
using Stub = v1::Trainer::Stub;

struct Trainer::State {
  State(const std::string& address, const ClientOptions& options)
      : wire(address, options), stub(v1::Trainer::NewStub(wire.shared_channel())) {}

  template <typename Reply, typename Method, typename Request>
  Reply Call(Method method, Request&& request, Repeat repeat = Repeat::kSafe,
             milliseconds timeout = milliseconds(0)) {
    return wire.Call<Reply>(*stub, method, request, timeout, repeat);
  }

  // One attempt to send them all.
  grpc::Status Append(const std::string& dataset, const std::vector<TrainingEpisode>& episodes,
                      grpc::ClientContext& context, v1::AppendDataReply& reply) {
    const auto writer = stub->AppendData(&context, &reply);
    for (const TrainingEpisode& episode : episodes) {
      v1::AppendDataRequest request;
      request.set_dataset(dataset);
      *request.mutable_episode() = ToProto(episode);
      if (!writer->Write(request)) break;  // Finish says why
    }
    writer->WritesDone();
    return writer->Finish();
  }

  internal::Wire wire;
  const std::unique_ptr<Stub> stub;
};

Trainer::Trainer(const std::string& address, const ClientOptions& options)
    : state_(std::make_unique<State>(address, options)) {}
Trainer::~Trainer() = default;

AppendResult Trainer::AppendEpisodes(const std::string& dataset,
                                     const std::vector<TrainingEpisode>& episodes,
                                     milliseconds timeout) {
  internal::Wire::Retry retry = state_->wire.StartRetry(timeout, Repeat::kSafe);
  while (true) {
    grpc::ClientContext context;
    context.set_deadline(retry.deadline);
    v1::AppendDataReply reply;
    const grpc::Status status = state_->Append(dataset, episodes, context, reply);
    if (status.ok()) {
      return {reply.appended(), reply.duplicates(), FromProto(reply.dataset())};
    }
    const Error::Details details = internal::DetailsOf(status, context);
    if (!state_->wire.WaitForRetry(details, retry)) throw Error(details);
  }
}

Dataset Trainer::GetDataset(const std::string& dataset) {
  v1::GetDatasetRequest request;
  request.set_dataset(dataset);
  return FromProto(state_->Call<v1::Dataset>(&Stub::GetDataset, request));
}

void Trainer::DeleteDataset(const std::string& dataset) {
  v1::DeleteDatasetRequest request;
  request.set_dataset(dataset);
  state_->Call<v1::DeleteDatasetReply>(&Stub::DeleteDataset, request, Repeat::kOnlyIfRefused);
}

TrainingJob Trainer::StartTraining(const TrainingRequest& request, milliseconds timeout) {
  const int origins =
      !request.model_digest.empty() + !request.checkpoint.empty() + !request.profile.empty();
  // On the wire the last one would win without a word.
  if (origins != 1) {
    throw Error({.code = Code::kInvalidArgument,
                 .reason = "BAD_FIELD",
                 .field = "init",
                 .message = std::to_string(origins) +
                            " are set; one of model_digest, checkpoint, profile is asked for"});
  }
  return FromProto(state_->Call<v1::TrainingJob>(
      &Stub::StartTraining, ToProto(request),
      request.job_id.empty() ? Repeat::kOnlyIfRefused : Repeat::kSafe, timeout));
}

TrainingJob Trainer::GetJob(const std::string& job_id) {
  v1::GetJobRequest request;
  request.set_job_id(job_id);
  return FromProto(state_->Call<v1::TrainingJob>(&Stub::GetJob, request));
}

std::vector<TrainingJob> Trainer::ListJobs() {
  const auto reply = state_->Call<v1::ListJobsReply>(&Stub::ListJobs, v1::ListJobsRequest());
  std::vector<TrainingJob> jobs;
  for (const v1::TrainingJob& job : reply.jobs()) jobs.push_back(FromProto(job));
  return jobs;
}

TrainingJob Trainer::CancelJob(const std::string& job_id) {
  v1::CancelJobRequest request;
  request.set_job_id(job_id);
  return FromProto(state_->Call<v1::TrainingJob>(&Stub::CancelJob, request));
}

TrainingJob Trainer::WatchJob(const std::string& job_id,
                              const std::function<bool(const TrainingJob&)>& on_change,
                              milliseconds min_interval, milliseconds timeout) {
  grpc::ClientContext context;
  if (timeout.count() > 0) state_->wire.SetDeadline(context, timeout);
  v1::WatchJobRequest request;
  request.set_job_id(job_id);
  *request.mutable_min_interval() = ToProto(min_interval);
  const auto reader = state_->stub->WatchJob(&context, request);
  TrainingJob last;
  v1::TrainingJob job;
  while (reader->Read(&job)) {
    last = FromProto(job);
    if (on_change(last)) continue;
    context.TryCancel();
    reader->Finish();
    return last;
  }
  const grpc::Status status = reader->Finish();
  if (!status.ok()) throw Error(internal::DetailsOf(status, context));
  return last;
}

TrainedCheckpoint Trainer::SaveCheckpoint(const std::string& job_id,
                                          const SaveCheckpointOptions& options) {
  v1::SaveCheckpointRequest request;
  request.set_job_id(job_id);
  request.set_name(options.name);
  request.set_note(options.note);
  request.set_load(options.load);
  request.set_set_default(options.set_default);
  return FromProto(state_->Call<v1::TrainedCheckpoint>(&Stub::SaveCheckpoint, request,
                                                       Repeat::kOnlyIfRefused, options.timeout));
}

std::vector<TrainedCheckpoint> Trainer::ListCheckpoints() {
  const auto reply =
      state_->Call<v1::ListCheckpointsReply>(&Stub::ListCheckpoints, v1::ListCheckpointsRequest());
  std::vector<TrainedCheckpoint> checkpoints;
  for (const auto& checkpoint : reply.checkpoints()) checkpoints.push_back(FromProto(checkpoint));
  return checkpoints;
}

void Trainer::DeleteCheckpoint(const std::string& checkpoint) {
  v1::DeleteCheckpointRequest request;
  request.set_checkpoint(checkpoint);
  state_->Call<v1::DeleteCheckpointReply>(&Stub::DeleteCheckpoint, request, Repeat::kOnlyIfRefused);
}

}  // namespace gwm::client
