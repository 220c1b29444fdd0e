// What a client sends to the Trainer service, and what it makes of the answers.
#include <gmock/gmock.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include "gwm/trainer.h"
#include "gwm/v1/trainer.grpc.pb.h"

namespace gwm::client {
namespace {

using ::testing::ElementsAre;

class ScriptedTrainer final : public v1::Trainer::Service {
 public:
  ScriptedTrainer() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  grpc::Status AppendData(grpc::ServerContext*, grpc::ServerReader<v1::AppendDataRequest>* reader,
                          v1::AppendDataReply* reply) override {
    v1::AppendDataRequest request;
    while (reader->Read(&request)) appended.push_back(request);
    if (lost_replies-- > 0) return {grpc::StatusCode::UNAVAILABLE, "connection reset"};
    reply->set_duplicates(1);
    reply->mutable_dataset()->set_frames(8);
    return status;
  }
  grpc::Status StartTraining(grpc::ServerContext*, const v1::StartTrainingRequest* request,
                             v1::TrainingJob* reply) override {
    started = *request;
    *reply = job;
    *reply->mutable_request() = *request;
    return status;
  }
  grpc::Status WatchJob(grpc::ServerContext* context, const v1::WatchJobRequest*,
                        grpc::ServerWriter<v1::TrainingJob>* writer) override {
    while (!context->IsCancelled() && watched < 3) {
      job.mutable_parts(0)->set_updates(static_cast<uint64_t>(++watched));
      writer->Write(job);
    }
    return status;
  }
  grpc::Status SaveCheckpoint(grpc::ServerContext*, const v1::SaveCheckpointRequest* request,
                              v1::TrainedCheckpoint* reply) override {
    reply->set_checkpoint("trained/" + request->name());
    reply->set_loaded(request->load());
    reply->mutable_created_at()->set_seconds(10);
    return status;
  }

  grpc::Status status;
  int lost_replies = 0;
  int watched = 0;
  std::vector<v1::AppendDataRequest> appended;
  v1::StartTrainingRequest started;
  v1::TrainingJob job;

 private:
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

class TrainerClientTest : public ::testing::Test {
 protected:
  TrainerClientTest() {
    server_.job.set_job_id("j");
    server_.job.set_state(v1::TrainingJob::STATE_RUNNING);
    server_.job.mutable_device_time()->set_nanos(250'000'000);
    auto* part = server_.job.add_parts();
    part->set_part(v1::TRAINING_PART_DYNAMICS);
    (*part->mutable_terms())["loss"] = 0.5;
    server_.job.add_published()->set_digest("3fa9");
  }
  static TrainingEpisode Episode(const std::string& id) {
    TrainingEpisode episode;
    episode.episode_id = id;
    episode.reward = Tensor::From<float>({2}, std::vector<float>{0, 1});
    episode.metadata = {{"task", "push"}};
    return episode;
  }

  ScriptedTrainer server_;
  Trainer trainer_{server_.address(), {.retry = {.sleep = [](std::chrono::milliseconds) {}}}};
};

TEST_F(TrainerClientTest, SendsAllEpisodesAgainWhenTheReplyGotLost) {
  server_.lost_replies = 1;
  const AppendResult result = trainer_.AppendEpisodes("d", {Episode("a"), Episode("b")});
  EXPECT_EQ(result.duplicates, 1U);
  EXPECT_EQ(result.dataset.frames, 8U);
  ASSERT_EQ(server_.appended.size(), 4U);
  EXPECT_EQ(server_.appended[0].dataset(), "d");
  EXPECT_EQ(server_.appended[3].episode().episode_id(), "b");
  EXPECT_EQ(server_.appended[3].episode().reward().data().size(), 8U);
  EXPECT_EQ(server_.appended[3].episode().metadata().at("task"), "push");
}

TEST_F(TrainerClientTest, StartsAJobWithEveryFieldOfTheRequest) {
  const TrainingJob job = trainer_.StartTraining(
      {.job_id = "j",
       .dataset = "d",
       .profile = "gwm-tiny",
       .schedule = {{.part = TrainingPart::kReward, .updates_per_frame = 0.5, .max_updates = 9}},
       .publish_every = 7,
       .max_share_percent = 40});
  EXPECT_EQ(server_.started.profile(), "gwm-tiny");
  EXPECT_EQ(server_.started.schedule(0).part(), v1::TRAINING_PART_REWARD);
  EXPECT_EQ(server_.started.schedule(0).max_updates(), 9U);
  EXPECT_EQ(job.state, TrainingJob::State::kRunning);
  EXPECT_FALSE(job.ended());
  EXPECT_EQ(job.request.publish_every, 7U);
  EXPECT_EQ(job.request.max_share_percent, 40U);
  EXPECT_EQ(job.request.schedule[0].updates_per_frame, 0.5);
  EXPECT_EQ(job.parts[0].part, TrainingPart::kDynamics);
  EXPECT_EQ(job.parts[0].terms.at("loss"), 0.5);
  EXPECT_EQ(job.published[0].digest, "3fa9");
  EXPECT_EQ(job.device_time, std::chrono::milliseconds(250));
}

TEST_F(TrainerClientTest, RefusesToGuessWhereTheWeightsComeFrom) {
  for (const TrainingRequest& request :
       {TrainingRequest{.dataset = "d"},
        TrainingRequest{.dataset = "d", .checkpoint = "c", .profile = "gwm-tiny"}}) {
    try {
      trainer_.StartTraining(request);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.field(), "init");
    }
  }
}

TEST_F(TrainerClientTest, WatchesUntilItIsToldToStop) {
  std::vector<uint64_t> seen;
  const TrainingJob last = trainer_.WatchJob("j", [&](const TrainingJob& job) {
    seen.push_back(job.parts[0].updates);
    return seen.size() < 2;
  });
  EXPECT_THAT(seen, ElementsAre(1, 2));
  EXPECT_EQ(last.parts[0].updates, 2U);
}

TEST_F(TrainerClientTest, ThrowsWhatTheServerSays) {
  server_.status = {grpc::StatusCode::FAILED_PRECONDITION, "the job has ended"};
  EXPECT_THROW(trainer_.SaveCheckpoint("j"), Error);
  EXPECT_THROW(trainer_.WatchJob("j", [](const TrainingJob&) { return true; }), Error);
  server_.status = grpc::Status::OK;
  const TrainedCheckpoint saved = trainer_.SaveCheckpoint("j", {.name = "n", .load = true});
  EXPECT_EQ(saved.checkpoint, "trained/n");
  EXPECT_TRUE(saved.loaded);
  EXPECT_EQ(saved.created_at.time_since_epoch(), std::chrono::seconds(10));
}

}  // namespace
}  // namespace gwm::client
