#include "clients/rl/replay.h"

#include "tests/clients/rl/test_support.h"

namespace gwm::rl {
namespace {

// Frames of one number, which names them.
ReplayOptions SmallOptions() {
  return {.frame_shape = {1},
          .frame_type = torch::kFloat32,
          .frame_stack = 1,
          .action_dim = 1,
          .max_transitions = 100,
          .n_step = 3,
          .discount = 0.99};
}

torch::Tensor Frame(double name) { return torch::full({1}, name); }

Step MakeStep(double name, double reward = 1) {
  return {.action = torch::full({1}, name / 1000), .reward = reward, .frame = Frame(name)};
}

std::unique_ptr<Replay> MakeReplay(const ReplayOptions& options) {
  absl::StatusOr<std::unique_ptr<Replay>> replay = Replay::Create(options);
  EXPECT_TRUE(replay.ok()) << replay.status();
  return *std::move(replay);
}

absl::StatusCode CodeOf(const absl::Status& status) { return status.code(); }

TEST(ReplayTest, ThreeUnitRewardsGiveTheirDiscountedSum) {
  const auto replay = MakeReplay(SmallOptions());
  ASSERT_TRUE(replay->Begin(0, Frame(0).unsqueeze(0)).ok());
  for (int i = 1; i <= 3; ++i) ASSERT_TRUE(replay->Add(0, MakeStep(i)).ok());
  const auto batch = replay->Sample(64, 0);
  ASSERT_TRUE(batch.ok());
  const torch::Tensor from_start = batch->observation.select(1, 0) == 0;
  ASSERT_TRUE(from_start.any().item<bool>());
  const torch::Tensor returns = batch->reward.masked_select(from_start);
  EXPECT_TRUE(torch::allclose(returns, torch::full_like(returns, 1 + .99 + .99 * .99)));
  const torch::Tensor discounts = batch->discount.masked_select(from_start);
  EXPECT_TRUE(torch::allclose(discounts, torch::full_like(discounts, .99 * .99 * .99)));
}

TEST(ReplayTest, StacksRepeatTheFirstFrameOfAnEpisode) {
  ReplayOptions options = SmallOptions();
  options.frame_stack = 3;
  options.n_step = 1;
  const auto replay = MakeReplay(options);
  ASSERT_TRUE(replay->Begin(0, Frame(5).unsqueeze(0)).ok());
  ASSERT_TRUE(replay->Add(0, MakeStep(6)).ok());
  const auto batch = replay->Sample(1, 0);
  ASSERT_TRUE(batch.ok());
  EXPECT_TRUE(torch::equal(batch->observation[0], torch::tensor({5.f, 5.f, 5.f})));
  EXPECT_TRUE(torch::equal(batch->next_observation[0], torch::tensor({5.f, 5.f, 6.f})));
}

TEST(ReplayTest, FramesBeforeAnEpisodeAreItsHistoryAndStartNothing) {
  ReplayOptions options = SmallOptions();
  options.frame_stack = 3;
  const auto replay = MakeReplay(options);
  ASSERT_TRUE(replay->Begin(0, torch::tensor({{1.f}, {2.f}})).ok());
  ASSERT_TRUE(replay->Add(0, MakeStep(3)).ok());
  EXPECT_EQ(replay->transitions(), 1);
  const auto starts = replay->SampleStarts(4, 0);
  ASSERT_TRUE(starts.ok());
  for (int row = 0; row < 4; ++row) {
    EXPECT_TRUE(torch::equal((*starts)[row], torch::tensor({{1.f}, {1.f}, {2.f}})));
  }
}

TEST(ReplayTest, PixelsAreJoinedAlongTheirChannels) {
  const auto replay = MakeReplay(
      {.frame_shape = {3, 4, 4}, .frame_stack = 3, .action_dim = 1, .max_transitions = 10});
  const auto frame = [](int value) { return torch::full({3, 4, 4}, value, torch::kUInt8); };
  ASSERT_TRUE(replay->Begin(0, frame(10).unsqueeze(0)).ok());
  ASSERT_TRUE(replay->Add(0, {.action = torch::zeros({1}), .frame = frame(20)}).ok());
  const auto batch = replay->Sample(2, 0);
  ASSERT_TRUE(batch.ok());
  EXPECT_EQ(batch->next_observation.sizes(), (std::vector<int64_t>{2, 9, 4, 4}));
  EXPECT_EQ(batch->next_observation.scalar_type(), torch::kUInt8);
  EXPECT_EQ(batch->next_observation[0][5][0][0].item<int>(), 10);
  EXPECT_EQ(batch->next_observation[0][6][0][0].item<int>(), 20);
}

TEST(ReplayTest, StreamsDoNotMix) {
  ReplayOptions options = SmallOptions();
  options.n_step = 1;
  const auto replay = MakeReplay(options);
  for (const int stream : {1, 2}) {
    ASSERT_TRUE(replay->Begin(stream, Frame(100 * stream).unsqueeze(0)).ok());
  }
  for (int i = 1; i < 10; ++i) {
    for (const int stream : {2, 1})
      ASSERT_TRUE(replay->Add(stream, MakeStep(100 * stream + i)).ok());
  }
  const auto all = replay->SingleSteps();
  ASSERT_TRUE(all.ok());
  EXPECT_EQ(all->size(), 18);
  EXPECT_TRUE(torch::equal(all->next_observation, all->observation + 1));
}

TEST(ReplayTest, TheSameCounterDrawsTheSameRows) {
  const auto replay = MakeReplay(SmallOptions());
  ASSERT_TRUE(replay->Begin(0, Frame(0).unsqueeze(0)).ok());
  for (int i = 1; i < 50; ++i) ASSERT_TRUE(replay->Add(0, MakeStep(i)).ok());
  const auto first = replay->Sample(32, 7), again = replay->Sample(32, 7),
             other = replay->Sample(32, 8);
  EXPECT_TRUE(SameBits(first->observation, again->observation));
  EXPECT_FALSE(SameBits(first->observation, other->observation));
}

TEST(ReplayTest, SamplesUniformly) {
  ReplayOptions options = SmallOptions();
  options.max_transitions = 7;
  const auto replay = MakeReplay(options);
  for (int episode = 0; episode < 4; ++episode) {
    ASSERT_TRUE(replay->Begin(0, Frame(10 * episode).unsqueeze(0)).ok());
    for (int i = 1; i < 4; ++i) ASSERT_TRUE(replay->Add(0, MakeStep(10 * episode + i)).ok());
  }
  // Seven places hold the last episode (3 transitions) and the end of the one before (2).
  EXPECT_EQ(replay->transitions(), 5);
  const auto batch = replay->Sample(10000, 0);
  const torch::Tensor counts = batch->observation.select(1, 0).to(torch::kInt64).bincount({}, 40);
  for (const int name : {21, 22, 30, 31, 32}) {
    EXPECT_NEAR(counts[name].item<int64_t>(), 2000, 200) << name;
  }
}

TEST(ReplayTest, BytesLimitThePlaces) {
  ReplayOptions options = {.frame_shape = {3, 64, 64}, .frame_stack = 3, .action_dim = 4};
  options.max_bytes = 10 << 20;
  const auto replay = MakeReplay(options);
  EXPECT_EQ(replay->bytes_per_place(), 3 * 64 * 64 + 4 * 4 + 4 + 8 + 8 + 1);
  EXPECT_EQ(replay->places(), (10 << 20) / replay->bytes_per_place());
}

TEST(ReplayTest, RefusesWrongTensorsAndKeepsItsContent) {
  const auto replay = MakeReplay(SmallOptions());
  EXPECT_EQ(CodeOf(replay->Add(0, MakeStep(1))), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(CodeOf(replay->Begin(0, Frame(0))), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(replay->Begin(0, torch::zeros({2, 1}))), absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(replay->Begin(0, Frame(0).unsqueeze(0)).ok());
  Step step = MakeStep(1);
  step.frame = torch::zeros({1}, torch::kUInt8);
  EXPECT_EQ(CodeOf(replay->Add(0, step)), absl::StatusCode::kInvalidArgument);
  step = MakeStep(1);
  step.action = torch::full({1}, NAN);
  EXPECT_EQ(CodeOf(replay->Add(0, step)), absl::StatusCode::kInvalidArgument);
  step = MakeStep(1, INFINITY);
  EXPECT_EQ(CodeOf(replay->Add(0, step)), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(replay->transitions(), 0);
  EXPECT_EQ(CodeOf(replay->Sample(1, 0).status()), absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(replay->Add(0, MakeStep(1)).ok());
  EXPECT_EQ(replay->transitions(), 1);
  EXPECT_EQ(CodeOf(replay->Sample(0, 0).status()), absl::StatusCode::kInvalidArgument);
}

TEST(ReplayTest, AnEndClosesTheEpisode) {
  const auto replay = MakeReplay(SmallOptions());
  ASSERT_TRUE(replay->Begin(0, Frame(0).unsqueeze(0)).ok());
  Step step = MakeStep(1);
  step.truncated = true;
  ASSERT_TRUE(replay->Add(0, step).ok());
  EXPECT_EQ(CodeOf(replay->Add(0, MakeStep(2))), absl::StatusCode::kFailedPrecondition);
}

TEST(ReplayTest, AStreamThatOthersOverwroteMustBeginAnew) {
  ReplayOptions options = SmallOptions();
  options.max_transitions = 4;
  const auto replay = MakeReplay(options);
  ASSERT_TRUE(replay->Begin(1, Frame(0).unsqueeze(0)).ok());
  ASSERT_TRUE(replay->Begin(2, Frame(10).unsqueeze(0)).ok());
  for (int i = 1; i <= 2; ++i) ASSERT_TRUE(replay->Add(2, MakeStep(10 + i)).ok());
  EXPECT_EQ(CodeOf(replay->Add(1, MakeStep(1))), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(replay->Add(2, MakeStep(13)).ok());
}

TEST(ReplayTest, RefusesOptionsOutOfRange) {
  const auto code = [](auto change) {
    ReplayOptions options = SmallOptions();
    change(options);
    return Replay::Create(options).status().code();
  };
  const auto invalid = absl::StatusCode::kInvalidArgument;
  EXPECT_EQ(code([](ReplayOptions& o) { o.frame_shape = {}; }), invalid);
  EXPECT_EQ(code([](ReplayOptions& o) { o.frame_shape = {0}; }), invalid);
  EXPECT_EQ(code([](ReplayOptions& o) { o.frame_type = torch::kInt64; }), invalid);
  EXPECT_EQ(code([](ReplayOptions& o) { o.frame_stack = 0; }), invalid);
  EXPECT_EQ(code([](ReplayOptions& o) { o.action_dim = 0; }), invalid);
  EXPECT_EQ(code([](ReplayOptions& o) { o.n_step = 0; }), invalid);
  EXPECT_EQ(code([](ReplayOptions& o) { o.discount = 1.5; }), invalid);
  EXPECT_EQ(code([](ReplayOptions& o) { o.max_transitions = 1; }), invalid);
  EXPECT_EQ(code([](ReplayOptions& o) { o.max_bytes = 10; }), invalid);
}

}  // namespace
}  // namespace gwm::rl
