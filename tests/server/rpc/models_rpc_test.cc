// Models over the wire: sessions pinned to their version, hot swaps, states of several versions.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "grpc/health/v1/health.grpc.pb.h"
#include "tests/server/rpc/server_fixture.h"

namespace gwm::server {
namespace {

using fakes::DetailsOf;
using grpc::health::v1::HealthCheckResponse;

class ModelsRpcTest : public ServerTest {
 protected:
  void SetUp() override {
    root_ = std::filesystem::path(::testing::TempDir()) / ("models" + std::to_string(getpid()));
    std::filesystem::remove_all(root_);
    for (const char* name : {"second", "third", "broken"}) {
      std::filesystem::create_directories(root_ / name);
    }
    options_.checkpoint_root = root_;
    open_ = [this](const std::string& folder) -> absl::StatusOr<std::unique_ptr<World>> {
      const std::string name = std::filesystem::path(folder).filename();
      if (name == "broken") return absl::DataLossError(folder + "/model.safetensors is truncated");
      auto controls = std::make_shared<fakes::FakeWorldControls>();
      controls->digest = name;
      if (name == "third") controls->model_id = "other";
      loaded_[name] = controls;
      return fakes::MakeFakeWorld(controls);
    };
    StartServer();
  }
  void TearDown() override {
    server_.reset();
    std::filesystem::remove_all(root_);
  }

  grpc::Status Load(const std::string& checkpoint, v1::Model* model, bool set_default = false) {
    v1::LoadModelRequest request;
    request.set_checkpoint(checkpoint);
    request.set_set_default(set_default);
    return Call(*models_, &v1::Models::Stub::LoadModel, request, model);
  }
  grpc::Status Unload(const std::string& digest, v1::Model* model, bool drain = false,
                      int grace_s = -1) {
    v1::UnloadModelRequest request;
    request.set_checkpoint_digest(digest);
    request.set_drain(drain);
    if (grace_s >= 0) request.mutable_grace()->set_seconds(grace_s);
    return Call(*models_, &v1::Models::Stub::UnloadModel, request, model);
  }
  grpc::Status SetDefault(const std::string& digest) {
    v1::SetDefaultModelRequest request;
    request.set_checkpoint_digest(digest);
    v1::Model model;
    return Call(*models_, &v1::Models::Stub::SetDefaultModel, request, &model);
  }
  std::vector<v1::Model> List() {
    v1::ListModelsReply reply;
    EXPECT_TRUE(
        Call(*models_, &v1::Models::Stub::ListModels, v1::ListModelsRequest(), &reply).ok());
    return {reply.models().begin(), reply.models().end()};
  }
  std::string ReadyOn(const std::string& digest, uint64_t seed = 7) {
    v1::CreateSessionRequest request;
    request.set_checkpoint_digest(digest);
    request.set_seed(seed);
    request.add_observations("latent");
    const std::string id = Create(request).session_id();
    v1::ResetRequest reset;
    reset.set_session_id(id);
    v1::ResetReply reply;
    EXPECT_TRUE(Reset(reset, &reply).ok());
    return id;
  }
  std::string Export(const std::string& id) {
    v1::ExportStateRequest request;
    request.set_session_id(id);
    v1::ExportStateReply reply;
    EXPECT_TRUE(Call(*simulator_, &v1::Simulator::Stub::ExportState, request, &reply).ok());
    return reply.state().blob();
  }
  HealthCheckResponse::ServingStatus HealthOf(const std::string& service) {
    grpc::ClientContext context;
    grpc::health::v1::HealthCheckRequest request;
    request.set_service(service);
    HealthCheckResponse response;
    const auto stub = grpc::health::v1::Health::NewStub(channel_);
    return stub->Check(&context, request, &response).ok() ? response.status()
                                                          : HealthCheckResponse::SERVICE_UNKNOWN;
  }

  std::filesystem::path root_;
  std::map<std::string, std::shared_ptr<fakes::FakeWorldControls>> loaded_;
};

TEST_F(ModelsRpcTest, ASessionStaysOnItsVersionWhenTheDefaultMoves) {
  const std::string before = Create().session_id();
  v1::Model model;
  ASSERT_TRUE(Load("second", &model).ok());
  EXPECT_EQ(model.state(), v1::Model::STATE_READY);
  EXPECT_EQ(model.checkpoint_digest(), "second");
  ASSERT_TRUE(SetDefault("second").ok());
  EXPECT_EQ(Create().checkpoint_digest(), "second");
  v1::Session session;
  ASSERT_TRUE(Get(before, &session).ok());
  EXPECT_EQ(session.checkpoint_digest(), "0123abcd");
  const auto models = List();
  ASSERT_EQ(models.size(), 2u);
  EXPECT_EQ(models[0].sessions(), 1u);
  EXPECT_FALSE(models[0].is_default());
  EXPECT_EQ(models[1].sessions(), 1u);
  EXPECT_TRUE(models[1].is_default());
  v1::ServerInfo info;
  ASSERT_TRUE(
      Call(*info_, &v1::Server::Stub::GetServerInfo, v1::GetServerInfoRequest(), &info).ok());
  EXPECT_EQ(info.checkpoint_digest(), "second");
  EXPECT_EQ(info.models_size(), 2);
}

TEST_F(ModelsRpcTest, AHotSwapFailsNoStepAndChangesNoPinnedTrajectory) {
  constexpr int kSteps = 300;
  // The same session, alone.
  std::vector<std::string> alone;
  const std::string twin = ReadyOn("0123abcd");
  v1::StepReply reply;
  for (int i = 0; i < kSteps; ++i) {
    ASSERT_TRUE(Step(StepOf(twin, {i % 2 == 0 ? 0.5f : -0.5f}), &reply).ok());
    alone.push_back(reply.observations().at("latent").data());
  }
  const std::string pinned = ReadyOn("0123abcd");
  std::atomic<bool> over = false;
  std::atomic<int> failed = 0, others = 0;
  std::vector<std::string> seen;
  std::thread stepping([&] {
    for (int i = 0; i < kSteps || !over; ++i) {
      v1::StepReply step;
      if (!Step(StepOf(pinned, {i % 2 == 0 ? 0.5f : -0.5f}), &step).ok()) ++failed;
      if (i < kSteps) seen.push_back(step.observations().at("latent").data());
    }
  });
  // Trainers that come and go, on whatever the default is.
  std::thread coming([&] {
    while (!over) {
      const std::string id = ReadyOn("");
      v1::StepReply step;
      for (int i = 0; i < 5; ++i) failed += Step(StepOf(id, {0.25f}), &step).ok() ? 0 : 1;
      failed += Close(id).ok() ? 0 : 1;
      ++others;
    }
  });
  v1::Model model;
  for (int swap = 0; swap < 20; ++swap) {
    EXPECT_TRUE(Load("second", &model, /*set_default=*/true).ok());
    EXPECT_FALSE(Load("broken", &model).ok());
    EXPECT_TRUE(SetDefault("0123abcd").ok());
    EXPECT_TRUE(Unload("second", &model, /*drain=*/true).ok());
    // A new trainer may hold it for a moment.
    while (List().size() > 2) std::this_thread::yield();
  }
  over = true;
  stepping.join();
  coming.join();
  EXPECT_EQ(failed, 0);
  EXPECT_GT(others, 0);
  EXPECT_EQ(seen, alone);
}

TEST_F(ModelsRpcTest, StatesGoToTheVersionThatTheyBelongTo) {
  v1::Model model;
  ASSERT_TRUE(Load("second", &model).ok());
  const std::string first = ReadyOn("0123abcd"), second = ReadyOn("second");
  v1::StepReply reply;
  ASSERT_TRUE(Step(StepOf(second, {0.5f}), &reply).ok());
  const std::string blob = Export(second);
  // Without a session the state itself says which world draws it.
  v1::RenderRequest render;
  render.mutable_state()->set_blob(blob);
  render.add_outputs(v1::RENDER_OUTPUT_GAUSSIANS);
  v1::RenderReply image;
  ASSERT_TRUE(Render(render, &image).ok());
  v1::ImagineRequest imagine;
  imagine.mutable_state()->set_blob(blob);
  *imagine.mutable_actions() = fakes::F32({1, 2, 2}, {0, 0, 0, 0});
  const size_t steps_before = loaded_["second"]->Batches().size();
  {
    grpc::ClientContext context;
    auto stream = simulator_->Imagine(&context, imagine);
    v1::ImagineChunk chunk;
    while (stream->Read(&chunk)) {
    }
    EXPECT_TRUE(stream->Finish().ok());
  }
  EXPECT_EQ(loaded_["second"]->Batches().size(), steps_before + 2 * 2);  // of two calls each
  // A session of another version takes it neither as an init nor for itself.
  v1::ResetRequest reset;
  reset.set_session_id(first);
  reset.mutable_state()->set_blob(blob);
  v1::ResetReply start;
  EXPECT_EQ(DetailsOf(Reset(reset, &start)).reason, "STATE_MISMATCH");
  v1::ImportStateRequest import;
  import.set_session_id(first);
  import.set_blob(blob);
  v1::ImportStateReply imported;
  EXPECT_EQ(
      DetailsOf(Call(*simulator_, &v1::Simulator::Stub::ImportState, import, &imported)).reason,
      "STATE_MISMATCH");
  // Once the version is gone, nobody does.
  ASSERT_TRUE(Close(second).ok());
  ASSERT_TRUE(Unload("second", &model).ok());
  EXPECT_EQ(DetailsOf(Render(render, &image)).reason, "STATE_MISMATCH");
}

TEST_F(ModelsRpcTest, SpecAndPerceptionFollowTheNamedModel) {
  v1::Model model;
  ASSERT_TRUE(Load("third", &model).ok());
  v1::GetSpecRequest request;
  v1::SimulatorSpec spec;
  request.set_model_id("other");
  ASSERT_TRUE(Call(*simulator_, &v1::Simulator::Stub::GetSpec, request, &spec).ok());
  EXPECT_EQ(spec.checkpoint_digest(), "third");
  request.set_checkpoint_digest("0123abcd");
  EXPECT_EQ(DetailsOf(Call(*simulator_, &v1::Simulator::Stub::GetSpec, request, &spec)).reason,
            "UNKNOWN");
  v1::EncodeRequest encode;
  *encode.mutable_frames() = fakes::TestFrames(1, 1, 'a');
  encode.set_checkpoint_digest("absent");
  v1::EncodeReply encoded;
  EXPECT_EQ(DetailsOf(Call(*perception_, &v1::Perception::Stub::Encode, encode, &encoded)).field,
            "checkpoint_digest");
  encode.set_checkpoint_digest("third");
  EXPECT_TRUE(Call(*perception_, &v1::Perception::Stub::Encode, encode, &encoded).ok());
}

TEST_F(ModelsRpcTest, AGraceEndsTheSessionsThatAreLeft) {
  v1::Model model;
  ASSERT_TRUE(Load("second", &model).ok());
  const std::string id = ReadyOn("second");
  const grpc::Status in_use = Unload("second", &model);
  EXPECT_EQ(in_use.error_code(), grpc::FAILED_PRECONDITION);
  EXPECT_EQ(DetailsOf(in_use).reason, "MODEL_IN_USE");
  ASSERT_TRUE(Unload("second", &model, true, 60).ok());
  EXPECT_EQ(model.state(), v1::Model::STATE_DRAINING);
  v1::StepReply reply;
  EXPECT_TRUE(Step(StepOf(id, {0.5f}), &reply).ok());
  v1::CreateSessionRequest create;
  create.set_checkpoint_digest("second");
  v1::Session session;
  EXPECT_EQ(DetailsOf(TryCreate(create, &session)).reason, "MODEL_DRAINING");
  v1::ForkRequest fork;
  fork.set_session_id(id);
  v1::ForkReply forked;
  EXPECT_EQ(DetailsOf(Call(*simulator_, &v1::Simulator::Stub::Fork, fork, &forked)).reason,
            "MODEL_DRAINING");
  clock_.Advance(absl::Seconds(60));
  server_->ReapExpiredSessions();
  const grpc::Status gone = Step(StepOf(id, {0.5f}), &reply);
  EXPECT_EQ(gone.error_code(), grpc::NOT_FOUND);
  EXPECT_EQ(DetailsOf(gone).reason, "MODEL_UNLOADED");
}

TEST_F(ModelsRpcTest, HealthFollowsTheModels) {
  EXPECT_EQ(HealthOf("model/fake"), HealthCheckResponse::SERVING);
  EXPECT_EQ(HealthOf("model/other"), HealthCheckResponse::SERVICE_UNKNOWN);
  v1::Model model;
  ASSERT_TRUE(Load("third", &model).ok());
  EXPECT_EQ(HealthOf("model/other"), HealthCheckResponse::SERVING);
  ASSERT_TRUE(Unload("third", &model).ok());
  EXPECT_EQ(model.state(), v1::Model::STATE_UNLOADED);
  EXPECT_EQ(HealthOf("model/other"), HealthCheckResponse::NOT_SERVING);
}

TEST_F(ModelsRpcTest, WhatCannotBeLoadedIsSaidWithoutPaths) {
  v1::Model model;
  const grpc::Status broken = Load("broken", &model);
  EXPECT_EQ(broken.error_code(), grpc::DATA_LOSS);
  EXPECT_EQ(DetailsOf(broken).reason, "BAD_CHECKPOINT");
  EXPECT_EQ(broken.error_message(), "broken/model.safetensors is truncated");
  for (const char* path : {"../models", "/etc", "", "second/../../.."}) {
    const grpc::Status refused = Load(path, &model);
    EXPECT_EQ(refused.error_code(), grpc::INVALID_ARGUMENT) << path;
    EXPECT_EQ(DetailsOf(refused).field, "checkpoint");
  }
  EXPECT_EQ(Load("absent", &model).error_code(), grpc::NOT_FOUND);
  EXPECT_EQ(DetailsOf(Unload("", &model)).field, "checkpoint_digest");
  EXPECT_EQ(DetailsOf(Unload("0123abcd", &model, false, 1)).field, "grace");
  EXPECT_EQ(DetailsOf(Unload("0123abcd", &model, true)).reason, "MODEL_IN_USE");
  v1::GetModelRequest get;
  EXPECT_TRUE(Call(*models_, &v1::Models::Stub::GetModel, get, &model).ok());
  EXPECT_EQ(model.checkpoint_digest(), "0123abcd");
}

TEST_F(ModelsRpcTest, WithoutACheckpointRootNothingIsLoaded) {
  options_.checkpoint_root.clear();
  StartServer();
  v1::Model model;
  EXPECT_EQ(Load("second", &model).error_code(), grpc::UNIMPLEMENTED);
}

TEST_F(ModelsRpcTest, WarmUpTellsTheTimesOfARealStep) {
  v1::WarmUpRequest request;
  request.set_rows(3);
  v1::WarmUpReply reply;
  ASSERT_TRUE(Call(*models_, &v1::Models::Stub::WarmUp, request, &reply).ok());
  EXPECT_EQ(controls_->Batches(), (std::vector<int>{3, 3}));  // a step of two calls
  request.set_rows(65);
  EXPECT_EQ(Call(*models_, &v1::Models::Stub::WarmUp, request, &reply).error_code(),
            grpc::OUT_OF_RANGE);
}

TEST_F(ModelsRpcTest, ShuttingDownWithSeveralModelsGivesEverythingBack) {
  v1::Model model;
  ASSERT_TRUE(Load("second", &model).ok());
  ASSERT_TRUE(Load("third", &model).ok());
  ReadyOn("second");
  ReadyOn("third");
  ReadyOn("0123abcd");
  server_.reset();
  for (const auto& [name, controls] : loaded_) {
    EXPECT_EQ(controls->live_states, 0) << name;
    EXPECT_EQ(controls.use_count(), 1) << name;
  }
}

}  // namespace
}  // namespace gwm::server
