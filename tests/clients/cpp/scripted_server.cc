#include "tests/clients/cpp/scripted_server.h"

#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/server_credentials.h>

#include <chrono>
#include <string>
#include <utility>

namespace gwm::client {

v1::Tensor FloatTensor(std::vector<int64_t> shape, std::vector<float> values) {
  v1::Tensor tensor;
  tensor.set_dtype(v1::DTYPE_F32);
  tensor.mutable_shape()->Add(shape.begin(), shape.end());
  tensor.set_data(values.data(), values.size() * sizeof(float));
  return tensor;
}

v1::Tensor BoolTensor(std::vector<int64_t> shape, std::vector<bool> values) {
  v1::Tensor tensor;
  tensor.set_dtype(v1::DTYPE_BOOL);
  tensor.mutable_shape()->Add(shape.begin(), shape.end());
  for (bool value : values) tensor.mutable_data()->push_back(value ? 1 : 0);
  return tensor;
}

ScriptedServer::ScriptedServer(const std::string& socket_path) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
  if (!socket_path.empty()) {
    builder.AddListeningPort("unix:" + socket_path, grpc::InsecureServerCredentials());
  }
  builder.RegisterService(static_cast<v1::Simulator::Service*>(this));
  builder.RegisterService(static_cast<v1::Perception::Service*>(this));
  builder.RegisterService(static_cast<v1::Models::Service*>(this));
  builder.RegisterService(static_cast<v1::Server::Service*>(this));
  server_ = builder.BuildAndStart();
}

ScriptedServer::~ScriptedServer() { server_->Shutdown(std::chrono::system_clock::now()); }

grpc::Status ScriptedServer::GetSpec(Context*, const v1::GetSpecRequest* request,
                                     v1::SimulatorSpec* reply) {
  spec_request = *request;
  *reply = spec;
  return status;
}
grpc::Status ScriptedServer::CreateSession(Context*, const v1::CreateSessionRequest* request,
                                           v1::Session* reply) {
  create_request = *request;
  create_requests.push_back(*request);
  if (lost_creations-- > 0) return lost_status;
  *reply = session;
  return status;
}
grpc::Status ScriptedServer::GetSession(Context*, const v1::GetSessionRequest*,
                                        v1::Session* reply) {
  *reply = session;
  return status;
}
grpc::Status ScriptedServer::RenewSession(Context*, const v1::RenewSessionRequest*,
                                          v1::RenewSessionReply* reply) {
  *reply = renewal;
  return status;
}
grpc::Status ScriptedServer::ListSessions(Context*, const v1::ListSessionsRequest* request,
                                          v1::ListSessionsReply* reply) {
  const std::string& token = request->page_token();
  *reply = pages.at(token.empty() ? 0 : std::stoul(token));
  list_requests.push_back(*request);
  return status;
}
grpc::Status ScriptedServer::CloseSession(Context*, const v1::CloseSessionRequest* request,
                                          v1::CloseSessionReply*) {
  closed_sessions.push_back(request->session_id());
  return status;
}
grpc::Status ScriptedServer::Reset(Context*, const v1::ResetRequest* request,
                                   v1::ResetReply* reply) {
  reset_request = *request;
  *reply = reset_reply;
  return status;
}

grpc::Status ScriptedServer::Step(Context* context, const v1::StepRequest* request,
                                  v1::StepReply* reply) {
  step_request = *request;
  step_requests.push_back(*request);
  if (!pushback_ms.empty()) context->AddTrailingMetadata("grpc-retry-pushback-ms", pushback_ms);
  if (lost_replies-- > 0) return lost_status;
  if (step_waits_for.valid()) step_waits_for.wait();
  *reply = step_reply;
  return status;
}

grpc::Status ScriptedServer::Render(Context*, const v1::RenderRequest* request,
                                    v1::RenderReply* reply) {
  render_request = *request;
  *reply = render_reply;
  return status;
}
grpc::Status ScriptedServer::Imagine(Context*, const v1::ImagineRequest* request,
                                     grpc::ServerWriter<v1::ImagineChunk>* writer) {
  imagine_request = *request;
  for (const v1::ImagineChunk& chunk : chunks) {
    if (!writer->Write(chunk)) break;
  }
  return status;
}
grpc::Status ScriptedServer::Plan(Context*, const v1::PlanRequest* request, v1::PlanReply* reply) {
  plan_request = *request;
  *reply = plan_reply;
  return status;
}
grpc::Status ScriptedServer::Observe(Context*, const v1::ObserveRequest* request,
                                     v1::ObserveReply* reply) {
  observe_request = *request;
  *reply = observe_reply;
  return status;
}
grpc::Status ScriptedServer::Fork(Context*, const v1::ForkRequest* request, v1::ForkReply* reply) {
  fork_request = *request;
  *reply = fork_reply;
  return status;
}
grpc::Status ScriptedServer::ExportState(Context*, const v1::ExportStateRequest* request,
                                         v1::ExportStateReply* reply) {
  const std::string env = std::to_string(request->env_id());
  if (request->keep_on_server()) {
    reply->mutable_state()->set_state_id("state " + env);
  } else {
    reply->mutable_state()->set_blob("blob of " + env);
  }
  return status;
}
grpc::Status ScriptedServer::ImportState(Context*, const v1::ImportStateRequest* request,
                                         v1::ImportStateReply* reply) {
  reply->set_state_id("imported " + request->blob());
  return status;
}
grpc::Status ScriptedServer::DropState(Context*, const v1::DropStateRequest* request,
                                       v1::DropStateReply*) {
  dropped_states.push_back(request->state_id());
  return status;
}
grpc::Status ScriptedServer::ListModels(Context*, const v1::ListModelsRequest*,
                                        v1::ListModelsReply* reply) {
  *reply->add_models() = model;
  return status;
}
grpc::Status ScriptedServer::GetModel(Context*, const v1::GetModelRequest*, v1::Model* reply) {
  *reply = model;
  return status;
}
grpc::Status ScriptedServer::LoadModel(Context*, const v1::LoadModelRequest* request,
                                       v1::Model* reply) {
  load_request = *request;
  *reply = model;
  return status;
}
grpc::Status ScriptedServer::UnloadModel(Context*, const v1::UnloadModelRequest* request,
                                         v1::Model* reply) {
  unload_request = *request;
  *reply = model;
  return status;
}
grpc::Status ScriptedServer::SetDefaultModel(Context*, const v1::SetDefaultModelRequest* request,
                                             v1::Model* reply) {
  default_request = *request;
  *reply = model;
  return status;
}
grpc::Status ScriptedServer::WarmUp(Context*, const v1::WarmUpRequest* request,
                                    v1::WarmUpReply* reply) {
  warm_up_request = *request;
  *reply = warm_up_reply;
  return status;
}
grpc::Status ScriptedServer::Encode(Context*, const v1::EncodeRequest* request,
                                    v1::EncodeReply* reply) {
  encode_request = *request;
  *reply = encode_reply;
  return status;
}
grpc::Status ScriptedServer::Decode(Context*, const v1::DecodeRequest* request,
                                    v1::DecodeReply* reply) {
  decode_request = *request;
  *reply = decode_reply;
  return status;
}
grpc::Status ScriptedServer::Features(Context*, const v1::FeaturesRequest* request,
                                      v1::FeaturesReply* reply) {
  features_request = *request;
  *reply = features_reply;
  return status;
}
grpc::Status ScriptedServer::GetServerInfo(Context*, const v1::GetServerInfoRequest*,
                                           v1::ServerInfo* reply) {
  *reply = info;
  return status;
}
grpc::Status ScriptedServer::GetLimits(Context*, const v1::GetLimitsRequest*, v1::Limits* reply) {
  *reply = limits;
  return status;
}

}  // namespace gwm::client
