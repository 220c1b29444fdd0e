#include "server/training/schedule.h"

#include <gtest/gtest.h>

#include <cmath>

#include "server/training/job_file.h"
#include "server/training/share_limiter.h"

namespace gwm::server {
namespace {

TrainingJob Job(std::vector<PartSchedule> schedule) {
  TrainingJob job;
  for (const PartSchedule& one : schedule) job.parts.push_back({.part = one.part});
  job.spec.schedule = std::move(schedule);
  return job;
}
void Set(TrainingJob& job, TrainPart part, uint64_t updates) {
  for (PartProgress& one : job.parts) {
    if (one.part == part) one.updates = updates;
  }
}

TEST(TargetUpdates, GrowsWithTheFramesUpToItsMaximum) {
  const PartSchedule schedule{.initial_updates = 100, .updates_per_frame = 0.1, .max_updates = 150};
  EXPECT_EQ(TargetUpdates(schedule, 0), 100);
  EXPECT_EQ(TargetUpdates(schedule, 9), 100);
  EXPECT_EQ(TargetUpdates(schedule, 10), 101);
  EXPECT_EQ(TargetUpdates(schedule, 10'000), 150);
  EXPECT_EQ(TargetUpdates({.updates_per_frame = 1e300}, 1000), uint64_t{1} << 53);
}

TEST(NextPart, MakesTheInitialUpdatesInTheOrderOfTheParts) {
  TrainingJob job = Job({{.part = TrainPart::kReward, .initial_updates = 1},
                         {.part = TrainPart::kDynamics, .initial_updates = 2}});
  EXPECT_EQ(NextPart(job), TrainPart::kDynamics);
  Set(job, TrainPart::kDynamics, 2);
  EXPECT_EQ(NextPart(job), TrainPart::kReward);
  EXPECT_FALSE(InitialUpdatesDone(job));
  Set(job, TrainPart::kReward, 1);
  EXPECT_TRUE(InitialUpdatesDone(job));
  EXPECT_EQ(NextPart(job), std::nullopt);
}

TEST(NextPart, CountsTheFramesSinceTheJobBegan) {
  TrainingJob job = Job({{.part = TrainPart::kDynamics, .updates_per_frame = 0.5}});
  job.appended_before = job.appended_frames = 1000;
  EXPECT_EQ(NextPart(job), std::nullopt);
  job.appended_frames = 1002;
  EXPECT_EQ(NextPart(job), TrainPart::kDynamics);
  SetTargets(job);
  EXPECT_EQ(job.parts[0].target_updates, 1);
  EXPECT_FALSE(AllUpdatesDone(job));
}

TEST(PublishDue, IsFirstAfterTheInitialUpdatesAndThenAfterSoManyOfTheDynamics) {
  TrainingJob job = Job({{.part = TrainPart::kDynamics, .initial_updates = 10}});
  job.spec.publish_every = 5;
  EXPECT_FALSE(PublishDue(job, std::nullopt));
  Set(job, TrainPart::kDynamics, 10);
  EXPECT_TRUE(PublishDue(job, std::nullopt));
  const TrainedCheckpoint last{.dynamics_updates = 10};
  Set(job, TrainPart::kDynamics, 14);
  EXPECT_FALSE(PublishDue(job, last));
  Set(job, TrainPart::kDynamics, 15);
  EXPECT_TRUE(PublishDue(job, last));
  job.spec.publish_every = 0;
  EXPECT_FALSE(PublishDue(job, last));
}

TEST(JobFile, GivesBackWhatItWasGiven) {
  TrainingJob job = Job({{.part = TrainPart::kError, .initial_updates = 7, .max_updates = 9}});
  job.spec.job_id = "j";
  job.spec.note = "n\xff";
  job.spec.seed = ~uint64_t{0};
  job.state = JobState::kWaiting;
  job.parts[0].updates = 3;
  job.parts[0].terms = {{"loss", 0.5}, {"gradient_norm", INFINITY}};
  job.device_time = absl::Milliseconds(1500);
  const auto again = JobFromJson(ToJson(job));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->spec.schedule, job.spec.schedule);
  EXPECT_EQ(again->spec.seed, job.spec.seed);
  EXPECT_EQ(again->state, job.state);
  EXPECT_EQ(again->device_time, job.device_time);
  EXPECT_EQ(again->parts[0].terms.size(), 1);
  EXPECT_TRUE(absl::IsDataLoss(JobFromJson(ToJson(job).substr(0, 40)).status()));
  EXPECT_TRUE(absl::IsDataLoss(JobFromJson("{}").status()));
}

TEST(ImaginedShareOf, ReadsTheOptionOfTheRewardHead) {
  EXPECT_EQ(ImaginedShareOf(R"({"reward_loss": {"imagined_share": 0.25}})"), 0.25);
  EXPECT_EQ(ImaginedShareOf(""), 0);
  EXPECT_EQ(ImaginedShareOf(R"({"reward_loss": 3})"), 0);
}

// Pieces of `piece` beside works of `step` with no time between them, for a minute.
double ShareBesideOthers(absl::Duration piece, absl::Duration step, double share) {
  ShareLimiter limiter;
  absl::Time now = absl::UnixEpoch();
  const absl::Time end = now + absl::Minutes(1);
  absl::Duration trained;
  while (now < end) {
    now += step;
    limiter.OthersRan(now, step);
    if (limiter.Wait(now) > absl::ZeroDuration()) continue;
    limiter.TrainingRan(now, piece, share);
    now += piece;
    trained += piece;
  }
  return absl::FDivDuration(trained, absl::Minutes(1));
}

TEST(ShareLimiter, HoldsTrainingToItsShareWhileOthersUseTheDevice) {
  // Also by pieces that take longer than others would have to be silent.
  for (absl::Duration piece : {absl::Milliseconds(60), absl::Milliseconds(500)}) {
    for (double share : {0.1, 0.25, 0.5}) {
      const double used = ShareBesideOthers(piece, absl::Milliseconds(20), share);
      EXPECT_LE(used, share + 0.01);
      EXPECT_GE(used, share - 0.05);
    }
  }
}

TEST(ShareLimiter, GivesAnIdleDeviceToTraining) {
  ShareLimiter limiter(absl::Milliseconds(200));
  absl::Time now = absl::UnixEpoch();
  EXPECT_EQ(limiter.Wait(now), absl::ZeroDuration());
  limiter.OthersRan(now, absl::Milliseconds(20));
  limiter.TrainingRan(now, absl::Milliseconds(60), 0.1);
  now += absl::Milliseconds(60);
  EXPECT_EQ(limiter.Wait(now), absl::Milliseconds(200));
  now += absl::Milliseconds(200);
  EXPECT_EQ(limiter.Wait(now), absl::ZeroDuration());
  limiter.TrainingRan(now, absl::Milliseconds(60), 0.1);
  EXPECT_EQ(limiter.Wait(now + absl::Milliseconds(60)), absl::ZeroDuration());
}

}  // namespace
}  // namespace gwm::server
