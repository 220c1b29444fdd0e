// The Trainer service on a fake trainer and a fake world.
#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "gwm/v1/trainer.grpc.pb.h"
#include "tests/fakes/fake_trainer.h"
#include "tests/server/rpc/server_fixture.h"

namespace gwm::server {
namespace {

using ::testing::HasSubstr;
using Stub = v1::Trainer::Stub;
namespace fs = std::filesystem;

class TrainerRpcTest : public ServerTest {
 protected:
  TrainerRpcTest()
      : root_(fs::path(::testing::TempDir()) / ("trainer" + std::to_string(getpid()))) {
    fs::remove_all(root_);
    fs::create_directories(root_ / "checkpoints");
    options_.checkpoint_root = root_ / "checkpoints";
    options_.training_root = root_ / "training";
    options_.limits.max_models = 6;
    open_ = [](const std::string& folder) -> absl::StatusOr<std::unique_ptr<World>> {
      auto controls = std::make_shared<fakes::FakeWorldControls>();
      std::ifstream(folder + "/digest") >> controls->digest;
      if (controls->digest.empty()) return absl::NotFoundError(folder);
      return fakes::MakeFakeWorld(std::move(controls));
    };
    open_trainer_ = [this](const TrainerOptions&) -> absl::StatusOr<std::unique_ptr<Trainer>> {
      if (trainer_controls_->refuses_to_open) return absl::NotFoundError("no such profile");
      return std::make_unique<fakes::FakeTrainer>(trainer_controls_);
    };
  }
  ~TrainerRpcTest() override {
    server_.reset();
    EXPECT_EQ(trainer_controls_->live, 0);
    fs::remove_all(root_);
  }
  void SetUp() override { Restart(); }
  void Restart() {
    trainer_.reset();
    StartServer();
    trainer_ = v1::Trainer::NewStub(channel_);
  }

  static v1::TrainingEpisode Episode(const std::string& id, int64_t frames = 4, int64_t side = 2) {
    using fakes::Filled;
    v1::TrainingEpisode e;
    e.set_episode_id(id);
    *e.mutable_rgb() = Filled(v1::DTYPE_U8, {frames, 1, side, side, 3}, 1, 7);
    *e.mutable_depth_mm() = Filled(v1::DTYPE_U16, {frames, 1, side, side}, 2, 1);
    *e.mutable_intrinsics() = fakes::F32({1, 3, 3}, {1, 0, 0, 0, 1, 0, 0, 0, 1});
    *e.mutable_world_from_cam() =
        fakes::F32({1, 4, 4}, {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1});
    *e.mutable_action() = Filled(v1::DTYPE_F32, {frames, 2}, 4, 0);
    *e.mutable_reward() = Filled(v1::DTYPE_F32, {frames}, 4, 0);
    *e.mutable_terminated() = Filled(v1::DTYPE_BOOL, {frames}, 1, 0);
    *e.mutable_success() = Filled(v1::DTYPE_BOOL, {frames}, 1, 0);
    return e;
  }
  grpc::Status Append(const std::vector<v1::TrainingEpisode>& episodes,
                      v1::AppendDataReply* reply) {
    grpc::ClientContext context;
    const auto writer = trainer_->AppendData(&context, reply);
    for (const auto& episode : episodes) {
      v1::AppendDataRequest request;
      request.set_dataset("d");
      *request.mutable_episode() = episode;
      if (!writer->Write(request)) break;
    }
    writer->WritesDone();
    return writer->Finish();
  }
  void AppendOne(const std::string& id) {
    v1::AppendDataReply reply;
    const grpc::Status status = Append({Episode(id)}, &reply);
    ASSERT_TRUE(status.ok()) << status.error_message();
  }
  static v1::StartTrainingRequest Request(uint64_t initial, double per_frame = 0) {
    v1::StartTrainingRequest request;
    request.set_job_id("job");
    request.set_dataset("d");
    request.set_profile("gwm-tiny");
    auto* part = request.add_schedule();
    part->set_part(v1::TRAINING_PART_DYNAMICS);
    part->set_initial_updates(initial);
    part->set_updates_per_frame(per_frame);
    return request;
  }
  grpc::Status Start(const v1::StartTrainingRequest& request, v1::TrainingJob* job) {
    return Call(*trainer_, &Stub::StartTraining, request, job);
  }
  v1::TrainingJob Begin(const v1::StartTrainingRequest& request) {
    v1::TrainingJob job;
    const grpc::Status status = Start(request, &job);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return job;
  }
  // Watches the job until `enough` holds or it has ended.
  template <typename Enough>
  v1::TrainingJob WatchUntil(const Enough& enough) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    v1::WatchJobRequest request;
    request.set_job_id("job");
    request.mutable_min_interval();
    const auto reader = trainer_->WatchJob(&context, request);
    v1::TrainingJob job;
    while (reader->Read(&job)) {
      if (!enough(job)) continue;
      context.TryCancel();
      reader->Finish();
      return job;
    }
    const grpc::Status status = reader->Finish();
    EXPECT_TRUE(status.ok()) << status.error_message();
    return job;
  }
  v1::TrainingJob WatchToEnd() {
    return WatchUntil([](const v1::TrainingJob&) { return false; });
  }
  v1::TrainingJob AwaitState(v1::TrainingJob::State state) {
    return WatchUntil([state](const v1::TrainingJob& job) { return job.state() == state; });
  }
  std::string Reason(const grpc::Status& status) { return fakes::DetailsOf(status).reason; }
  // Until no model of this digest is in memory.
  void AwaitGone(const std::string& digest) {
    v1::ListModelsReply reply;
    do {
      reply.Clear();
      EXPECT_TRUE(
          Call(*models_, &v1::Models::Stub::ListModels, v1::ListModelsRequest(), &reply).ok());
    } while (std::any_of(reply.models().begin(), reply.models().end(),
                         [&](const auto& model) { return model.checkpoint_digest() == digest; }));
  }
  v1::Session SessionOn(const std::string& digest) {
    v1::CreateSessionRequest request;
    request.set_checkpoint_digest(digest);
    return Create(request);
  }

  const fs::path root_;
  std::shared_ptr<fakes::FakeTrainerControls> trainer_controls_ =
      std::make_shared<fakes::FakeTrainerControls>();
  std::unique_ptr<Stub> trainer_;
};

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

}  // namespace
}  // namespace gwm::server
