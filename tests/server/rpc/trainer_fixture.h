// The Trainer service on a fake trainer and a fake world.
#ifndef GWM_TESTS_SERVER_RPC_TRAINER_FIXTURE_H_
#define GWM_TESTS_SERVER_RPC_TRAINER_FIXTURE_H_

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "gwm/v1/trainer.grpc.pb.h"
#include "tests/fakes/fake_trainer.h"
#include "tests/server/rpc/server_fixture.h"

namespace gwm::server {

class TrainerRpcTest : public ServerTest {
 protected:
  TrainerRpcTest()
      : root_(std::filesystem::path(::testing::TempDir()) /
              ("trainer" + std::to_string(getpid()))) {
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_ / "checkpoints");
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
    std::filesystem::remove_all(root_);
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
    return Call(*trainer_, &v1::Trainer::Stub::StartTraining, request, job);
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

  const std::filesystem::path root_;
  std::shared_ptr<fakes::FakeTrainerControls> trainer_controls_ =
      std::make_shared<fakes::FakeTrainerControls>();
  std::unique_ptr<v1::Trainer::Stub> trainer_;
};

}  // namespace gwm::server

#endif  // GWM_TESTS_SERVER_RPC_TRAINER_FIXTURE_H_
