// The life of a training job: data, restarts, failures.
#include "tests/server/rpc/trainer_fixture.h"

namespace gwm::server {
namespace {

using ::testing::HasSubstr;
using Stub = v1::Trainer::Stub;
namespace fs = std::filesystem;

TEST_F(TrainerRpcTest, AnswersARepeatedStartWithTheJobThatItBegan) {
  AppendOne("e0");
  Begin(Request(1));
  EXPECT_EQ(Begin(Request(1)).job_id(), "job");
  v1::TrainingJob job;
  const grpc::Status other = Start(Request(2), &job);
  EXPECT_EQ(other.error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_EQ(Reason(other), kJobExists);
  EXPECT_EQ(trainer_controls_->live, 1);
}

TEST_F(TrainerRpcTest, WaitsForDataAndGoesOnWithIt) {
  AppendOne("e0");
  Begin(Request(2, /*per_frame=*/0.5));
  EXPECT_EQ(AwaitState(v1::TrainingJob::STATE_WAITING).parts(0).updates(), 2);
  AppendOne("e1");
  const auto job = WatchUntil([](const v1::TrainingJob& job) {
    return job.state() == v1::TrainingJob::STATE_WAITING && job.parts(0).updates() == 4;
  });
  EXPECT_EQ(job.replay_frames(), 8);
  EXPECT_EQ(job.appended_frames(), 8);
}

TEST_F(TrainerRpcTest, LearnsNothingBeforeItsLeastNumberOfFrames) {
  AppendOne("e0");
  auto request = Request(1);
  request.set_min_frames(8);
  Begin(request);
  EXPECT_EQ(AwaitState(v1::TrainingJob::STATE_WAITING).parts(0).updates(), 0);
  AppendOne("e1");
  WatchUntil([](const v1::TrainingJob& job) { return job.parts(0).updates() == 1; });
}

TEST_F(TrainerRpcTest, EndsACancelledJobAfterThePieceThatRuns) {
  AppendOne("e0");
  trainer_controls_->gate.Close();
  Begin(Request(1'000'000));
  trainer_controls_->gate.AwaitWaiter();
  std::thread cancel([this] {
    v1::CancelJobRequest request;
    request.set_job_id("job");
    v1::TrainingJob job;
    EXPECT_TRUE(Call(*trainer_, &Stub::CancelJob, request, &job).ok());
    EXPECT_EQ(job.state(), v1::TrainingJob::STATE_CANCELLED);
    EXPECT_TRUE(Call(*trainer_, &Stub::CancelJob, request, &job).ok());
  });
  trainer_controls_->gate.Open();
  cancel.join();
  EXPECT_EQ(trainer_controls_->live, 0);
}

TEST_F(TrainerRpcTest, GoesOnFromItsStateAfterARestart) {
  AppendOne("e0");
  auto request = Request(4, /*per_frame=*/1);
  request.set_publish_every(4);
  Begin(request);
  const auto before = AwaitState(v1::TrainingJob::STATE_WAITING);
  ASSERT_EQ(before.published_size(), 1);
  const int micro_batches = trainer_controls_->micro_batches;
  Restart();
  const auto job = AwaitState(v1::TrainingJob::STATE_WAITING);
  EXPECT_EQ(job.resumed(), 1);
  EXPECT_EQ(job.parts(0).updates(), 4);
  EXPECT_EQ(trainer_controls_->micro_batches, micro_batches);
  // What it had published is served again.
  ASSERT_EQ(job.published_size(), 1);
  EXPECT_TRUE(job.published(0).loaded());
  SessionOn(job.published(0).digest());
  AppendOne("e1");
  WatchUntil([](const v1::TrainingJob& job) { return job.parts(0).updates() == 8; });
}

TEST_F(TrainerRpcTest, EndsTheJobAloneWhenItsLossIsNotFinite) {
  AppendOne("e0");
  const std::string session = Ready();
  trainer_controls_->not_finite = true;
  Begin(Request(5));
  const v1::TrainingJob job = WatchToEnd();
  EXPECT_EQ(job.state(), v1::TrainingJob::STATE_FAILED);
  EXPECT_THAT(job.error(), HasSubstr("the loss is not finite at update 3"));
  v1::StepReply reply;
  EXPECT_TRUE(Step(StepOf(session, {0.5}), &reply).ok());
  EXPECT_EQ(trainer_controls_->live, 0);
}

TEST_F(TrainerRpcTest, EndsTheJobAloneWhenTheTrainerThrows) {
  AppendOne("e0");
  const std::string session = Ready();
  trainer_controls_->throws = true;
  Begin(Request(5));
  EXPECT_THAT(WatchToEnd().error(), HasSubstr("thrown on demand"));
  v1::StepReply reply;
  EXPECT_TRUE(Step(StepOf(session, {0.5}), &reply).ok());
}

TEST_F(TrainerRpcTest, FailsWithTheNameOfAnEpisodeThatDoesNotFitTheModel) {
  v1::AppendDataReply reply;
  ASSERT_TRUE(Append({Episode("odd", 4, 3)}, &reply).ok());
  Begin(Request(1));
  EXPECT_THAT(WatchToEnd().error(), HasSubstr("episode odd: another width than 2"));
}

TEST_F(TrainerRpcTest, PassesOverAnEpisodeThatIsTooShort) {
  v1::AppendDataReply reply;
  ASSERT_TRUE(Append({Episode("short", 2), Episode("long", 4)}, &reply).ok());
  auto request = Request(1);
  request.set_end_when_idle(true);
  Begin(request);
  const v1::TrainingJob job = WatchToEnd();
  EXPECT_EQ(job.state(), v1::TrainingJob::STATE_SUCCEEDED) << job.error();
  EXPECT_EQ(job.replay_frames(), 4);
}

TEST_F(TrainerRpcTest, ImaginesEpisodesForTheErrorHead) {
  AppendOne("e0");
  auto request = Request(0);
  request.mutable_schedule(0)->set_part(v1::TRAINING_PART_ERROR);
  request.mutable_schedule(0)->set_initial_updates(16);
  request.set_end_when_idle(true);
  Begin(request);
  EXPECT_EQ(WatchToEnd().state(), v1::TrainingJob::STATE_SUCCEEDED);
  EXPECT_EQ(trainer_controls_->imagined, 2);
}

TEST_F(TrainerRpcTest, LearnsFromTheNewestEpisodeAloneWhenItIsLongerThanTheReplay) {
  v1::AppendDataReply reply;
  ASSERT_TRUE(Append({Episode("old"), Episode("newest", 9)}, &reply).ok());
  auto request = Request(2);
  request.set_replay_frames(4);
  request.set_end_when_idle(true);
  Begin(request);
  const v1::TrainingJob job = WatchToEnd();
  EXPECT_EQ(job.state(), v1::TrainingJob::STATE_SUCCEEDED) << job.error();
  EXPECT_EQ(job.replay_frames(), 9);
}

}  // namespace
}  // namespace gwm::server
