#include "kernels/slots.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace gwm::kernels {
namespace {

SlotArgs ArgsOf(const std::vector<int64_t>& slots, int64_t num_slots, int64_t row_bytes) {
  return {slots.data(), static_cast<int64_t>(slots.size()), num_slots, row_bytes};
}

TEST(SlotsTest, GatherReadsRowsInTheOrderAsked) {
  std::vector<uint8_t> pool(4 * 3), batch(4 * 3, 99);
  std::iota(pool.begin(), pool.end(), 0);
  const std::vector<int64_t> slots = {2, 0, 2, 3};
  ASSERT_EQ(GatherSlots(ArgsOf(slots, 4, 3), pool.data(), batch.data()), KernelStatus::kOk);
  EXPECT_EQ(batch, (std::vector<uint8_t>{6, 7, 8, 0, 1, 2, 6, 7, 8, 9, 10, 11}));
}

TEST(SlotsTest, ScatterWritesOnlyTheNamedSlots) {
  std::vector<uint8_t> pool(4 * 2, 7);
  const std::vector<uint8_t> batch = {1, 2, 3, 4};
  const std::vector<int64_t> slots = {3, 1};
  ASSERT_EQ(ScatterSlots(ArgsOf(slots, 4, 2), batch.data(), pool.data()), KernelStatus::kOk);
  EXPECT_EQ(pool, (std::vector<uint8_t>{7, 7, 3, 4, 7, 7, 1, 2}));
}

TEST(SlotsTest, SlotsOutsideThePoolReadZeroAndWriteNothing) {
  std::vector<uint8_t> pool = {5, 6}, batch(3, 9);
  const std::vector<int64_t> slots = {-1, 1, 2};
  ASSERT_EQ(GatherSlots(ArgsOf(slots, 2, 1), pool.data(), batch.data()), KernelStatus::kOk);
  EXPECT_EQ(batch, (std::vector<uint8_t>{0, 6, 0}));
  batch = {1, 2, 3};
  ASSERT_EQ(ScatterSlots(ArgsOf(slots, 2, 1), batch.data(), pool.data()), KernelStatus::kOk);
  EXPECT_EQ(pool, (std::vector<uint8_t>{5, 2}));
}

TEST(SlotsTest, EmptyRequestsTouchNothing) {
  const std::vector<int64_t> slots = {0};
  EXPECT_EQ(GatherSlots(ArgsOf({}, 2, 4), nullptr, nullptr), KernelStatus::kOk);
  EXPECT_EQ(ScatterSlots(ArgsOf(slots, 2, 0), nullptr, nullptr), KernelStatus::kOk);
  EXPECT_EQ(GatherSlots(ArgsOf(slots, 2, -1), nullptr, nullptr), KernelStatus::kInvalidArgument);
}

}  // namespace
}  // namespace gwm::kernels
