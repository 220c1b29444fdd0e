#include <gtest/gtest.h>

#include <map>

#include "engine/api/trainer.h"
#include "engine/api/world.h"
#include "engine/io/file.h"
#include "tests/engine/io/test_support.h"
#include "tests/fakes/toy_scenes.h"

namespace gwm {
namespace {

using testing::ToyEpisode;

constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

// Batches of 4 rows in two micro-batches.
constexpr char kQuickTraining[] = R"({
  "vae": {"batch": 4, "warmup_steps": 1}, "dynamics": {"batch": 4, "warmup_steps": 1},
  "reward": {"batch": 4, "warmup_steps": 1}, "error": {"batch": 4, "warmup_steps": 1},
  "dynamics_loss": {"unroll": 1}, "reward_loss": {"imagined_share": 0.5}, "imagined_steps": 3})";

class OnlineTrainerTest : public ::testing::Test {
 protected:
  void SetUp() override { at_one_thread_ = {.threads = 1}; }

  std::unique_ptr<Trainer> Open(uint64_t seed = 1, const std::string& checkpoint = "") {
    TrainerOptions options = at_one_thread_;
    options.checkpoint_dir = checkpoint;
    options.train_json = kQuickTraining;
    options.device = "cpu";
    options.seed = seed;
    options.micro_rows = 2;
    auto trainer = OpenTrainer(options);
    EXPECT_TRUE(trainer.ok()) << trainer.status();
    return std::move(*trainer);
  }

  static void AddEpisodes(Trainer& trainer, int count = 2) {
    for (int i = 0; i < count; ++i) {
      const auto added =
          trainer.AddEpisode(ToyEpisode({.seed = static_cast<uint64_t>(i) + 1, .frames = 8}));
      EXPECT_TRUE(added.ok()) << added;
    }
  }
  static int Prepare(Trainer& trainer) {
    int prepared = 0;
    while (true) {
      const auto more = trainer.PrepareNext();
      EXPECT_TRUE(more.ok()) << more.status();
      if (!more.ok() || !*more) return prepared;
      ++prepared;
    }
  }
  // The terms of the last of `updates` updates.
  static std::map<std::string, double> Update(Trainer& trainer, TrainPart part, int updates = 1) {
    std::map<std::string, double> terms;
    for (int left = updates; left > 0;) {
      const auto done = trainer.Train(part);
      EXPECT_TRUE(done.ok()) << done.status();
      if (!done.ok()) break;
      if (!done->updated) continue;
      terms = {done->terms.begin(), done->terms.end()};
      --left;
    }
    return terms;
  }
  // Every part once, as a job would.
  static void TrainAll(Trainer& trainer, int updates = 2) {
    Update(trainer, TrainPart::kTokenizer, updates);
    Prepare(trainer);
    Update(trainer, TrainPart::kDynamics, updates);
    for (int i = 0; i < 2; ++i) EXPECT_TRUE(trainer.ImagineNext().ok());
    Update(trainer, TrainPart::kReward, updates);
    Update(trainer, TrainPart::kError, updates);
  }
  std::string Saved(Trainer& trainer, const std::string& name) {
    const std::string dir = folder_ / name;
    const auto saved = trainer.SaveCheckpoint(dir, "a note");
    EXPECT_TRUE(saved.ok()) << saved;
    return io::ReadFile(dir + "/model.safetensors").value();
  }

  io::ScratchFolder folder_;
  TrainerOptions at_one_thread_;
};

TEST_F(OnlineTrainerTest, AnUpdateIsMadeOfMicroBatches) {
  auto trainer = Open();
  AddEpisodes(*trainer);
  const auto first = trainer->Train(TrainPart::kTokenizer);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_FALSE(first->updated);
  EXPECT_EQ(first->updates, 0);
  EXPECT_TRUE(first->terms.empty());
  const auto second = trainer->Train(TrainPart::kTokenizer);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_TRUE(second->updated);
  EXPECT_EQ(second->updates, 1);
  EXPECT_EQ(second->terms.front().first, "loss");
  EXPECT_EQ(second->terms.back().first, "gradient_norm");
}

TEST_F(OnlineTrainerTest, LearnsTheTokensOfItsEpisodes) {
  auto trainer = Open();
  AddEpisodes(*trainer);
  const double before = Update(*trainer, TrainPart::kTokenizer).at("pixel");
  const double after = Update(*trainer, TrainPart::kTokenizer, 60).at("pixel");
  EXPECT_LT(after, 0.6 * before);
}

TEST_F(OnlineTrainerTest, EveryPartLearnsFromAReplayThatGrows) {
  auto trainer = Open();
  AddEpisodes(*trainer, 1);
  TrainAll(*trainer);
  AddEpisodes(*trainer, 2);
  EXPECT_EQ(trainer->replay().episodes, 3);
  EXPECT_EQ(trainer->replay().frames, 24);
  EXPECT_EQ(Prepare(*trainer), 2);
  const auto dynamics = Update(*trainer, TrainPart::kDynamics, 5);
  EXPECT_GT(dynamics.at("loss"), 0);
  EXPECT_GT(dynamics.at("gradient_norm"), 0);
  EXPECT_GT(Update(*trainer, TrainPart::kReward).at("reward"), 0);
  EXPECT_GT(Update(*trainer, TrainPart::kError).at("whole"), 0);
}

TEST_F(OnlineTrainerTest, EpisodesArePreparedAnewWhenTheTokenizerHasLearnt) {
  auto trainer = Open();
  AddEpisodes(*trainer);
  EXPECT_EQ(Prepare(*trainer), 2);
  EXPECT_EQ(Prepare(*trainer), 0);
  Update(*trainer, TrainPart::kTokenizer);
  EXPECT_EQ(Prepare(*trainer), 2);
}

TEST_F(OnlineTrainerTest, TheOldestEpisodesMakeRoomAndTheLastOneStays) {
  auto trainer = Open();
  AddEpisodes(*trainer, 3);
  Prepare(*trainer);
  const int64_t bytes = trainer->replay().bytes;
  trainer->DropOldest(16);
  EXPECT_EQ(trainer->replay().episodes, 2);
  EXPECT_NEAR(static_cast<double>(trainer->replay().bytes), bytes * 2 / 3.0, 1);
  trainer->DropOldest(0);
  EXPECT_EQ(trainer->replay().episodes, 1);
  EXPECT_EQ(Prepare(*trainer), 0);
}

TEST_F(OnlineTrainerTest, TheSameSeedAndEpisodesGiveTheSameWeights) {
  std::vector<std::string> weights;
  for (const uint64_t seed : {1, 1, 2}) {
    auto trainer = Open(seed);
    AddEpisodes(*trainer);
    TrainAll(*trainer);
    weights.push_back(Saved(*trainer, "model"));
  }
  EXPECT_TRUE(weights[0] == weights[1]);
  EXPECT_FALSE(weights[0] == weights[2]);
}

TEST_F(OnlineTrainerTest, ACheckpointIsServedAndTrainedOn) {
  auto trainer = Open();
  AddEpisodes(*trainer);
  TrainAll(*trainer);
  Saved(*trainer, "model");
  const std::string dir = folder_ / "model";
  EXPECT_NE(io::ReadFile(dir + "/README.md")->find("a note"), std::string::npos);
  auto world = OpenWorld({.checkpoint_dir = dir, .device = "cpu", .threads = 1});
  ASSERT_TRUE(world.ok()) << world.status();
  EXPECT_EQ((*world)->spec().reset_pool_size, 2);
  const auto states = (*world)->Reset({{.frames = {}, .pool_index = 1}});
  ASSERT_TRUE(states.ok()) << states.status();

  auto next = Open(3, dir);
  EXPECT_EQ(Prepare(*next), 0);
  AddEpisodes(*next, 1);
  Prepare(*next);
  Update(*next, TrainPart::kDynamics);
  Saved(*next, "next");
  const auto digest = [](const std::string& path) {
    return (*OpenWorld({.checkpoint_dir = path, .device = "cpu", .threads = 1}))
        ->spec()
        .checkpoint_digest;
  };
  EXPECT_NE(digest(folder_ / "next"), digest(dir));
}

TEST_F(OnlineTrainerTest, GoesOnFromItsSavedStateBitForBit) {
  auto whole = Open();
  AddEpisodes(*whole);
  TrainAll(*whole);
  ASSERT_TRUE(whole->SaveState(folder_ / "state").ok());
  auto resumed = Open(1);
  AddEpisodes(*resumed);
  ASSERT_TRUE(resumed->LoadState(folder_ / "state").ok());
  EXPECT_EQ(Prepare(*resumed), 2);
  for (Trainer* trainer : {whole.get(), resumed.get()}) {
    Update(*trainer, TrainPart::kDynamics, 3);
  }
  EXPECT_TRUE(Saved(*whole, "whole") == Saved(*resumed, "resumed"));
}

TEST_F(OnlineTrainerTest, AStateWithADamagedPartChangesNothing) {
  auto trained = Open();
  AddEpisodes(*trained);
  TrainAll(*trained);
  ASSERT_TRUE(trained->SaveState(folder_ / "state").ok());
  const std::string reward = folder_ / "state/reward.state.safetensors";
  ASSERT_TRUE(io::WriteFileAtomic(reward, io::ReadFile(reward)->substr(0, 100)).ok());
  auto trainer = Open();
  const std::string before = Saved(*trainer, "before");
  EXPECT_FALSE(trainer->LoadState(folder_ / "state").ok());
  EXPECT_TRUE(Saved(*trainer, "after") == before);
}

TEST_F(OnlineTrainerTest, AStateOfAnotherModelIsRefused) {
  auto trainer = Open();
  AddEpisodes(*trainer);
  Update(*trainer, TrainPart::kTokenizer);
  ASSERT_TRUE(trainer->SaveState(folder_ / "state").ok());
  auto other = OpenTrainer({.model_json = R"({"dynamics": {"depth": 1}})", .device = "cpu"});
  ASSERT_TRUE(other.ok()) << other.status();
  io::ExpectStatus((*other)->LoadState(folder_ / "state"), kPrecondition, {"another config"});
  EXPECT_EQ((*other)->LoadState(folder_ / "none").code(), absl::StatusCode::kNotFound);
}

TEST_F(OnlineTrainerTest, SaysWhatIsMissing) {
  auto trainer = Open();
  io::ExpectStatus(trainer->Train(TrainPart::kTokenizer).status(), kPrecondition,
                   {"replay is empty"});
  io::ExpectStatus(trainer->ImagineNext(), kPrecondition, {"no episode is prepared"});
  AddEpisodes(*trainer);
  io::ExpectStatus(trainer->Train(TrainPart::kDynamics).status(), kPrecondition,
                   {"no episode is prepared"});
  Prepare(*trainer);
  io::ExpectStatus(trainer->Train(TrainPart::kError).status(), kPrecondition,
                   {"no episode is imagined"});
}

TEST_F(OnlineTrainerTest, EpisodesThatDoNotFitAreRefused) {
  auto trainer = Open();
  io::ExpectStatus(trainer->AddEpisode(ToyEpisode({.frames = 2})), kInvalid,
                   {"2 frames", "3 or more"});
  auto episode = ToyEpisode({.frames = 8});
  episode.action.shape = {8, 2};
  episode.action.data.resize(8 * 2 * sizeof(float));
  io::ExpectStatus(trainer->AddEpisode(episode), kInvalid, {"actions of 2 entries"});
  EXPECT_EQ(trainer->replay().episodes, 0);
}

TEST_F(OnlineTrainerTest, UnknownOptionsAreRefused) {
  EXPECT_EQ(OpenTrainer({.train_json = R"({"vea": {}})", .device = "cpu"}).status().code(),
            kInvalid);
  io::ExpectStatus(OpenTrainer({.profile = "gwm-huge", .device = "cpu"}).status(),
                   absl::StatusCode::kNotFound, {"gwm-huge"});
  io::ExpectStatus(OpenTrainer({.device = "cpu", .micro_rows = 0}).status(), kInvalid,
                   {"micro_rows is 0"});
  EXPECT_EQ(OpenTrainer({.checkpoint_dir = folder_ / "none", .device = "cpu"}).status().code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace gwm
