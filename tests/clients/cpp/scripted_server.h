// An in-process server whose answers a test writes down beforehand and whose requests it reads
// afterwards.
#ifndef GWM_TESTS_CLIENTS_CPP_SCRIPTED_SERVER_H_
#define GWM_TESTS_CLIENTS_CPP_SCRIPTED_SERVER_H_

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "gwm/v1/models.grpc.pb.h"
#include "gwm/v1/perception.grpc.pb.h"
#include "gwm/v1/server.grpc.pb.h"
#include "gwm/v1/simulator.grpc.pb.h"

namespace gwm::client {

// A little-endian F32 tensor.
v1::Tensor FloatTensor(std::vector<int64_t> shape, std::vector<float> values);
v1::Tensor BoolTensor(std::vector<int64_t> shape, std::vector<bool> values);

// Serves the four services on a free loopback port. Members may be changed between calls.
class ScriptedServer final : public v1::Simulator::Service,
                             public v1::Perception::Service,
                             public v1::Models::Service,
                             public v1::Server::Service {
 public:
  // socket_path: listens there too, unless empty.
  explicit ScriptedServer(const std::string& socket_path = "");
  ~ScriptedServer() override;

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  // What every call answers unless it is OK.
  grpc::Status status;
  // When valid, Step answers only once this is ready.
  std::shared_future<void> step_waits_for;
  // So many calls of Step fail with lost_status, after their request was taken.
  int lost_replies = 0;
  grpc::Status lost_status{grpc::StatusCode::UNAVAILABLE, "connection reset"};
  std::string pushback_ms;  // of failed Steps; empty: none
  v1::SimulatorSpec spec;
  v1::ServerInfo info;
  v1::Limits limits;
  v1::Session session;
  v1::RenewSessionReply renewal;
  std::vector<v1::ListSessionsReply> pages;  // by page_token "", "1", "2", ...
  std::vector<v1::ListSessionsRequest> list_requests;
  v1::ResetReply reset_reply;
  v1::StepReply step_reply;
  v1::RenderReply render_reply;
  v1::ForkReply fork_reply;
  v1::PlanReply plan_reply;
  v1::ObserveReply observe_reply;
  v1::Model model;
  v1::WarmUpReply warm_up_reply;
  v1::EncodeReply encode_reply;
  v1::DecodeReply decode_reply;
  v1::FeaturesReply features_reply;
  std::vector<v1::ImagineChunk> chunks;

  v1::CreateSessionRequest create_request;
  std::vector<v1::CreateSessionRequest> create_requests;
  int lost_creations = 0;  // so many calls of CreateSession fail with lost_status
  v1::ResetRequest reset_request;
  v1::StepRequest step_request;
  std::vector<v1::StepRequest> step_requests;
  v1::RenderRequest render_request;
  v1::ForkRequest fork_request;
  v1::PlanRequest plan_request;
  v1::ObserveRequest observe_request;
  std::vector<std::string> dropped_states;
  v1::ImagineRequest imagine_request;
  v1::GetSpecRequest spec_request;
  v1::LoadModelRequest load_request;
  v1::UnloadModelRequest unload_request;
  v1::SetDefaultModelRequest default_request;
  v1::WarmUpRequest warm_up_request;
  v1::EncodeRequest encode_request;
  v1::DecodeRequest decode_request;
  v1::FeaturesRequest features_request;
  std::vector<std::string> closed_sessions;

 private:
  using Context = grpc::ServerContext;
  grpc::Status GetSpec(Context*, const v1::GetSpecRequest*, v1::SimulatorSpec*) override;
  grpc::Status CreateSession(Context*, const v1::CreateSessionRequest*, v1::Session*) override;
  grpc::Status GetSession(Context*, const v1::GetSessionRequest*, v1::Session*) override;
  grpc::Status RenewSession(Context*, const v1::RenewSessionRequest*,
                            v1::RenewSessionReply*) override;
  grpc::Status ListSessions(Context*, const v1::ListSessionsRequest*,
                            v1::ListSessionsReply*) override;
  grpc::Status CloseSession(Context*, const v1::CloseSessionRequest*,
                            v1::CloseSessionReply*) override;
  grpc::Status Reset(Context*, const v1::ResetRequest*, v1::ResetReply*) override;
  grpc::Status Step(Context*, const v1::StepRequest*, v1::StepReply*) override;
  grpc::Status Render(Context*, const v1::RenderRequest*, v1::RenderReply*) override;
  grpc::Status Imagine(Context*, const v1::ImagineRequest*,
                       grpc::ServerWriter<v1::ImagineChunk>*) override;
  grpc::Status Plan(Context*, const v1::PlanRequest*, v1::PlanReply*) override;
  grpc::Status Observe(Context*, const v1::ObserveRequest*, v1::ObserveReply*) override;
  grpc::Status Fork(Context*, const v1::ForkRequest*, v1::ForkReply*) override;
  // "blob of N" or "state N" for environment N.
  grpc::Status ExportState(Context*, const v1::ExportStateRequest*, v1::ExportStateReply*) override;
  // "imported BLOB".
  grpc::Status ImportState(Context*, const v1::ImportStateRequest*, v1::ImportStateReply*) override;
  grpc::Status DropState(Context*, const v1::DropStateRequest*, v1::DropStateReply*) override;
  grpc::Status ListModels(Context*, const v1::ListModelsRequest*, v1::ListModelsReply*) override;
  grpc::Status GetModel(Context*, const v1::GetModelRequest*, v1::Model*) override;
  grpc::Status LoadModel(Context*, const v1::LoadModelRequest*, v1::Model*) override;
  grpc::Status UnloadModel(Context*, const v1::UnloadModelRequest*, v1::Model*) override;
  grpc::Status SetDefaultModel(Context*, const v1::SetDefaultModelRequest*, v1::Model*) override;
  grpc::Status WarmUp(Context*, const v1::WarmUpRequest*, v1::WarmUpReply*) override;
  grpc::Status Encode(Context*, const v1::EncodeRequest*, v1::EncodeReply*) override;
  grpc::Status Decode(Context*, const v1::DecodeRequest*, v1::DecodeReply*) override;
  grpc::Status Features(Context*, const v1::FeaturesRequest*, v1::FeaturesReply*) override;
  grpc::Status GetServerInfo(Context*, const v1::GetServerInfoRequest*, v1::ServerInfo*) override;
  grpc::Status GetLimits(Context*, const v1::GetLimitsRequest*, v1::Limits*) override;

  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace gwm::client

#endif  // GWM_TESTS_CLIENTS_CPP_SCRIPTED_SERVER_H_
