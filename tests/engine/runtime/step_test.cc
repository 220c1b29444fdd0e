// A step, one denoiser call at a time, on a small random model.
#include <gtest/gtest.h>

#include <map>

#include "tests/engine/runtime/world_fixture.h"

namespace gwm {
namespace {

class StepInProgressTest : public testing::WorldTest {
 protected:
  void SetUp() override {
    world_ = Open();
    state_ = ResetTo(*world_, {1})[0];
  }
  // A row that differs from the others in action and noise.
  StepInProgressPtr Begin(uint32_t row, const StepOptions& options) {
    const auto action = Action(row, 0);
    auto begun = world_->BeginStep(
        {{.state = state_, .action = action, .noise = {.seed = 3, .env = row}}}, options);
    EXPECT_TRUE(begun.ok()) << begun.status();
    return std::move(begun->front());
  }
  StepRow Finish(StepInProgress& row) {
    while (row.calls_left() > 0) {
      StepInProgress* const rows[] = {&row};
      EXPECT_TRUE(world_->Advance(rows).ok());
    }
    return row.TakeResult();
  }
  // Everything that a row tells, as bytes.
  std::string Bytes(const StepRow& row) {
    EXPECT_TRUE(row.status.ok()) << row.status;
    std::string bytes = world_->Latents(row.next)->latents.data;
    for (const float value : {row.reward, row.success_probability, *row.expected_error}) {
      bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
    }
    return bytes;
  }

  std::unique_ptr<World> world_;
  StatePtr state_;
};

constexpr StepOptions kOne{.sampler_calls = 1, .sampler = SamplerKind::kEuler};
constexpr StepOptions kThree{.sampler_calls = 3, .sampler = SamplerKind::kEuler};
constexpr StepOptions kThreeHeun{.sampler_calls = 3, .sampler = SamplerKind::kHeun};

TEST_P(StepInProgressTest, CountsItsDenoiserCalls) {
  EXPECT_EQ(Begin(1, kOne)->calls_left(), 1);
  EXPECT_EQ(Begin(1, kThree)->calls_left(), 3);
  const auto heun = Begin(1, kThreeHeun);
  EXPECT_EQ(heun->calls_left(), DenoiserCalls(SamplerKind::kHeun, 3));
  StepInProgress* const rows[] = {heun.get()};
  ASSERT_TRUE(world_->Advance(rows).ok());
  EXPECT_EQ(heun->calls_left(), 4);
}

TEST_P(StepInProgressTest, TellsWhatTheHeadsTookOfTheLastCall) {
  const auto step = Begin(1, {.sampler_calls = 2, .sampler = SamplerKind::kEuler});
  StepInProgress* const rows[] = {step.get()};
  ASSERT_TRUE(world_->Advance(rows).ok());
  const absl::Duration between = world_->HeadsTime();
  ASSERT_TRUE(world_->Advance(rows).ok());
  EXPECT_GT(world_->HeadsTime(), between);
}

TEST_P(StepInProgressTest, RowsAtDifferentNoiseLevelsShareABatchBitForBit) {
  const std::vector<StepOptions> kinds = {kOne, kThree, kThreeHeun};
  std::vector<std::string> alone;
  for (uint32_t row = 0; row < 9; ++row) {
    const auto step = Begin(row, kinds[row % 3]);
    alone.push_back(Bytes(Finish(*step)));
  }
  // One more row joins at every call, so that hardly two are at the same level.
  std::map<uint32_t, StepInProgressPtr> running;
  std::map<uint32_t, std::string> together;
  for (uint32_t call = 0; call < 9 || !running.empty(); ++call) {
    if (call < 9) running[call] = Begin(call, kinds[call % 3]);
    std::vector<StepInProgress*> rows;
    for (const auto& [row, step] : running) rows.push_back(step.get());
    ASSERT_TRUE(world_->Advance(rows).ok());
    for (auto it = running.begin(); it != running.end();) {
      const bool done = it->second->calls_left() == 0;
      if (done) together[it->first] = Bytes(it->second->TakeResult());
      it = done ? running.erase(it) : std::next(it);
    }
  }
  for (uint32_t row = 0; row < 9; ++row) EXPECT_EQ(together[row], alone[row]) << "row " << row;
}

TEST_P(StepInProgressTest, CallByCallIsTheSameAsAtOnce) {
  const auto action = Action(4, 0);
  const auto at_once = world_->Step(
      {{.state = state_, .action = action, .noise = {.seed = 3, .env = 4}}}, kThreeHeun);
  ASSERT_TRUE(at_once.ok()) << at_once.status();
  const auto step = Begin(4, kThreeHeun);
  EXPECT_EQ(Bytes(Finish(*step)), Bytes(at_once->front()));
}

TEST_P(StepInProgressTest, SecondOrderDiffersFromFirstOnlyWithSeveralLevels) {
  const auto bytes = [&](int levels, SamplerKind kind) {
    const auto step = Begin(2, {.sampler_calls = levels, .sampler = kind});
    return Bytes(Finish(*step));
  };
  EXPECT_EQ(bytes(1, SamplerKind::kHeun), bytes(1, SamplerKind::kEuler));
  EXPECT_NE(bytes(4, SamplerKind::kHeun), bytes(4, SamplerKind::kEuler));
  EXPECT_EQ(bytes(4, SamplerKind::kModel), bytes(4, world_->spec().sampler));
}

TEST_P(StepInProgressTest, ACallThatFailsMovesNoRow) {
  world_ = Open(2);  // room for the start and one more
  state_ = ResetTo(*world_, {1})[0];
  const auto a = Begin(1, kOne), b = Begin(2, kOne), c = Begin(3, kThree);
  StepInProgress* const all[] = {a.get(), b.get(), c.get()};
  EXPECT_EQ(world_->Advance(all).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(a->calls_left(), 1);
  EXPECT_EQ(c->calls_left(), 3);
  StepInProgress* const two[] = {a.get(), c.get()};
  ASSERT_TRUE(world_->Advance(two).ok());
  EXPECT_TRUE(a->TakeResult().status.ok());
  EXPECT_EQ(c->calls_left(), 2);
}

TEST_P(StepInProgressTest, MayOutliveTheWorld) {
  auto step = Begin(1, kThree);
  StepInProgress* const rows[] = {step.get()};
  ASSERT_TRUE(world_->Advance(rows).ok());
  world_.reset();
  state_.reset();
  step.reset();
  EXPECT_EQ(step, nullptr);
}

INSTANTIATE_TEST_SUITE_P(Kinds, StepInProgressTest, ::testing::Values("grid", "set"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace gwm
