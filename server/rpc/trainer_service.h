// gwm.v1.Trainer.
#ifndef GWM_SERVER_RPC_TRAINER_SERVICE_H_
#define GWM_SERVER_RPC_TRAINER_SERVICE_H_

#include "gwm/v1/trainer.grpc.pb.h"
#include "server/base/ticker.h"
#include "server/models/serial_thread.h"
#include "server/rpc/deps.h"
#include "server/rpc/stream_watch.h"

namespace gwm::server {

class TrainerService final : public v1::Trainer::CallbackService {
 public:
  explicit TrainerService(const RpcDeps& deps);

  grpc::ServerReadReactor<v1::AppendDataRequest>* AppendData(grpc::CallbackServerContext* context,
                                                             v1::AppendDataReply* reply) override;
  grpc::ServerUnaryReactor* GetDataset(grpc::CallbackServerContext* context,
                                       const v1::GetDatasetRequest* request,
                                       v1::Dataset* reply) override;
  grpc::ServerUnaryReactor* DeleteDataset(grpc::CallbackServerContext* context,
                                          const v1::DeleteDatasetRequest* request,
                                          v1::DeleteDatasetReply* reply) override;
  grpc::ServerUnaryReactor* StartTraining(grpc::CallbackServerContext* context,
                                          const v1::StartTrainingRequest* request,
                                          v1::TrainingJob* reply) override;
  grpc::ServerUnaryReactor* GetJob(grpc::CallbackServerContext* context,
                                   const v1::GetJobRequest* request,
                                   v1::TrainingJob* reply) override;
  grpc::ServerUnaryReactor* ListJobs(grpc::CallbackServerContext* context,
                                     const v1::ListJobsRequest* request,
                                     v1::ListJobsReply* reply) override;
  grpc::ServerUnaryReactor* CancelJob(grpc::CallbackServerContext* context,
                                      const v1::CancelJobRequest* request,
                                      v1::TrainingJob* reply) override;
  grpc::ServerWriteReactor<v1::TrainingJob>* WatchJob(grpc::CallbackServerContext* context,
                                                      const v1::WatchJobRequest* request) override;
  grpc::ServerUnaryReactor* SaveCheckpoint(grpc::CallbackServerContext* context,
                                           const v1::SaveCheckpointRequest* request,
                                           v1::TrainedCheckpoint* reply) override;
  grpc::ServerUnaryReactor* ListCheckpoints(grpc::CallbackServerContext* context,
                                            const v1::ListCheckpointsRequest* request,
                                            v1::ListCheckpointsReply* reply) override;
  grpc::ServerUnaryReactor* DeleteCheckpoint(grpc::CallbackServerContext* context,
                                             const v1::DeleteCheckpointRequest* request,
                                             v1::DeleteCheckpointReply* reply) override;

 private:
  const RpcDeps& deps_;
  StreamWatch watches_;
  SerialThread disk_;  // what waits for the disk, one after the other
  Ticker ticker_;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_RPC_TRAINER_SERVICE_H_
