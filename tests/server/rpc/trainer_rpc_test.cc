// What the Trainer service answers, and the versions that it publishes.
#include "tests/server/rpc/trainer_fixture.h"

namespace gwm::server {
namespace {

using ::testing::HasSubstr;
using Stub = v1::Trainer::Stub;
namespace fs = std::filesystem;

TEST_F(TrainerRpcTest, LearnsFromItsDatasetAndPublishesAVersionThatSessionsCanUse) {
  AppendOne("e0");
  auto request = Request(3);
  request.set_end_when_idle(true);
  Begin(request);
  const v1::TrainingJob job = WatchToEnd();
  EXPECT_EQ(job.state(), v1::TrainingJob::STATE_SUCCEEDED) << job.error();
  EXPECT_EQ(job.parts(0).updates(), 3);
  EXPECT_EQ(job.parts(0).target_updates(), 3);
  EXPECT_DOUBLE_EQ(job.parts(0).terms().at("loss"), 1.0 / 3);
  ASSERT_EQ(job.published_size(), 1);
  EXPECT_EQ(job.published(0).checkpoint(), "trained/job/3");
  EXPECT_TRUE(job.published(0).loaded());
  EXPECT_EQ(SessionOn(job.published(0).digest()).checkpoint_digest(), job.published(0).digest());
  EXPECT_EQ(Metric("gwm_train_steps_total{part=\"dynamics\"}"), 3);
  EXPECT_EQ(Metric("gwm_train_samples_total{part=\"dynamics\"}"), 6 * 4);
  EXPECT_EQ(trainer_controls_->prepared, 1);
  EXPECT_EQ(trainer_controls_->live, 0);
}

TEST_F(TrainerRpcTest, AnswersThatItDoesNotTrainWithoutARoot) {
  options_.training_root.clear();
  Restart();
  v1::TrainingJob job;
  const grpc::Status status = Start(Request(1), &job);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(Reason(status), kUnsupported);
  v1::AppendDataReply reply;
  EXPECT_EQ(Append({Episode("e")}, &reply).error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(TrainerRpcTest, SaysThatItAnswersTheCallsOfTraining) {
  v1::ServerInfo info;
  const auto answers = [&] {
    EXPECT_TRUE(
        Call(*info_, &v1::Server::Stub::GetServerInfo, v1::GetServerInfoRequest(), &info).ok());
    return std::count(info.rpcs().begin(), info.rpcs().end(), "Trainer.AppendData");
  };
  EXPECT_EQ(answers(), 1);
  options_.training_root.clear();
  Restart();
  EXPECT_EQ(answers(), 0);
}

TEST_F(TrainerRpcTest, KeepsTheEpisodesBeforeTheOneThatItRefuses) {
  auto bad = Episode("e1");
  bad.clear_reward();
  v1::AppendDataReply reply;
  const grpc::Status status = Append({Episode("e0"), bad, Episode("e2")}, &reply);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("episode.reward"));
  const grpc::Status again = Append({Episode("e0"), Episode("e1"), Episode("e2")}, &reply);
  ASSERT_TRUE(again.ok()) << again.error_message();
  EXPECT_EQ(reply.appended(), 2);
  EXPECT_EQ(reply.duplicates(), 1);
  EXPECT_EQ(reply.dataset().frames(), 12);
}

TEST_F(TrainerRpcTest, RefusesWhatItCannotDoWithTheFieldAtFault) {
  AppendOne("e0");
  v1::TrainingJob job;
  auto request = Request(1);
  request.set_dataset("../d");
  EXPECT_THAT(Start(request, &job).error_message(), HasSubstr("dataset"));
  request = Request(1);
  request.set_dataset("none");
  EXPECT_EQ(Reason(Start(request, &job)), kUnknownDataset);
  request = Request(1);
  request.mutable_schedule(0)->set_updates_per_frame(-1);
  EXPECT_THAT(Start(request, &job).error_message(), HasSubstr("schedule[0].updates_per_frame"));
  request = Request(1);
  request.clear_profile();
  EXPECT_THAT(Start(request, &job).error_message(), HasSubstr("init"));
  request.set_checkpoint("none");
  EXPECT_EQ(Reason(Start(request, &job)), kUnknown);
  trainer_controls_->refuses_to_open = true;
  const grpc::Status refused = Start(Request(1), &job);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(refused.error_message(), HasSubstr("no such profile"));
  // Nothing of it is left.
  v1::GetJobRequest get;
  get.set_job_id("job");
  EXPECT_EQ(Reason(Call(*trainer_, &Stub::GetJob, get, &job)), kUnknownJob);
  trainer_controls_->refuses_to_open = false;
  Begin(Request(1));
}

TEST_F(TrainerRpcTest, RetiresOldVersionsWhenTheirSessionsHaveEnded) {
  AppendOne("e0");
  auto request = Request(1, /*per_frame=*/0.25);
  request.set_publish_every(1);
  request.set_keep_published(1);
  Begin(request);
  const auto first = AwaitState(v1::TrainingJob::STATE_WAITING).published(0);
  v1::Session pinned = SessionOn(first.digest());
  AppendOne("e1");
  const auto job = WatchUntil([](const v1::TrainingJob& job) {
    return job.state() == v1::TrainingJob::STATE_WAITING && job.parts(0).updates() == 2;
  });
  ASSERT_EQ(job.published_size(), 1);
  EXPECT_NE(job.published(0).digest(), first.digest());
  // The session stays where it was created, and so does what it stands on.
  v1::ResetRequest reset;
  reset.set_session_id(pinned.session_id());
  v1::ResetReply reply;
  EXPECT_TRUE(Reset(reset, &reply).ok());
  EXPECT_TRUE(fs::exists(root_ / "checkpoints" / first.checkpoint()));
  EXPECT_TRUE(Close(pinned.session_id()).ok());
  AwaitGone(first.digest());
  server_->CollectTrained();
  EXPECT_FALSE(fs::exists(root_ / "checkpoints" / first.checkpoint()));
}

TEST_F(TrainerRpcTest, SavesACheckpointOnDemandAndDeletesItWhenItIsNotServed) {
  AppendOne("e0");
  Begin(Request(1, /*per_frame=*/1));
  AwaitState(v1::TrainingJob::STATE_WAITING);
  v1::SaveCheckpointRequest save;
  save.set_job_id("job");
  save.set_name("mine");
  save.set_load(true);
  v1::TrainedCheckpoint saved;
  ASSERT_TRUE(Call(*trainer_, &Stub::SaveCheckpoint, save, &saved).ok());
  EXPECT_EQ(saved.checkpoint(), "trained/mine");
  EXPECT_TRUE(saved.loaded());
  EXPECT_EQ(Reason(Call(*trainer_, &Stub::SaveCheckpoint, save, &saved)), kCheckpointExists);
  v1::DeleteCheckpointRequest drop;
  drop.set_checkpoint("trained/mine");
  v1::DeleteCheckpointReply dropped;
  EXPECT_EQ(Reason(Call(*trainer_, &Stub::DeleteCheckpoint, drop, &dropped)), kModelInUse);
  v1::UnloadModelRequest unload;
  unload.set_checkpoint_digest(saved.digest());
  v1::Model model;
  EXPECT_TRUE(Call(*models_, &v1::Models::Stub::UnloadModel, unload, &model).ok());
  EXPECT_TRUE(Call(*trainer_, &Stub::DeleteCheckpoint, drop, &dropped).ok());
  EXPECT_EQ(Reason(Call(*trainer_, &Stub::DeleteCheckpoint, drop, &dropped)), kUnknownCheckpoint);
}

TEST_F(TrainerRpcTest, KeepsADatasetThatAJobLearnsFrom) {
  AppendOne("e0");
  Begin(Request(1, /*per_frame=*/1));
  v1::DeleteDatasetRequest request;
  request.set_dataset("d");
  v1::DeleteDatasetReply reply;
  EXPECT_EQ(Reason(Call(*trainer_, &Stub::DeleteDataset, request, &reply)), kJobRunning);
  v1::CancelJobRequest cancel;
  cancel.set_job_id("job");
  v1::TrainingJob job;
  EXPECT_TRUE(Call(*trainer_, &Stub::CancelJob, cancel, &job).ok());
  EXPECT_TRUE(Call(*trainer_, &Stub::DeleteDataset, request, &reply).ok());
}

}  // namespace
}  // namespace gwm::server
