#include "clients/rl/mixed_replay.h"

#include "tests/clients/rl/test_support.h"

namespace gwm::rl {
namespace {

// All frames hold `name`.
std::unique_ptr<Replay> MakeReplay(double name, int steps, RandomStream stream) {
  auto replay = *Replay::Create({.frame_shape = {1},
                                 .frame_type = torch::kFloat32,
                                 .frame_stack = 1,
                                 .action_dim = 1,
                                 .max_transitions = 50,
                                 .random_stream = stream});
  const torch::Tensor frame = torch::full({1}, name);
  EXPECT_TRUE(replay->Begin(0, frame.unsqueeze(0)).ok());
  for (int i = 0; i < steps; ++i) {
    EXPECT_TRUE(replay->Add(0, {.action = torch::zeros({1}), .frame = frame}).ok());
  }
  return replay;
}

int64_t RealRowsOf(const Batch& batch) { return (batch.observation == 1).sum().item<int64_t>(); }

TEST(SampleMixedTest, HasExactlyTheAskedShareOfRealRows) {
  const auto real = MakeReplay(1, 9, RandomStream::kReplay);
  const auto imagined = MakeReplay(2, 9, RandomStream::kImaginedReplay);
  for (const auto& [ratio, rows] : {std::pair{0.5, 128}, {0.05, 12}, {0.0, 0}, {1.0, 256}}) {
    const auto batch = SampleMixed(*real, *imagined, ratio, 256, 3);
    ASSERT_TRUE(batch.ok()) << batch.status();
    EXPECT_EQ(batch->size(), 256);
    EXPECT_EQ(RealRowsOf(*batch), rows);
  }
}

TEST(SampleMixedTest, IsRealAloneWhileNothingIsImagined) {
  const auto real = MakeReplay(1, 9, RandomStream::kReplay);
  const auto imagined = MakeReplay(2, 0, RandomStream::kImaginedReplay);
  const auto batch = SampleMixed(*real, *imagined, 0.5, 64, 0);
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_EQ(RealRowsOf(*batch), 64);
}

TEST(SampleMixedTest, RefusesImpossibleRatiosAndEmptyReplays) {
  const auto real = MakeReplay(1, 0, RandomStream::kReplay);
  const auto imagined = MakeReplay(2, 9, RandomStream::kImaginedReplay);
  EXPECT_TRUE(absl::IsInvalidArgument(SampleMixed(*real, *imagined, 1.5, 64, 0).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(SampleMixed(*real, *imagined, NAN, 64, 0).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(SampleMixed(*real, *imagined, 0.5, 64, 0).status()));
}

TEST(RealRowsTest, IsNotTrickedByRounding) {
  EXPECT_EQ(RealRows(100, 0.29), 29);
  EXPECT_EQ(RealRows(256, 0.05), 12);
  EXPECT_EQ(RealRows(256, 0.5), 128);
}

}  // namespace
}  // namespace gwm::rl
