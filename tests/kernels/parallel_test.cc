#include "kernels/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "kernels/simd.h"
#include "kernels/status.h"

namespace gwm::kernels {
namespace {

std::set<std::pair<int64_t, int64_t>> PiecesOf(ThreadPool* pool, int64_t n, int64_t grain) {
  std::mutex mutex;
  std::set<std::pair<int64_t, int64_t>> pieces;
  ParallelFor(pool, n, grain, [&](int64_t begin, int64_t end) {
    std::lock_guard<std::mutex> lock(mutex);
    EXPECT_TRUE(pieces.insert({begin, end}).second);
  });
  return pieces;
}

TEST(ParallelForTest, CutsTheRangeTheSameWayForEveryPool) {
  const std::set<std::pair<int64_t, int64_t>> want = {{0, 4}, {4, 8}, {8, 10}};
  ThreadPool one(1), three(3);
  EXPECT_EQ(PiecesOf(nullptr, 10, 4), want);
  EXPECT_EQ(PiecesOf(&one, 10, 4), want);
  EXPECT_EQ(PiecesOf(&three, 10, 4), want);
}

TEST(ParallelForTest, CallsNothingForAnEmptyRange) {
  ThreadPool pool(2);
  EXPECT_TRUE(PiecesOf(&pool, 0, 4).empty());
  EXPECT_TRUE(PiecesOf(nullptr, -3, 4).empty());
}

TEST(ThreadPoolTest, RunsEveryPartOnceCallAfterCall) {
  ThreadPool pool(3);
  for (int call = 0; call < 500; ++call) {
    std::vector<std::atomic<int>> counts(7);
    pool.Run(7, [&](int64_t part) { ++counts[part]; });
    for (const std::atomic<int>& count : counts) ASSERT_EQ(count.load(), 1);
  }
}

TEST(ThreadPoolTest, CountsTheCallerAmongItsThreads) {
  EXPECT_EQ(ThreadPool(1).threads(), 1);
  EXPECT_EQ(ThreadPool(2).threads(), 2);
}

TEST(SimdTest, SupportedLevelsEndWithTheDetectedOne) {
  const std::vector<SimdLevel> levels = SupportedSimdLevels();
  ASSERT_FALSE(levels.empty());
  EXPECT_EQ(levels.front(), SimdLevel::kScalar);
  EXPECT_EQ(levels.back(), DetectSimdLevel());
  for (const SimdLevel level : levels) EXPECT_STRNE(SimdLevelName(level), "unknown");
}

TEST(KernelStatusTest, EveryCodeHasAName) {
  EXPECT_STREQ(KernelStatusName(KernelStatus::kOk), "ok");
  EXPECT_STREQ(KernelStatusName(KernelStatus::kCapacityExceeded), "capacity exceeded");
}

}  // namespace
}  // namespace gwm::kernels
