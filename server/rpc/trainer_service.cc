#include "server/rpc/trainer_service.h"

#include <utility>

#include "server/base/status.h"
#include "server/convert/training_message.h"
#include "server/rpc/append_stream.h"
#include "server/rpc/call.h"
#include "server/rpc/need_training.h"
#include "server/rpc/watch_job_stream.h"

namespace gwm::server {
namespace {

constexpr absl::Duration kWatchPeriod = absl::Milliseconds(50);

IsServed Served(const RpcDeps& deps) {
  return [&deps](const std::string& digest) { return deps.training->Served(digest); };
}

// Answers a call with a job.
template <typename CallPtr>
TrainingRoom::Viewed AnswerJob(const RpcDeps& deps, CallPtr call) {
  return [&deps, call = std::move(call)](absl::StatusOr<JobView> view) {
    call->FinishWith(std::move(view), [&deps](const JobView& found, v1::TrainingJob& out) {
      out = ToProto(found, Served(deps));
    });
  };
}

}  // namespace

TrainerService::TrainerService(const RpcDeps& deps)
    : deps_(deps), ticker_(kWatchPeriod, [this] { watches_.Check(deps_.clock->Now()); }) {}

grpc::ServerReadReactor<v1::AppendDataRequest>* TrainerService::AppendData(
    grpc::CallbackServerContext* context, v1::AppendDataReply* reply) {
  return AppendStream::Start(deps_, *context, reply, &disk_);
}

grpc::ServerUnaryReactor* TrainerService::GetDataset(grpc::CallbackServerContext* context,
                                                     const v1::GetDatasetRequest* request,
                                                     v1::Dataset* reply) {
  return RunNow(deps_, "Trainer.GetDataset", context, *request, reply,
                [&](v1::Dataset& out) -> absl::Status {
                  RETURN_IF_ERROR(NeedTraining(deps_));
                  ASSIGN_OR_RETURN(const DatasetInfo info,
                                   deps_.training->episodes().Get(request->dataset()));
                  out = ToProto(info);
                  return absl::OkStatus();
                });
}

grpc::ServerUnaryReactor* TrainerService::DeleteDataset(grpc::CallbackServerContext* context,
                                                        const v1::DeleteDatasetRequest* request,
                                                        v1::DeleteDatasetReply* reply) {
  return Enqueue(deps_, "Trainer.DeleteDataset", context, *request, reply,
                 [&](auto call) -> absl::Status {
                   RETURN_IF_ERROR(NeedTraining(deps_));
                   disk_.Do([this, call, dataset = request->dataset()] {
                     call->Finish(deps_.training->DeleteDataset(dataset));
                   });
                   return absl::OkStatus();
                 });
}

grpc::ServerUnaryReactor* TrainerService::StartTraining(grpc::CallbackServerContext* context,
                                                        const v1::StartTrainingRequest* request,
                                                        v1::TrainingJob* reply) {
  return Enqueue(deps_, "Trainer.StartTraining", context, *request, reply,
                 [&](auto call) -> absl::Status {
                   RETURN_IF_ERROR(NeedTraining(deps_));
                   ASSIGN_OR_RETURN(TrainingSpec spec, ParseStart(*request, deps_.limits));
                   disk_.Do([this, call, spec = std::move(spec)] {
                     deps_.training->Start(spec, AnswerJob(deps_, call));
                   });
                   return absl::OkStatus();
                 });
}

grpc::ServerUnaryReactor* TrainerService::GetJob(grpc::CallbackServerContext* context,
                                                 const v1::GetJobRequest* request,
                                                 v1::TrainingJob* reply) {
  return RunNow(deps_, "Trainer.GetJob", context, *request, reply,
                [&](v1::TrainingJob& out) -> absl::Status {
                  RETURN_IF_ERROR(NeedTraining(deps_));
                  ASSIGN_OR_RETURN(const JobView view, deps_.training->Get(request->job_id()));
                  out = ToProto(view, Served(deps_));
                  return absl::OkStatus();
                });
}

grpc::ServerUnaryReactor* TrainerService::ListJobs(grpc::CallbackServerContext* context,
                                                   const v1::ListJobsRequest* request,
                                                   v1::ListJobsReply* reply) {
  return RunNow(deps_, "Trainer.ListJobs", context, *request, reply,
                [&](v1::ListJobsReply& out) -> absl::Status {
                  RETURN_IF_ERROR(NeedTraining(deps_));
                  for (const JobView& view : deps_.training->List()) {
                    *out.add_jobs() = ToProto(view, Served(deps_));
                  }
                  return absl::OkStatus();
                });
}

grpc::ServerUnaryReactor* TrainerService::CancelJob(grpc::CallbackServerContext* context,
                                                    const v1::CancelJobRequest* request,
                                                    v1::TrainingJob* reply) {
  return Enqueue(deps_, "Trainer.CancelJob", context, *request, reply,
                 [&](auto call) -> absl::Status {
                   RETURN_IF_ERROR(NeedTraining(deps_));
                   deps_.training->Cancel(request->job_id(), AnswerJob(deps_, call));
                   return absl::OkStatus();
                 });
}

grpc::ServerWriteReactor<v1::TrainingJob>* TrainerService::WatchJob(
    grpc::CallbackServerContext* context, const v1::WatchJobRequest* request) {
  return WatchJobStream::Start(deps_, *context, *request, &watches_);
}

grpc::ServerUnaryReactor* TrainerService::SaveCheckpoint(grpc::CallbackServerContext* context,
                                                         const v1::SaveCheckpointRequest* request,
                                                         v1::TrainedCheckpoint* reply) {
  return Enqueue(
      deps_, "Trainer.SaveCheckpoint", context, *request, reply, [&](auto call) -> absl::Status {
        RETURN_IF_ERROR(NeedTraining(deps_));
        ASSIGN_OR_RETURN(SaveArgs args, ParseSave(*request));
        deps_.training->Save(
            request->job_id(), std::move(args),
            [this, call](absl::StatusOr<TrainedCheckpoint> saved) {
              call->FinishWith(std::move(saved),
                               [this](const TrainedCheckpoint& one, v1::TrainedCheckpoint& out) {
                                 out = ToProto(one, Served(deps_));
                               });
            });
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* TrainerService::ListCheckpoints(grpc::CallbackServerContext* context,
                                                          const v1::ListCheckpointsRequest* request,
                                                          v1::ListCheckpointsReply* reply) {
  return RunNow(deps_, "Trainer.ListCheckpoints", context, *request, reply,
                [&](v1::ListCheckpointsReply& out) -> absl::Status {
                  RETURN_IF_ERROR(NeedTraining(deps_));
                  for (const TrainedCheckpoint& one : deps_.training->Checkpoints()) {
                    *out.add_checkpoints() = ToProto(one, Served(deps_));
                  }
                  return absl::OkStatus();
                });
}

grpc::ServerUnaryReactor* TrainerService::DeleteCheckpoint(
    grpc::CallbackServerContext* context, const v1::DeleteCheckpointRequest* request,
    v1::DeleteCheckpointReply* reply) {
  return Enqueue(deps_, "Trainer.DeleteCheckpoint", context, *request, reply,
                 [&](auto call) -> absl::Status {
                   RETURN_IF_ERROR(NeedTraining(deps_));
                   disk_.Do([this, call, checkpoint = request->checkpoint()] {
                     call->Finish(deps_.training->DeleteCheckpoint(checkpoint));
                   });
                   return absl::OkStatus();
                 });
}

}  // namespace gwm::server
