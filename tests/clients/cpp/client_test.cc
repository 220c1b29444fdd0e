#include "gwm/client.h"

#include <future>
#include <numeric>

#include "tests/clients/cpp/client_fixture.h"

namespace gwm::client {
namespace {

TEST_F(ClientTest, EveryCallOfTheDeviceCarriesTheClientsPriority) {
  Client low(server_.address(), {.priority = Priority::kLow});
  Session session = low.CreateSession();
  session.Reset();
  session.Step(Zeros({2, 4}));
  session.Render();
  session.Imagine(Zeros({1, 1, 4}), {}, [](const ImagineChunk&) { return true; });
  EXPECT_EQ(server_.reset_request.context().priority(), v1::PRIORITY_LOW);
  EXPECT_EQ(server_.step_request.context().priority(), v1::PRIORITY_LOW);
  EXPECT_EQ(server_.render_request.context().priority(), v1::PRIORITY_LOW);
  EXPECT_EQ(server_.imagine_request.context().priority(), v1::PRIORITY_LOW);
  client_.CreateSession().Render();
  EXPECT_FALSE(server_.render_request.has_context());
}

TEST_F(ClientTest, SendsWhatTheSessionOptionsSay) {
  const Session session = client_.CreateSession({.num_envs = 2,
                                                 .seed = 9,
                                                 .sampler_calls = 3,
                                                 .observations = {"rgb"},
                                                 .idle_ttl = milliseconds(1500),
                                                 .max_episode_steps = 50,
                                                 .max_expected_error = 0.5F});
  EXPECT_EQ(server_.create_request.num_envs(), 2U);
  EXPECT_EQ(server_.create_request.seed(), 9U);
  EXPECT_EQ(server_.create_request.sampler().calls(), 3U);
  EXPECT_EQ(server_.create_request.idle_ttl().seconds(), 1);
  EXPECT_EQ(server_.create_request.idle_ttl().nanos(), 500'000'000);
  EXPECT_EQ(server_.create_request.max_episode_steps(), 50U);
  EXPECT_EQ(server_.create_request.max_expected_error(), 0.5F);
  EXPECT_EQ(session.id(), "abc");
  EXPECT_EQ(session.num_envs(), 2U);
  EXPECT_EQ(session.seed(), 7U);
}

TEST_F(ClientTest, LeavesTheSeedToTheServerWhenNoneIsGiven) {
  const Session session = client_.CreateSession();
  EXPECT_FALSE(server_.create_request.has_seed());
}

TEST_F(ClientTest, ClosesTheSessionOnDestructionExactlyOnce) {
  {
    Session first = client_.CreateSession();
    Session second = std::move(first);
    second.Close();
    second.Close();
  }
  EXPECT_THAT(server_.closed_sessions, ElementsAre("abc"));
  { const Session third = client_.CreateSession(); }
  EXPECT_THAT(server_.closed_sessions, ElementsAre("abc", "abc"));
}

TEST_F(ClientTest, FindsItsSessionsAgainUnderItsName) {
  server_.pages.resize(2);
  server_.pages[0].add_sessions()->set_session_id("a");
  server_.pages[0].set_next_page_token("1");
  server_.pages[1].add_sessions()->set_session_id("b");
  Client named(server_.address(), {.client_id = "trainer 3"});
  const auto sessions = named.ListSessions();
  ASSERT_EQ(sessions.size(), 2U);
  EXPECT_EQ(sessions[1].id, "b");
  EXPECT_EQ(server_.list_requests[1].context().client_id(), "trainer 3");
  server_.session.set_replays_calls(true);
  server_.session.add_envs()->set_step_index(4);
  server_.session.add_envs()->set_step_index(5);
  Session session = named.AttachSession(sessions[0].id);
  session.Step(Zeros({1, 4}), {.env_ids = {1}});
  EXPECT_THAT(server_.step_request.expected_step(), ElementsAre(5));
  const Session made = client_.CreateSession({.evictable = true});
  EXPECT_GT(server_.create_request.context().client_id().size(), 16U);
  EXPECT_TRUE(server_.create_request.evictable());
}

TEST(UnixSocketTest, ReachesAServerOnAUnixSocket) {
  const std::string path = ::testing::TempDir() + "/gwm_client_test.sock";
  ScriptedServer server(path);
  server.info.set_version("9");
  EXPECT_EQ(Client("unix:" + path).GetServerInfo().version, "9");
}

TEST_F(ClientTest, RefusesToUseAClosedSession) {
  Session session = client_.CreateSession();
  session.Close();
  const auto error = ErrorOf([&] { session.Step(Zeros({1, 4})); });
  EXPECT_EQ(error->code(), Code::kFailedPrecondition);
  EXPECT_EQ(error->reason(), "CLOSED");
}

TEST_F(ClientTest, OutlivesTheClientThatMadeIt) {
  std::optional<Client> client(std::in_place, server_.address());
  Session session = client->CreateSession();
  client.reset();
  EXPECT_EQ(session.Renew(), milliseconds(300'000));
}

TEST_F(ClientTest, ResetsFromFramesWithTheirBytesUntouched) {
  Session session = client_.CreateSession();
  Frames frames;
  frames.rgb =
      Tensor{DType::kU8, {1, 1, 1, 2, 2, 3}, std::string("\0\1\2\3\4\5\6\7\x8\x9\xa\xff", 12)};
  frames.depth_mm = Tensor{DType::kU16, {1, 1, 1, 2, 2}, std::string(8, '\2')};
  frames.intrinsics = Zeros({1, 3, 3});
  frames.world_from_cam = Zeros({1, 4, 4});
  server_.reset_reply.add_episode(4);
  (*server_.reset_reply.mutable_observations())["latent"] = FloatTensor({1, 2}, {0.5F, -1.0F});
  const ResetResult result =
      session.Reset({.init = frames, .env_ids = {1}, .seed = 11, .observations = {"latent"}});
  EXPECT_EQ(server_.reset_request.frames().rgb().data(), frames.rgb.data);
  EXPECT_EQ(server_.reset_request.frames().depth_mm().dtype(), v1::DTYPE_U16);
  EXPECT_FALSE(server_.reset_request.frames().has_actions());
  EXPECT_THAT(server_.reset_request.env_ids(), ElementsAre(1));
  EXPECT_EQ(server_.reset_request.seed(), 11U);
  EXPECT_THAT(result.episode, ElementsAre(4));
  EXPECT_THAT(result.observations.at("latent").values<float>(), ElementsAre(0.5F, -1.0F));
}

TEST_F(ClientTest, ResetsFromAnEpisodeFrameOrFromThePool) {
  Session session = client_.CreateSession();
  session.Reset({.init = EpisodeFrame{"hammer/a.safetensors", 12}});
  EXPECT_EQ(server_.reset_request.episode().path(), "hammer/a.safetensors");
  EXPECT_EQ(server_.reset_request.episode().frame(), 12U);
  session.Reset({.init = FromPool{{3, 1}}});
  EXPECT_THAT(server_.reset_request.pool_indices(), ElementsAre(3, 1));
  session.Reset();
  EXPECT_EQ(server_.reset_request.init_case(), v1::ResetRequest::INIT_NOT_SET);
  EXPECT_EQ(server_.reset_request.pool_indices_size(), 0);
}

TEST_F(ClientTest, StepsASubsetAndReadsEveryField) {
  Session session = client_.CreateSession();
  *server_.step_reply.mutable_reward() = FloatTensor({2}, {1.5F, -2.0F});
  *server_.step_reply.mutable_terminated() = BoolTensor({2}, {false, true});
  *server_.step_reply.mutable_truncated() = BoolTensor({2}, {true, false});
  *server_.step_reply.mutable_success() = BoolTensor({2}, {true, true});
  server_.step_reply.add_step_index(5);
  server_.step_reply.add_row_status();
  auto* failed = server_.step_reply.add_row_status();
  failed->set_code(15);
  failed->set_reason("NON_FINITE");
  server_.step_reply.mutable_timing()->mutable_gpu()->set_nanos(2'500'000);
  const std::vector<float> actions(8, 0.25F);
  const StepResult step =
      session.Step(Tensor::From<float>({2, 4}, actions),
                   {.env_ids = {1, 0}, .sampler_calls = 2, .sampler = Sampler::kHeun});
  EXPECT_THAT(server_.step_request.env_ids(), ElementsAre(1, 0));
  EXPECT_THAT(server_.step_request.actions().shape(), ElementsAre(2, 4));
  EXPECT_EQ(server_.step_request.sampler_calls(), 2U);
  EXPECT_EQ(server_.step_request.sampler_kind(), v1::SAMPLER_KIND_HEUN);
  EXPECT_FALSE(server_.step_request.has_camera());
  EXPECT_THAT(step.reward, ElementsAre(1.5F, -2.0F));
  EXPECT_THAT(step.terminated, ElementsAre(false, true));
  EXPECT_THAT(step.truncated, ElementsAre(true, false));
  EXPECT_THAT(step.success, ElementsAre(true, true));
  EXPECT_THAT(step.step_index, ElementsAre(5));
  ASSERT_EQ(step.row_status.size(), 2U);
  EXPECT_EQ(step.row_status[0].code, Code::kOk);
  EXPECT_EQ(step.row_status[1].code, Code::kDataLoss);
  EXPECT_DOUBLE_EQ(step.timing.device_ms, 2.5);
}

TEST_F(ClientTest, ForksIntoANewSessionAndIntoItsOwn) {
  server_.session.set_replays_calls(true);
  Session session = client_.CreateSession();
  *server_.fork_reply.mutable_session() = server_.session;
  server_.fork_reply.mutable_session()->set_session_id("child");
  for (uint64_t step : {3, 4, 5}) {
    server_.fork_reply.mutable_session()->add_envs()->set_step_index(step);
  }
  server_.fork_reply.mutable_session()->set_num_envs(3);
  Session child = session.Fork({.env_ids = {1}, .count = 3, .seed = ForkSeed::kSplit});
  EXPECT_EQ(child.id(), "child");
  EXPECT_EQ(child.num_envs(), 3U);
  EXPECT_EQ(server_.fork_request.count(), 3U);
  EXPECT_EQ(server_.fork_request.seed_mode(), v1::ForkRequest::SEED_MODE_SPLIT);
  EXPECT_FALSE(server_.fork_request.into_same_session());
  child.Step(Zeros({3, 4}));
  EXPECT_THAT(server_.step_request.expected_step(), ElementsAre(3, 4, 5));
  server_.fork_reply.add_env_ids(2);
  EXPECT_THAT(session.ForkHere({.env_ids = {0}}), ElementsAre(2));
  EXPECT_TRUE(server_.fork_request.into_same_session());
  EXPECT_EQ(session.num_envs(), 3U);
  session.Step(Zeros({1, 4}), {.env_ids = {2}});
  EXPECT_THAT(server_.step_request.expected_step(), ElementsAre(5));
}

TEST_F(ClientTest, PlansAndReadsTheBestSequence) {
  Session session = client_.CreateSession();
  *server_.plan_reply.mutable_returns() = FloatTensor({2}, {0.5F, 2.0F});
  server_.plan_reply.set_best(1);
  *server_.plan_reply.mutable_best_actions() = FloatTensor({1, 2}, {0.25F, -0.25F});
  *server_.plan_reply.mutable_success() = BoolTensor({2}, {false, true});
  *server_.plan_reply.mutable_expected_error() = FloatTensor({1}, {0.125F});
  const PlanResult plan = session.Plan(Zeros({2, 1, 2}), {.env_id = 1, .discount = 0.9});
  EXPECT_EQ(server_.plan_request.env_id(), 1U);
  EXPECT_EQ(server_.plan_request.discount(), 0.9);
  EXPECT_THAT(plan.returns, ElementsAre(0.5F, 2.0F));
  EXPECT_EQ(plan.best, 1U);
  EXPECT_THAT(plan.best_actions.values<float>(), ElementsAre(0.25F, -0.25F));
  EXPECT_THAT(plan.success, ElementsAre(false, true));
  EXPECT_THAT(plan.expected_error, ElementsAre(0.125F));
}

TEST_F(ClientTest, SendsRealFramesAndReadsHowFarTheImaginedStatesWere) {
  server_.session.set_replays_calls(true);
  Session session = client_.CreateSession();
  *server_.observe_reply.mutable_latent_error() = FloatTensor({1}, {0.25F});
  *server_.observe_reply.mutable_psnr_db() = FloatTensor({1}, {31.5F});
  server_.observe_reply.add_step_index(4);
  const Frames frames{.rgb = Zeros({1, 1, 1, 2, 2, 3}),
                      .depth_mm = {},
                      .intrinsics = {},
                      .world_from_cam = {},
                      .actions = {}};
  const ObserveResult result = session.Observe(frames, {.env_ids = {3}, .re_anchor = true});
  EXPECT_THAT(result.latent_error, ElementsAre(0.25F));
  EXPECT_THAT(result.psnr_db, ElementsAre(31.5F));
  EXPECT_THAT(result.step_index, ElementsAre(4));
  EXPECT_THAT(server_.observe_request.env_ids(), ElementsAre(3));
  EXPECT_TRUE(server_.observe_request.re_anchor());
  EXPECT_EQ(server_.observe_request.frames().rgb().shape_size(), 6);
  EXPECT_FALSE(server_.observe_request.context().request_id().empty());
  session.Observe(frames);
  EXPECT_TRUE(server_.observe_request.context().request_id().empty());
}

TEST_F(ClientTest, CarriesStatesFromHereToThere) {
  server_.session.set_replays_calls(true);
  Session session = client_.CreateSession();
  const StateRef blob = session.ExportState(1);
  EXPECT_EQ(blob.blob, "blob of 1");
  const StateRef kept = session.KeepState();
  EXPECT_EQ(kept.state_id, "state 0");
  EXPECT_EQ(session.ImportState("b").state_id, "imported b");
  session.DropState(kept);
  EXPECT_THAT(server_.dropped_states, ElementsAre("state 0"));
  server_.reset_reply.add_episode(0);
  server_.reset_reply.add_step_index(7);
  EXPECT_THAT(session.Reset({.init = blob, .env_ids = {0}}).step_index, ElementsAre(7));
  EXPECT_EQ(server_.reset_request.state().blob(), "blob of 1");
  session.Step(Zeros({1, 4}), {.env_ids = {0}});
  EXPECT_THAT(server_.step_request.expected_step(), ElementsAre(7));
  session.Render({.state = kept});
  EXPECT_EQ(server_.render_request.state().state_id(), "state 0");
  EXPECT_EQ(server_.render_request.session_id(), "");
  server_.chunks.resize(1);
  server_.chunks[0].add_final_states()->set_blob("end");
  std::string end;
  session.Imagine(Zeros({1, 1, 4}), {.state = kept, .return_final_state = true},
                  [&](const ImagineChunk& chunk) {
                    end = chunk.final_states.at(0).blob;
                    return true;
                  });
  EXPECT_EQ(end, "end");
  EXPECT_EQ(server_.imagine_request.session_id(), "");
  EXPECT_TRUE(server_.imagine_request.return_final_state());
}

TEST_F(ClientTest, RendersFromGivenCamerasAsFloats) {
  Session session = client_.CreateSession();
  auto* images = server_.render_reply.mutable_images();
  *images->mutable_rgb() = FloatTensor({1, 1, 1, 1, 3}, {0.0F, 0.5F, 1.0F});
  *images->add_gaussians()->mutable_means() = FloatTensor({1, 3}, {1, 2, 3});
  Camera camera{.width = 1, .height = 1};
  camera.world_from_cam[15] = 1;
  const Images rendered = session.Render({.cameras = {camera},
                                          .outputs = {RenderOutput::kRgb, RenderOutput::kGaussians},
                                          .rgb_f32 = true});
  EXPECT_EQ(server_.render_request.rgb_dtype(), v1::DTYPE_F32);
  EXPECT_THAT(server_.render_request.outputs(),
              ElementsAre(v1::RENDER_OUTPUT_RGB, v1::RENDER_OUTPUT_GAUSSIANS));
  EXPECT_EQ(server_.render_request.cameras(0).world_from_cam(15), 1);
  EXPECT_THAT(rendered.rgb.values<float>(), ElementsAre(0.0F, 0.5F, 1.0F));
  EXPECT_TRUE(rendered.depth.empty());
  ASSERT_EQ(rendered.gaussians.size(), 1U);
  EXPECT_THAT(rendered.gaussians[0].means.values<float>(), ElementsAre(1, 2, 3));
}

TEST_F(ClientTest, HandsOverImaginedChunksInOrder) {
  Session session = client_.CreateSession();
  for (uint32_t t = 1; t <= 3; ++t) {
    v1::ImagineChunk chunk;
    chunk.set_t(t);
    *chunk.mutable_reward() = FloatTensor({1, 1}, {static_cast<float>(t)});
    server_.chunks.push_back(chunk);
  }
  std::vector<float> rewards;
  session.Imagine(Zeros({1, 3, 4}), {.env_id = 1, .seed = 3}, [&](const ImagineChunk& chunk) {
    rewards.push_back(chunk.reward.values<float>()[0]);
    return true;
  });
  EXPECT_THAT(rewards, ElementsAre(1, 2, 3));
  EXPECT_EQ(server_.imagine_request.env_id(), 1U);
  EXPECT_EQ(server_.imagine_request.seed(), 3U);
  EXPECT_THAT(server_.imagine_request.actions().shape(), ElementsAre(1, 3, 4));
}

TEST_F(ClientTest, EndsARolloutEarlyWithoutAnError) {
  Session session = client_.CreateSession();
  server_.chunks.resize(5);
  int seen = 0;
  session.Imagine(Zeros({1, 5, 4}), {}, [&](const ImagineChunk&) { return ++seen < 2; });
  EXPECT_EQ(seen, 2);
}

TEST_F(ClientTest, PassesOnWhatTheChunkCallbackThrows) {
  Session session = client_.CreateSession();
  server_.chunks.resize(5);
  EXPECT_THROW(session.Imagine(Zeros({1, 5, 4}), {},
                               [](const ImagineChunk&) -> bool { throw std::logic_error("stop"); }),
               std::logic_error);
}

TEST_F(ClientTest, EncodesDecodesAndReadsFeatures) {
  *server_.encode_reply.mutable_latents() = FloatTensor({1, 1, 2}, {1, 2});
  *server_.encode_reply.mutable_centres() = FloatTensor({1, 1, 3}, {3, 4, 5});
  *server_.features_reply.mutable_features() = FloatTensor({1, 1, 1}, {9});
  *server_.decode_reply.mutable_images()->mutable_depth() = FloatTensor({1, 1, 1, 1}, {0.5F});
  Frames frames;
  frames.rgb = Tensor{DType::kU8, {0}, {}};
  const LatentTokens tokens = client_.Encode(frames);
  EXPECT_THAT(tokens.latents.values<float>(), ElementsAre(1, 2));
  EXPECT_THAT(tokens.centres.values<float>(), ElementsAre(3, 4, 5));
  EXPECT_THAT(client_.Features(frames).features.values<float>(), ElementsAre(9));
  EXPECT_EQ(server_.features_request.pooling(), v1::FEATURE_POOLING_TOKENS);
  EXPECT_TRUE(tokens.gaussians.empty());
  const Images images = client_.Decode(tokens.latents, frames, {.outputs = {RenderOutput::kDepth}});
  EXPECT_THAT(images.depth.values<float>(), ElementsAre(0.5F));
  EXPECT_EQ(server_.decode_request.latents().data(), tokens.latents.data);
}

TEST_F(ClientTest, AsksForFeaturesAndGaussiansInTheShapesThatPoliciesTake) {
  v1::Tensor& pooled = *server_.features_reply.mutable_features();
  pooled.set_dtype(v1::DTYPE_F16);
  pooled.add_shape(1);
  pooled.add_shape(2);
  pooled.set_data("\x01\x3c\x02\x3c");
  server_.features_reply.set_checkpoint_digest("d1");
  server_.features_reply.set_cache_key("features/d1");
  const FeatureTokens features = client_.Features(
      {}, {.pooling = FeaturePooling::kMean, .dtype = DType::kF16, .model = {.model_id = "small"}});
  EXPECT_EQ(server_.features_request.pooling(), v1::FEATURE_POOLING_MEAN);
  EXPECT_EQ(server_.features_request.dtype(), v1::DTYPE_F16);
  EXPECT_EQ(server_.features_request.model_id(), "small");
  EXPECT_EQ(features.features.dtype, DType::kF16);
  EXPECT_TRUE(features.centres.empty());
  EXPECT_EQ(features.checkpoint_digest, "d1");
  EXPECT_EQ(features.cache_key, "features/d1");

  *server_.encode_reply.add_gaussians()->mutable_means() = FloatTensor({2, 3}, {1, 2, 3, 4, 5, 6});
  server_.encode_reply.set_checkpoint_digest("d1");
  const LatentTokens tokens = client_.Encode({}, {.gaussian_count = 2});
  EXPECT_EQ(server_.encode_request.gaussian_count(), 2U);
  ASSERT_EQ(tokens.gaussians.size(), 1U);
  EXPECT_THAT(tokens.gaussians[0].means.values<float>(), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_EQ(tokens.checkpoint_digest, "d1");
}

}  // namespace
}  // namespace gwm::client
