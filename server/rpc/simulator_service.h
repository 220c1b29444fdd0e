// gwm.v1.Simulator.
#ifndef GWM_SERVER_RPC_SIMULATOR_SERVICE_H_
#define GWM_SERVER_RPC_SIMULATOR_SERVICE_H_

#include <atomic>
#include <memory>
#include <string>

#include "gwm/v1/simulator.grpc.pb.h"
#include "server/rpc/call.h"
#include "server/rpc/deps.h"
#include "server/rpc/verbs.h"
#include "server/work/plan.h"

namespace gwm::server {

class SimulatorService final : public v1::Simulator::CallbackService {
 public:
  explicit SimulatorService(const RpcDeps& deps) : deps_(deps) {}

  grpc::ServerUnaryReactor* GetSpec(grpc::CallbackServerContext* context,
                                    const v1::GetSpecRequest* request,
                                    v1::SimulatorSpec* reply) override;
  grpc::ServerUnaryReactor* CreateSession(grpc::CallbackServerContext* context,
                                          const v1::CreateSessionRequest* request,
                                          v1::Session* reply) override;
  grpc::ServerUnaryReactor* GetSession(grpc::CallbackServerContext* context,
                                       const v1::GetSessionRequest* request,
                                       v1::Session* reply) override;
  grpc::ServerUnaryReactor* RenewSession(grpc::CallbackServerContext* context,
                                         const v1::RenewSessionRequest* request,
                                         v1::RenewSessionReply* reply) override;
  grpc::ServerUnaryReactor* ListSessions(grpc::CallbackServerContext* context,
                                         const v1::ListSessionsRequest* request,
                                         v1::ListSessionsReply* reply) override;
  grpc::ServerUnaryReactor* CloseSession(grpc::CallbackServerContext* context,
                                         const v1::CloseSessionRequest* request,
                                         v1::CloseSessionReply* reply) override;
  grpc::ServerUnaryReactor* Reset(grpc::CallbackServerContext* context,
                                  const v1::ResetRequest* request, v1::ResetReply* reply) override;
  grpc::ServerUnaryReactor* Step(grpc::CallbackServerContext* context,
                                 const v1::StepRequest* request, v1::StepReply* reply) override;
  grpc::ServerUnaryReactor* Render(grpc::CallbackServerContext* context,
                                   const v1::RenderRequest* request,
                                   v1::RenderReply* reply) override;
  grpc::ServerWriteReactor<v1::ImagineChunk>* Imagine(grpc::CallbackServerContext* context,
                                                      const v1::ImagineRequest* request) override;

  grpc::ServerUnaryReactor* Plan(grpc::CallbackServerContext* context,
                                 const v1::PlanRequest* request, v1::PlanReply* reply) override;
  grpc::ServerUnaryReactor* Observe(grpc::CallbackServerContext* context,
                                    const v1::ObserveRequest* request,
                                    v1::ObserveReply* reply) override;
  grpc::ServerUnaryReactor* Fork(grpc::CallbackServerContext* context,
                                 const v1::ForkRequest* request, v1::ForkReply* reply) override;
  grpc::ServerUnaryReactor* ExportState(grpc::CallbackServerContext* context,
                                        const v1::ExportStateRequest* request,
                                        v1::ExportStateReply* reply) override;
  grpc::ServerUnaryReactor* ImportState(grpc::CallbackServerContext* context,
                                        const v1::ImportStateRequest* request,
                                        v1::ImportStateReply* reply) override;
  grpc::ServerUnaryReactor* DropState(grpc::CallbackServerContext* context,
                                      const v1::DropStateRequest* request,
                                      v1::DropStateReply* reply) override;
  grpc::ServerBidiReactor<v1::RunRequest, v1::RunResponse>* Run(
      grpc::CallbackServerContext* context) override;

 private:
  // Makes a session at once, or on the device thread when others have to be spilled for it.
  absl::Status StartCreate(CallPtr<v1::Session> call, const v1::CreateSessionRequest& request,
                           uint64_t seed);
  // To a repetition of the call that made it.
  absl::Status AnswerAgain(SessionUse made, Call<v1::Session>& call);
  // `tried`: the world that it was to be made on.
  void FinishCreate(CallPtr<v1::Session> call, const v1::CreateSessionRequest& request,
                    uint64_t seed, const ServedWorld& tried, absl::StatusOr<SessionUse> session);

  const RpcDeps& deps_;
  std::atomic<uint32_t> imagine_streams_ = 0;
  std::atomic<uint32_t> run_streams_ = 0;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_RPC_SIMULATOR_SERVICE_H_
