#include "server/schedule/step_quantum.h"

#include <gtest/gtest.h>

#include "server/schedule/executor.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_world.h"
#include "tests/server/schedule/fake_works.h"

namespace gwm::server {
namespace {

using Outcome = LoggedStep::Outcome;
using Batches = std::vector<int>;

// A queue and an executor on a fake world, one quantum at a time.
class StepQuantumTest : public ::testing::Test {
 protected:
  void SetUp() override {
    start_ = world_->world().Reset({{.frames = std::nullopt, .pool_index = 0}})->front();
  }

  std::shared_ptr<CallHandle> Submit(Outcome* outcome, LoggedStep::Args args = {},
                                     CallOptions call = {}) {
    auto handle = MakeCall(call);
    handle->latency().Start(clock_.Now());
    QueueEntry entry{
        .work = std::make_unique<LoggedStep>(handle, world_, start_, std::move(args), outcome),
        .enqueued_at = clock_.Now()};
    EXPECT_TRUE(queue_.Push(entry).ok());
    return handle;
  }
  void RunQuantum() { executor_.RunQuantum(queue_.Take()); }
  void RunAll() {
    while (queue_.length() > 0) RunQuantum();
  }

  fakes::FakeClock clock_;
  DeviceMeter meter_{.clock = &clock_};
  Heartbeat heartbeat_;
  std::shared_ptr<fakes::FakeWorldControls> controls_ =
      std::make_shared<fakes::FakeWorldControls>();
  WorldHandle world_ = std::make_shared<ServedWorld>(
      std::make_unique<MeteredWorld>(fakes::MakeFakeWorld(controls_), &meter_));
  StatePtr start_;
  WorkQueue queue_{{.batch = {.max_rows = 8}, .order = {}}};
  std::vector<BatchReport> reports_;
  Executor executor_{&queue_, &meter_, &heartbeat_,
                     [this](const BatchReport& report) { reports_.push_back(report); }};
};

TEST_F(StepQuantumTest, AOneCallStepRunsBetweenTheCallsOfALongerOne) {
  Outcome slow, quick;
  Submit(&slow, {.calls = 4});
  RunQuantum();
  Submit(&quick);
  RunQuantum();
  EXPECT_TRUE(quick.status.ok()) << quick.status;
  EXPECT_EQ(slow.answers, 0);
  RunAll();
  EXPECT_TRUE(slow.status.ok()) << slow.status;
  // The second call of the one and the only one of the other shared a batch.
  EXPECT_EQ(controls_->Batches(), (Batches{1, 2, 1, 1}));
  EXPECT_EQ(slow.timing.sampler_calls, 4u);
  EXPECT_EQ(slow.timing.batch_rows, 2u);
}

TEST_F(StepQuantumTest, ACancelledStepIsDroppedAtTheNextCall) {
  Outcome outcome;
  const auto call = Submit(&outcome, {.calls = 4});
  RunQuantum();
  call->Cancel();
  RunAll();
  EXPECT_EQ(controls_->Batches(), (Batches{1}));
  EXPECT_EQ(outcome.status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(DetailsOf(outcome.status).phase, "RUNNING");
  EXPECT_EQ(controls_->live_states, 1);
}

TEST_F(StepQuantumTest, ADeadlineThatPassesBetweenCallsEndsTheStep) {
  Outcome outcome;
  Submit(&outcome, {.calls = 4}, {.deadline = clock_.Now() + absl::Seconds(1)});
  RunQuantum();
  clock_.Advance(absl::Seconds(1));
  RunAll();
  EXPECT_EQ(controls_->Batches(), (Batches{1}));
  EXPECT_EQ(outcome.status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(DetailsOf(outcome.status).phase, "RUNNING");
}

TEST_F(StepQuantumTest, ALargeStepIsComputedInPiecesAndAnsweredOnce) {
  Outcome large;
  Submit(&large, {.rows = 20});
  RunAll();
  EXPECT_EQ(controls_->Batches(), (Batches{8, 8, 4}));
  EXPECT_EQ(large.answers, 1);
  EXPECT_EQ(large.rows.size(), 20u);
}

TEST_F(StepQuantumTest, TheResultDoesNotDependOnWhoSharesTheBatch) {
  const auto latents = [&](const Outcome& outcome) {
    return world_->world().Latents(outcome.next.front())->latents.data;
  };
  Outcome alone, among, mate;
  Submit(&alone, {.calls = 3});
  RunAll();
  Submit(&mate, {.rows = 5, .calls = 2});
  RunQuantum();
  Submit(&among, {.calls = 3});
  RunAll();
  EXPECT_EQ(latents(among), latents(alone));
}

TEST_F(StepQuantumTest, WhatDoesNotFitIntoMemoryIsTriedInHalves) {
  controls_->max_step_rows = 2;
  Outcome a, b;
  Submit(&a, {.rows = 4});
  Submit(&b, {.rows = 3});
  RunAll();
  EXPECT_TRUE(a.status.ok()) << a.status;
  EXPECT_TRUE(b.status.ok()) << b.status;
  EXPECT_EQ(controls_->Batches(), (Batches{7, 3, 1, 2, 4, 2, 2}));
}

TEST_F(StepQuantumTest, WhatFitsNotEvenAloneFailsAlone) {
  controls_->pool_states = 3;  // the start and two more
  Outcome small, large;
  Submit(&small);
  Submit(&large, {.rows = 4});
  RunAll();
  EXPECT_TRUE(small.status.ok()) << small.status;
  EXPECT_EQ(large.status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(large.answers, 1);
  EXPECT_EQ(controls_->live_states, 2);
}

TEST_F(StepQuantumTest, AnExceptionOfTheWorldFailsTheWorkWhoseFaultItIs) {
  Outcome before, guilty, after;
  Submit(&before);
  Submit(&guilty, {.action = {fakes::kThrowAction, 0}});
  Submit(&after, {.rows = 3});
  RunAll();
  EXPECT_TRUE(before.status.ok()) << before.status;
  EXPECT_EQ(guilty.status.code(), absl::StatusCode::kInternal);
  EXPECT_TRUE(after.status.ok()) << after.status;
}

TEST_F(StepQuantumTest, AnExceptionOfOneCompletionTouchesNoOther) {
  Outcome before, guilty, after;
  Submit(&before);
  Submit(&guilty, {.throw_in_complete = true});
  Submit(&after);
  RunAll();
  EXPECT_EQ(controls_->Batches(), (Batches{3}));
  EXPECT_TRUE(before.status.ok());
  EXPECT_EQ(guilty.status.code(), absl::StatusCode::kInternal);
  EXPECT_TRUE(after.status.ok());
}

TEST_F(StepQuantumTest, ARowThatIsNotFiniteFailsAlone) {
  Outcome outcome, other;
  Submit(&outcome, {.rows = 3, .first_action = {fakes::kPoisonAction, 0}});
  Submit(&other);
  RunAll();
  ASSERT_EQ(outcome.rows.size(), 3u);
  EXPECT_EQ(outcome.rows[0].code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(outcome.rows[1].ok());
  EXPECT_TRUE(outcome.rows[2].ok());
  EXPECT_TRUE(other.status.ok());
}

TEST_F(StepQuantumTest, TimingTellsWaitingFromComputing) {
  controls_->on_advance = [this](int) { clock_.Advance(absl::Milliseconds(10)); };
  Outcome outcome;
  const absl::Time begun = clock_.Now();
  const auto call = Submit(&outcome, {.calls = 2});
  clock_.Advance(absl::Milliseconds(3));
  RunQuantum();
  clock_.Advance(absl::Milliseconds(4));
  RunQuantum();
  EXPECT_EQ(call->latency().Close(clock_.Now()).stages,
            (StageTimes{{absl::Milliseconds(7), {}, absl::Milliseconds(20), {}, {}, {}}}));
  EXPECT_EQ(clock_.Now() - outcome.timing.started, absl::Milliseconds(20));
  EXPECT_EQ(clock_.Now() - begun, absl::Milliseconds(27));
}

TEST_F(StepQuantumTest, EveryCallOfABatchWaitsForAllOfIt) {
  controls_->on_advance = [this](int rows) { clock_.Advance(rows * absl::Milliseconds(10)); };
  controls_->heads_time = absl::Milliseconds(4);
  Outcome small, large;
  const auto first = Submit(&small);
  const auto second = Submit(&large, {.rows = 3, .on_answer = [this](const Outcome&) {
                                        clock_.Advance(absl::Milliseconds(5));
                                      }});
  RunAll();
  EXPECT_EQ(controls_->Batches(), (Batches{4}));
  const CallLatency quick = first->latency().Close(clock_.Now());
  EXPECT_EQ(quick.stages[size_t{2}], absl::Milliseconds(36));  // dynamics
  EXPECT_EQ(quick.stages[size_t{3}], absl::Milliseconds(4));   // reward
  const CallLatency whole = second->latency().Close(clock_.Now());
  EXPECT_EQ(whole.stages[size_t{2}], absl::Milliseconds(36));
  EXPECT_EQ(whole.total, absl::Milliseconds(45));
}

TEST_F(StepQuantumTest, HeadsAreNoConcernOfAStepWithCallsLeft) {
  controls_->on_advance = [this](int) { clock_.Advance(absl::Milliseconds(10)); };
  controls_->heads_time = absl::Milliseconds(4);
  Outcome outcome;
  const auto call = Submit(&outcome, {.calls = 2});
  RunAll();
  EXPECT_EQ(call->latency().Close(clock_.Now()).stages,
            (StageTimes{{{}, {}, absl::Milliseconds(16), absl::Milliseconds(4), {}, {}}}));
}

TEST_F(StepQuantumTest, EveryQuantumIsReported) {
  controls_->on_advance = [this](int rows) { clock_.Advance(rows * absl::Milliseconds(1)); };
  Outcome outcome;
  Submit(&outcome, {.rows = 2, .calls = 2}, {.work_class = WorkClass::kImagine});
  clock_.Advance(absl::Milliseconds(5));
  RunAll();
  ASSERT_EQ(reports_.size(), 2u);
  EXPECT_EQ(reports_[0].queue_waits, (std::vector{absl::Milliseconds(5)}));
  EXPECT_TRUE(reports_[1].queue_waits.empty());
  EXPECT_EQ(reports_[1].stage, Stage::kStep);
  EXPECT_EQ(reports_[1].work_class, WorkClass::kImagine);
  EXPECT_EQ(reports_[1].rows, 2);
  EXPECT_EQ(reports_[1].stage_time, absl::Milliseconds(2));
  EXPECT_EQ(reports_[0].expected, absl::ZeroDuration());
  EXPECT_EQ(reports_[1].expected, absl::Milliseconds(2));
}

}  // namespace
}  // namespace gwm::server
