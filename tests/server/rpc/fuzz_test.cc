// Thousands of broken requests: the server answers each with a documented code and goes on serving.
#include <google/protobuf/message.h>
#include <google/protobuf/stubs/logging.h>
#include <grpcpp/generic/generic_stub.h>

#include <functional>
#include <future>
#include <map>
#include <random>

#include "tests/server/rpc/mutations.h"
#include "tests/server/rpc/server_fixture.h"

namespace gwm::server {
namespace {

using google::protobuf::Message;

struct Seed {
  std::string method;
  std::shared_ptr<Message> request;
};

class FuzzTest : public ServerTest {
 protected:
  void SetUp() override {
    // The library would print a line for each string that is not UTF-8.
    google::protobuf::SetLogHandler(nullptr);
    // One chunk at most: the generic client below takes no more.
    options_.limits.max_imagine_steps = 1;
    options_.limits.max_message_bytes = 1 << 20;
    StartServer();
  }

  grpc::Status Send(const std::string& method, const std::string& bytes) {
    grpc::ClientContext context;
    const grpc::Slice slice(bytes);
    const grpc::ByteBuffer request(&slice, 1);
    grpc::ByteBuffer response;
    std::promise<grpc::Status> answered;
    grpc::GenericStub(channel_).UnaryCall(&context, "/gwm.v1." + method, {}, &request, &response,
                                          [&](grpc::Status s) { answered.set_value(s); });
    return answered.get_future().get();
  }

  // A valid request for every RPC.
  std::vector<Seed> Seeds(const std::string& id) {
    std::vector<Seed> seeds;
    const auto add = [&](const std::string& method, auto request) {
      seeds.push_back({method, std::make_shared<decltype(request)>(request)});
    };
    v1::CreateSessionRequest create;
    create.set_num_envs(1);
    create.mutable_idle_ttl()->set_seconds(60);
    create.mutable_sampler()->set_calls(1);
    create.add_observations("rgb");
    v1::GetSessionRequest get;
    get.set_session_id(id);
    v1::ResetRequest reset_pool, reset_frames, reset_episode;
    reset_pool.set_session_id(id);
    reset_pool.add_env_ids(1);
    reset_pool.add_pool_indices(2);
    reset_frames.set_session_id(id);
    *reset_frames.mutable_frames() = fakes::TestFrames(2, 2, 9);
    *reset_frames.mutable_frames()->mutable_actions() = fakes::F32({2, 1, 2}, {0, 0, 0, 0});
    reset_episode.set_session_id(id);
    reset_episode.mutable_episode()->set_path("a/b.safetensors");
    v1::StepRequest step = StepOf(id, {0.0f, 0.0f});
    step.add_observations("rgb");
    *step.mutable_camera() = fakes::TestCamera(4, 4);
    v1::RenderRequest render;
    render.set_session_id(id);
    *render.add_cameras() = fakes::TestCamera(4, 4);
    render.add_outputs(v1::RENDER_OUTPUT_DEPTH);
    v1::ImagineRequest imagine;
    imagine.set_session_id(id);
    *imagine.mutable_actions() = fakes::F32({1, 1, 2}, {0, 0});
    imagine.add_outputs("latent");
    v1::EncodeRequest encode;
    *encode.mutable_frames() = fakes::TestFrames(1, 1, 9);
    encode.set_gaussian_count(1);
    v1::FeaturesRequest features;
    *features.mutable_frames() = fakes::TestFrames(1, 1, 9);
    features.set_pooling(v1::FEATURE_POOLING_ATTENTION);
    features.set_dtype(v1::DTYPE_F16);
    v1::DecodeRequest decode;
    *decode.mutable_latents() = fakes::F32({1, 3, 4}, std::vector<float>(12));
    *decode.mutable_frames() = fakes::TestFrames(1, 1, 9);
    v1::GetSpecRequest spec;
    spec.set_model_id("fake");
    AddStateSeeds(id, seeds);
    AddModelSeeds(seeds);
    add("Simulator/CreateSession", create);
    add("Simulator/GetSession", get);
    add("Simulator/Reset", reset_pool);
    add("Simulator/Reset", reset_frames);
    add("Simulator/Reset", reset_episode);
    add("Simulator/Step", step);
    add("Simulator/Render", render);
    add("Simulator/Imagine", imagine);
    add("Simulator/GetSpec", spec);
    add("Perception/Encode", encode);
    add("Perception/Features", features);
    add("Perception/Decode", decode);
    return seeds;
  }

  // Of calls that carry states, names and masks.
  void AddStateSeeds(const std::string& id, std::vector<Seed>& seeds) {
    const auto add = [&](const std::string& method, auto request) {
      seeds.push_back({method, std::make_shared<decltype(request)>(request)});
    };
    v1::ExportStateRequest save;
    save.set_session_id(id);
    v1::ExportStateReply saved;
    EXPECT_TRUE(Call(*simulator_, &v1::Simulator::Stub::ExportState, save, &saved).ok());
    save.set_keep_on_server(true);
    v1::ImportStateRequest load;
    load.set_session_id(id);
    load.set_blob(saved.state().blob());
    v1::DropStateRequest drop;
    drop.set_state_id(id + "/1");
    v1::ForkRequest fork;
    fork.set_session_id(id);
    fork.set_count(1);
    fork.set_seed_mode(v1::ForkRequest::SEED_MODE_SPLIT);
    v1::ResetRequest reset_state, reset_mask;
    reset_state.set_session_id(id);
    *reset_state.mutable_state() = saved.state();
    reset_mask.set_session_id(id);
    *reset_mask.mutable_reset_mask() = fakes::Filled(v1::DTYPE_BOOL, {2}, 1, 1);
    v1::RenderRequest render;
    *render.mutable_state() = saved.state();
    v1::ImagineRequest imagine;
    *imagine.mutable_state() = saved.state();
    *imagine.mutable_actions() = fakes::F32({1, 1, 2}, {0, 0});
    imagine.set_return_final_state(true);
    v1::StepRequest step = StepOf(id, {0.0f, 0.0f});
    step.add_expected_step(1);
    step.add_expected_step(1);
    step.mutable_context()->set_request_id("name");
    v1::RenewSessionRequest renew;
    renew.set_session_id(id);
    v1::ListSessionsRequest list;
    list.mutable_context()->set_client_id("me");
    list.set_page_size(2);
    list.set_page_token("a");
    v1::PlanRequest plan;
    plan.set_session_id(id);
    plan.set_discount(0.5);
    *plan.mutable_actions() = fakes::F32({2, 1, 2}, {0, 0, 0, 0});
    v1::ObserveRequest observe;
    observe.set_session_id(id);
    *observe.mutable_frames() = fakes::TestFrames(2, 1, 9);
    observe.set_re_anchor(true);
    observe.add_observations("latent");
    add("Simulator/Observe", observe);
    add("Simulator/Plan", plan);
    add("Simulator/ExportState", save);
    add("Simulator/ImportState", load);
    add("Simulator/DropState", drop);
    add("Simulator/Fork", fork);
    add("Simulator/Reset", reset_state);
    add("Simulator/Reset", reset_mask);
    add("Simulator/Render", render);
    add("Simulator/Imagine", imagine);
    add("Simulator/Step", step);
    add("Simulator/RenewSession", renew);
    add("Simulator/ListSessions", list);
  }

  // Of calls on models. Nothing can be loaded here: the server has no checkpoint root.
  void AddModelSeeds(std::vector<Seed>& seeds) {
    const auto add = [&](const std::string& method, auto request) {
      seeds.push_back({method, std::make_shared<decltype(request)>(request)});
    };
    v1::GetModelRequest get;
    get.set_model_id("fake");
    v1::LoadModelRequest load;
    load.set_checkpoint("next");
    load.set_expected_digest("4567");
    v1::SetDefaultModelRequest set_default;
    set_default.set_checkpoint_digest("0123abcd");
    v1::WarmUpRequest warm_up;
    warm_up.set_rows(2);
    add("Models/GetModel", get);
    add("Models/LoadModel", load);
    add("Models/SetDefaultModel", set_default);
    add("Models/WarmUp", warm_up);
  }

  // Documented, and no bug of ours.
  void ExpectDocumented(const grpc::Status& status, const std::string& method) {
    static const std::map<grpc::StatusCode, bool> kAllowed = {
        {grpc::OK, true},
        {grpc::INVALID_ARGUMENT, true},
        {grpc::NOT_FOUND, true},
        {grpc::OUT_OF_RANGE, true},
        {grpc::FAILED_PRECONDITION, true},
        {grpc::ABORTED, true},
        {grpc::UNIMPLEMENTED, true},
        {grpc::DATA_LOSS, true},
        {grpc::RESOURCE_EXHAUSTED, true},
        {grpc::INTERNAL, true}};  // of gRPC itself, for bytes that are no message
    EXPECT_TRUE(kAllowed.contains(status.error_code()))
        << method << ": " << status.error_code() << " " << status.error_message();
    EXPECT_NE(fakes::DetailsOf(status).reason, "BUG") << method << status.error_message();
  }

  void ExpectServing(const std::string& id) {
    v1::ResetRequest reset;
    reset.set_session_id(id);
    v1::ResetReply reset_reply;
    ASSERT_TRUE(Reset(reset, &reset_reply).ok());
    v1::StepReply reply;
    v1::StepRequest step = StepOf(id, {0.0f, 0.0f});
    // A fork may have added more.
    step.add_env_ids(0);
    step.add_env_ids(1);
    ASSERT_TRUE(Step(step, &reply).ok());
  }

  void Fuzz(const std::function<std::string(const Seed&, Random&)>& mutate) {
    Random random(2024);
    const size_t count = Seeds(Ready(2)).size();
    for (size_t i = 0; i < count; ++i) {
      // Afresh: what earlier requests made would leave no room for this one.
      StartServer();
      const std::string id = Ready(2);
      const Seed seed = Seeds(id)[i];
      ASSERT_NO_FATAL_FAILURE(ExpectServing(id));
      const grpc::Status valid = Send(seed.method, seed.request->SerializeAsString());
      EXPECT_TRUE(valid.ok() || valid.error_code() == grpc::UNIMPLEMENTED)
          << seed.method << valid.error_message();
      for (int turn = 0; turn < 400; ++turn) {
        ExpectDocumented(Send(seed.method, mutate(seed, random)), seed.method);
      }
      ASSERT_NO_FATAL_FAILURE(ExpectServing(id));
    }
  }
};

TEST_F(FuzzTest, SurvivesStructuredMutationsOfEveryRequest) {
  Fuzz([](const Seed& seed, Random& random) {
    std::unique_ptr<Message> request(seed.request->New());
    request->CopyFrom(*seed.request);
    for (uint64_t edits = 1 + random() % 2; edits > 0; --edits) MutateMessage(*request, random);
    return request->SerializeAsString();
  });
}

TEST_F(FuzzTest, SurvivesRawByteMutationsOfEveryRequest) {
  Fuzz([](const Seed& seed, Random& random) {
    return MutateBytes(seed.request->SerializeAsString(), random);
  });
}

TEST_F(FuzzTest, RefusesAMessageAboveTheLimitBeforeReadingIt) {
  const std::string id = Ready(2);
  const grpc::Status status = Send("Simulator/Step", std::string((1 << 20) + 1, 'x'));
  EXPECT_EQ(status.error_code(), grpc::RESOURCE_EXHAUSTED);
  ExpectServing(id);
}

}  // namespace
}  // namespace gwm::server
