#include <gtest/gtest.h>

#include "server/schedule/backlog.h"
#include "server/schedule/batch_size.h"
#include "server/schedule/cost_table.h"

namespace gwm::server {
namespace {

constexpr auto kStep = Stage::kStep;

// A device where every call costs 2 ms and every row a tenth more.
CostTable Batching() {
  CostTable costs;
  for (int rows = 1; rows <= 64; rows *= 2) {
    costs.Learn(kStep, rows, absl::Milliseconds(2) + rows * absl::Microseconds(100));
  }
  return costs;
}

// A device where rows are computed one after the other.
CostTable Linear(absl::Duration row) {
  CostTable costs;
  for (int rows = 1; rows <= 64; rows *= 2) costs.Learn(kStep, rows, rows * row);
  return costs;
}

double Milliseconds(std::optional<absl::Duration> cost) {
  return absl::ToDoubleMilliseconds(cost.value());
}

TEST(CostTableTest, KnowsNothingUntilItIsTold) {
  EXPECT_FALSE(CostTable().Predict(kStep, 1).has_value());
  CostTable costs;
  costs.Learn(kStep, 1, absl::Milliseconds(1));
  EXPECT_FALSE(costs.Predict(Stage::kRender, 1).has_value());
}

TEST(CostTableTest, IsAStraightLineBetweenMeasurementsAndInProportionBeyond) {
  const CostTable costs = Batching();
  EXPECT_NEAR(Milliseconds(costs.Predict(kStep, 1)), 2.1, 1e-3);
  EXPECT_NEAR(Milliseconds(costs.Predict(kStep, 12)), 3.2, 1e-3);
  EXPECT_NEAR(Milliseconds(costs.Predict(kStep, 64)), 8.4, 1e-3);
  EXPECT_NEAR(Milliseconds(costs.Predict(kStep, 128)), 16.8, 1e-3);
}

TEST(CostTableTest, GuessesFromASingleMeasurement) {
  CostTable costs;
  costs.Learn(kStep, 8, absl::Milliseconds(8));
  EXPECT_NEAR(Milliseconds(costs.Predict(kStep, 4)), 8, 1e-3);
  EXPECT_NEAR(Milliseconds(costs.Predict(kStep, 16)), 16, 1e-3);
}

TEST(CostTableTest, FollowsADeviceThatBecomesSlower) {
  CostTable costs = Batching();
  for (int i = 0; i < 100; ++i) costs.Learn(kStep, 24, absl::Milliseconds(9));
  EXPECT_NEAR(Milliseconds(costs.Predict(kStep, 24)), 9, 0.2);
  EXPECT_NEAR(Milliseconds(costs.Predict(kStep, 1)), 2.1, 1e-3);
}

TEST(CostTableTest, ASingleOutlierMovesItLittle) {
  CostTable costs = Batching();
  costs.Learn(kStep, 1, absl::Seconds(10));
  EXPECT_LT(Milliseconds(costs.Predict(kStep, 1)), 3);
}

TEST(BatchSizeTest, JoinsWhereTheDeviceBatches) {
  const CostTable costs = Batching();
  const BatchLimits limits{.max_rows = 64, .max_quantum = absl::Milliseconds(100)};
  EXPECT_EQ(RowsToStart(costs, 500, limits), 64);
  EXPECT_EQ(RowsToJoin(costs, 1, 500, 0, limits), 63);
}

TEST(BatchSizeTest, KeepsWithinTheQuantum) {
  const CostTable costs = Linear(absl::Milliseconds(3));
  const BatchLimits limits{.max_rows = 64, .max_quantum = absl::Milliseconds(10)};
  EXPECT_EQ(RowsToStart(costs, 64, limits), 2);
  EXPECT_EQ(RowsToJoin(costs, 1, 2, 0, limits), 2);
  EXPECT_EQ(RowsToJoin(costs, 3, 1, 0, limits), 0);
  EXPECT_EQ(RowsToStart(Linear(absl::Milliseconds(30)), 64, limits), 1);
}

TEST(BatchSizeTest, ADeviceWhoseSingleRowIsLongStillFillsItsBatches) {
  CostTable costs;
  for (int rows = 1; rows <= 64; rows *= 2) {
    costs.Learn(kStep, rows, absl::Milliseconds(20) + rows * absl::Microseconds(200));
  }
  const BatchLimits limits{.max_rows = 64, .max_quantum = absl::Milliseconds(10)};
  EXPECT_EQ(RowsToStart(costs, 500, limits), 64);
  EXPECT_EQ(RowsToJoin(costs, 1, 63, 0, limits), 63);
  // But no more than twice as long as a row.
  costs.Learn(kStep, 128, absl::Milliseconds(50));
  EXPECT_EQ(RowsToStart(costs, 128, {.max_rows = 128, .max_quantum = limits.max_quantum}), 64);
}

TEST(BatchSizeTest, JoinsNothingThatMakesARowDearer) {
  CostTable costs;
  costs.Learn(kStep, 1, absl::Milliseconds(1));
  costs.Learn(kStep, 2, absl::Milliseconds(2));
  costs.Learn(kStep, 4, absl::Milliseconds(6));  // out of cache, say
  const BatchLimits limits{.max_rows = 64, .max_quantum = absl::Milliseconds(100)};
  EXPECT_EQ(RowsToJoin(costs, 1, 1, 0, limits), 1);
  EXPECT_EQ(RowsToJoin(costs, 2, 2, 0, limits), 0);
}

TEST(BatchSizeTest, LessUrgentRowsDelayUrgentOnesByAQuarterAtMost) {
  const CostTable costs = Batching();
  const BatchLimits limits{.max_rows = 64, .max_quantum = absl::Milliseconds(100)};
  const int rows = RowsToJoin(costs, 1, 64, 1, limits);
  EXPECT_GT(rows, 0);
  EXPECT_LE(*costs.Predict(kStep, 1 + rows), 1.25 * *costs.Predict(kStep, 1));
}

TEST(BatchSizeTest, LessUrgentQuantaAreShortAmongUrgentWork) {
  const BatchLimits limits =
      LimitsAmongUrgent(Linear(absl::Milliseconds(3)), {.max_quantum = absl::Seconds(1)});
  EXPECT_EQ(limits.max_quantum, absl::Milliseconds(6));
}

TEST(BacklogTest, CountsStepsAsTheyCostInBatches) {
  const CostTable costs = Batching();
  const BatchLimits limits{.max_rows = 64, .max_quantum = absl::Milliseconds(100)};
  const absl::Duration one = LoadOf({.stage = kStep, .rows = 1, .calls = 2}, costs, limits);
  Backlog backlog(limits.max_quantum);
  for (int i = 0; i < 64; ++i) backlog.Add(WorkClass::kInteractive, std::to_string(i), one);
  EXPECT_NEAR(Milliseconds(backlog.UpTo(WorkClass::kInteractive)), 16.8, 1e-3);
  // Two calls of a row, the last one among 63 others.
  EXPECT_NEAR(Milliseconds(TimeToResult(costs, 1, 2, limits)), 2.1 + 8.4, 1e-3);
  for (int i = 0; i < 64; ++i) {
    backlog.Remove(WorkClass::kInteractive, std::to_string(i), one, true);
  }
  EXPECT_EQ(backlog.UpTo(WorkClass::kTraining), absl::ZeroDuration());
}

TEST(BacklogTest, AClientWaitsForOthersOnlyAsLongAsTheyMayGoFirst) {
  Backlog backlog(absl::Milliseconds(10));
  const absl::Duration one = absl::Milliseconds(10);
  for (int i = 0; i < 50; ++i) backlog.Add(WorkClass::kImagine, "heavy", one);
  EXPECT_EQ(backlog.Ahead(WorkClass::kImagine, "heavy", one), absl::Milliseconds(500));
  EXPECT_EQ(backlog.Ahead(WorkClass::kImagine, "light", one), absl::Milliseconds(20));
  EXPECT_EQ(backlog.Ahead(WorkClass::kInteractive, "light", one), absl::ZeroDuration());
  EXPECT_EQ(backlog.Ahead(WorkClass::kPerception, "light", one), absl::Milliseconds(500));
}

TEST(BacklogTest, WhoHasMuchWaitingIsDoneLastWhenAllGoOn) {
  Backlog backlog(absl::Milliseconds(10));
  const absl::Duration one = absl::Milliseconds(10);
  for (int i = 0; i < 4; ++i) backlog.Add(WorkClass::kImagine, "a", one);
  backlog.Add(WorkClass::kImagine, "b", one);
  EXPECT_EQ(backlog.FairFinish(WorkClass::kImagine, "a", one), absl::Milliseconds(100));
  EXPECT_EQ(backlog.FairFinish(WorkClass::kImagine, "b", one), absl::Milliseconds(40));
  EXPECT_EQ(backlog.FairFinish(WorkClass::kImagine, "c", one), absl::Milliseconds(30));
}

}  // namespace
}  // namespace gwm::server
