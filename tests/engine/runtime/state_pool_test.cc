#include "engine/runtime/state_pool.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <random>
#include <set>
#include <thread>

namespace gwm {
namespace {

TEST(StatePoolTest, HandsOutEachSlotOnceAndTakesItBack) {
  const auto pool = StatePool::Create(3, 5, torch::kCPU);
  EXPECT_EQ(pool->slots(), 3);
  EXPECT_EQ(pool->slab().sizes().vec(), (std::vector<int64_t>{3, 5}));
  auto slots = pool->Acquire(3);
  ASSERT_TRUE(slots.ok());
  std::set<int64_t> indices;
  for (const auto& slot : *slots) indices.insert(slot->index());
  EXPECT_EQ(indices, (std::set<int64_t>{0, 1, 2}));
  EXPECT_EQ(pool->free(), 0);
  const int64_t freed = (*slots)[1]->index();
  (*slots)[1].reset();
  EXPECT_EQ(pool->free(), 1);
  EXPECT_EQ((*pool->Acquire(1))[0]->index(), freed);
}

TEST(StatePoolTest, ExhaustionTakesNothing) {
  const auto pool = StatePool::Create(2, 1, torch::kCPU);
  const auto one = pool->Acquire(1);
  const auto status = pool->Acquire(2).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(std::string(status.message()).find("1 of 2"), std::string::npos) << status;
  EXPECT_EQ(pool->free(), 1);
  EXPECT_TRUE(pool->Acquire(1).ok());
}

TEST(StatePoolTest, AReleaseThatComesTwiceOrLateFreesNothingOfSomebodyElse) {
  const auto pool = StatePool::Create(2, 1, torch::kCPU);
  auto first = pool->Acquire(1);
  const int64_t index = (*first)[0]->index();
  const uint64_t generation = (*first)[0]->generation();
  EXPECT_TRUE(pool->Release(index, generation));
  EXPECT_FALSE(pool->Release(index, generation));
  const auto second = pool->Acquire(1);
  ASSERT_EQ((*second)[0]->index(), index);
  EXPECT_FALSE(pool->Release(index, generation));
  first->clear();  // the destructor's release comes late as well
  EXPECT_EQ(pool->free(), 1);
  EXPECT_NE((*second)[0]->generation(), generation);
}

TEST(StatePoolTest, SlotsMayOutliveTheirCreator) {
  auto pool = StatePool::Create(1, 1, torch::kCPU);
  auto slots = pool->Acquire(1);
  pool.reset();
  EXPECT_EQ((*slots)[0]->index(), 0);
}

TEST(StatePoolTest, NoSlotEverHasTwoOwnersUnderManyThreads) {
  constexpr int64_t kSlots = 16;
  const auto pool = StatePool::Create(kSlots, 1, torch::kCPU);
  std::array<std::atomic<int>, kSlots> owners{};
  std::atomic<int> conflicts = 0, refusals = 0;
  const auto work = [&](uint32_t seed) {
    std::mt19937 random(seed);
    std::vector<std::unique_ptr<StatePool::Slot>> held;
    const auto release = [&](size_t i) {
      --owners[static_cast<size_t>(held[i]->index())];
      held.erase(held.begin() + static_cast<std::ptrdiff_t>(i));
    };
    for (int turn = 0; turn < 2000; ++turn) {
      if (!held.empty() && random() % 2 == 0) {
        release(random() % held.size());
        continue;
      }
      auto taken = pool->Acquire(1 + random() % 3);
      if (!taken.ok()) {
        ++refusals;
        continue;
      }
      for (auto& slot : *taken) {
        if (++owners[static_cast<size_t>(slot->index())] != 1) ++conflicts;
        held.push_back(std::move(slot));
      }
    }
    while (!held.empty()) release(0);
  };
  std::vector<std::thread> threads;
  for (uint32_t seed = 0; seed < 4; ++seed) threads.emplace_back(work, seed);
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(conflicts, 0);
  EXPECT_GT(refusals, 0);
  EXPECT_EQ(pool->free(), kSlots);
}

}  // namespace
}  // namespace gwm
