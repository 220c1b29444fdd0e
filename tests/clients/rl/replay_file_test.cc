// A replay saved to a file and restored: bit by bit, after torn writes, from damaged files.
#include <filesystem>
#include <fstream>
#include <sstream>

#include "clients/base/state_file.h"
#include "clients/rl/replay.h"
#include "tests/clients/rl/test_support.h"

namespace gwm::rl {
namespace {

ReplayOptions SmallOptions() {
  return {.frame_shape = {2},
          .frame_type = torch::kFloat32,
          .frame_stack = 2,
          .action_dim = 1,
          .max_transitions = 20,
          .n_step = 2,
          .seed = 4};
}

void AddSteps(Replay& replay, int first, int count) {
  for (int i = first; i < first + count; ++i) {
    ASSERT_TRUE(replay
                    .Add(0, {.action = torch::full({1}, i / 100.0),
                             .reward = static_cast<double>(i),
                             .frame = torch::full({2}, static_cast<float>(i))})
                    .ok());
  }
}

std::unique_ptr<Replay> MakeReplay(int steps, const ReplayOptions& options = SmallOptions()) {
  auto replay = *Replay::Create(options);
  if (steps > 0) {
    EXPECT_TRUE(replay->Begin(0, torch::zeros({1, 2})).ok());
    AddSteps(*replay, 1, steps);
  }
  return replay;
}

void ExpectSameSamples(const Replay& a, const Replay& b) {
  ASSERT_EQ(a.transitions(), b.transitions());
  for (uint64_t counter = 0; counter < 5; ++counter) {
    const auto first = a.Sample(16, counter), second = b.Sample(16, counter);
    ASSERT_TRUE(first.ok() && second.ok());
    EXPECT_TRUE(SameBits(first->observation, second->observation));
    EXPECT_TRUE(SameBits(first->action, second->action));
    EXPECT_TRUE(SameBits(first->reward, second->reward));
    EXPECT_TRUE(SameBits(first->discount, second->discount));
    EXPECT_TRUE(SameBits(first->next_observation, second->next_observation));
  }
}

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

void WriteAll(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<long>(bytes.size()));
}

TEST(ReplayFileTest, ARestoredReplaySamplesTheSameAndGoesOn) {
  for (const int steps : {7, 50}) {  // half full, and around the ring twice
    const std::string path = TestPath("a");
    const auto before = MakeReplay(steps), after = MakeReplay(3);
    ASSERT_TRUE(before->Save(path).ok());
    ASSERT_TRUE(after->Restore(path).ok());
    ExpectSameSamples(*before, *after);
    AddSteps(*before, steps + 1, 5);  // the episode is still open
    AddSteps(*after, steps + 1, 5);
    ExpectSameSamples(*before, *after);
  }
}

TEST(ReplayFileTest, AnEmptyReplayIsRestoredEmpty) {
  const std::string path = TestPath("a");
  ASSERT_TRUE(MakeReplay(0)->Save(path).ok());
  const auto replay = MakeReplay(5);
  ASSERT_TRUE(replay->Restore(path).ok());
  EXPECT_EQ(replay->transitions(), 0);
}

TEST(ReplayFileTest, ATornFileGivesAnErrorAndChangesNothing) {
  const std::string path = TestPath("a"), torn = TestPath("torn");
  ASSERT_TRUE(MakeReplay(12)->Save(path).ok());
  const std::string bytes = ReadAll(path);
  const auto replay = MakeReplay(5), untouched = MakeReplay(5);
  for (const size_t kept :
       {size_t{0}, size_t{5}, size_t{100}, bytes.size() / 2, bytes.size() - 1}) {
    WriteAll(torn, bytes.substr(0, kept));
    const absl::Status status = replay->Restore(torn);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << kept << " bytes: " << status;
    EXPECT_FALSE(status.message().empty());
  }
  ExpectSameSamples(*replay, *untouched);
}

TEST(ReplayFileTest, AChangedByteIsNoticed) {
  const std::string path = TestPath("a"), damaged = TestPath("damaged");
  ASSERT_TRUE(MakeReplay(12)->Save(path).ok());
  const std::string bytes = ReadAll(path);
  const auto replay = MakeReplay(0);
  for (size_t at = 9; at < bytes.size(); at += 13) {
    std::string changed = bytes;
    changed[at] = static_cast<char>(changed[at] ^ 4);
    WriteAll(damaged, changed);
    EXPECT_FALSE(replay->Restore(damaged).ok()) << "byte " << at;
  }
}

// A process that is killed while it writes leaves the temporary file, never half of the real one.
TEST(ReplayFileTest, AnInterruptedWriteLeavesTheOldFile) {
  const std::string path = TestPath("a");
  const auto old = MakeReplay(12);
  ASSERT_TRUE(old->Save(path).ok());
  WriteAll(path + ".tmp", ReadAll(path).substr(0, 100));
  const auto replay = MakeReplay(0);
  ASSERT_TRUE(replay->Restore(path).ok());
  ExpectSameSamples(*old, *replay);
  const auto newer = MakeReplay(15);
  ASSERT_TRUE(newer->Save(path).ok());
  ASSERT_TRUE(replay->Restore(path).ok());
  ExpectSameSamples(*newer, *replay);
}

TEST(ReplayFileTest, AWriteThatCannotStartLeavesTheOldFile) {
  const std::string path = TestPath("a");
  ASSERT_TRUE(MakeReplay(12)->Save(path).ok());
  const std::string bytes = ReadAll(path);
  EXPECT_FALSE(MakeReplay(15)->Save(path + "/inside_a_file").ok());
  EXPECT_EQ(ReadAll(path), bytes);
}

TEST(ReplayFileTest, OtherOptionsAreRefused) {
  const std::string path = TestPath("a");
  ASSERT_TRUE(MakeReplay(12)->Save(path).ok());
  const auto refuses = [&](auto change) {
    ReplayOptions options = SmallOptions();
    change(options);
    return absl::IsInvalidArgument(MakeReplay(0, options)->Restore(path));
  };
  EXPECT_TRUE(refuses([](ReplayOptions& o) { o.frame_stack = 3; }));
  EXPECT_TRUE(refuses([](ReplayOptions& o) { o.max_transitions = 21; }));
  EXPECT_TRUE(refuses([](ReplayOptions& o) { o.frame_shape = {1, 2}; }));
  EXPECT_TRUE(refuses([](ReplayOptions& o) { o.frame_type = torch::kUInt8; }));
  EXPECT_TRUE(refuses([](ReplayOptions& o) { o.action_dim = 2; }));
  EXPECT_FALSE(refuses([](ReplayOptions& o) { o.n_step = 1; }));
  EXPECT_TRUE(absl::IsNotFound(MakeReplay(0)->Restore(TestPath("none"))));
}

// Links are checked even where somebody made the checksum fit.
TEST(ReplayFileTest, LinksThatLeadAstrayAreRefused) {
  const std::string path = TestPath("a"), changed = TestPath("changed");
  ASSERT_TRUE(MakeReplay(12)->Save(path).ok());
  const auto refuses = [&](const std::string& name, int64_t place, int64_t value) {
    clients::StateFile state = *clients::ReadStateFile(path, "gwm-replay-1");
    state.tensors.at(name).view(-1)[place] = value;
    EXPECT_TRUE(clients::WriteStateFile(changed, "gwm-replay-1", state).ok());
    return absl::IsInvalidArgument(MakeReplay(0)->Restore(changed));
  };
  EXPECT_TRUE(refuses("next", 3, 1000));
  EXPECT_TRUE(refuses("next", 3, 3));
  EXPECT_TRUE(refuses("next", 3, -7));
  EXPECT_TRUE(refuses("previous", 3, 3));
  EXPECT_TRUE(refuses("previous", 3, -2));
  EXPECT_TRUE(refuses("flags", 3, 200));
  EXPECT_TRUE(refuses("open", 1, 99));
  EXPECT_FALSE(refuses("rewards", 3, 5));
}

}  // namespace
}  // namespace gwm::rl
