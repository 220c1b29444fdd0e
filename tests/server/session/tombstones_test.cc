#include "server/session/tombstones.h"

#include <gtest/gtest.h>

namespace gwm::server {
namespace {

const absl::Time kStart = absl::UnixEpoch() + absl::Hours(1);

TEST(TombstonesTest, SaysWhyASessionIsGoneUntilItsTimeIsUp) {
  Tombstones tombstones(10, absl::Seconds(60));
  tombstones.Put("a", CloseReason::kExpired, kStart);
  tombstones.Put("b", CloseReason::kEvicted, kStart + absl::Seconds(30));
  EXPECT_EQ(tombstones.Find("a", kStart + absl::Seconds(59)), CloseReason::kExpired);
  EXPECT_EQ(tombstones.Find("a", kStart + absl::Seconds(60)), std::nullopt);
  EXPECT_EQ(tombstones.Find("b", kStart + absl::Seconds(60)), CloseReason::kEvicted);
  EXPECT_EQ(tombstones.Find("c", kStart), std::nullopt);
}

TEST(TombstonesTest, ForgetsTheOldestWhenThereAreTooMany) {
  Tombstones tombstones(2, absl::Hours(1));
  for (const char* id : {"a", "b", "c"}) tombstones.Put(id, CloseReason::kClient, kStart);
  EXPECT_EQ(tombstones.Find("a", kStart), std::nullopt);
  EXPECT_EQ(tombstones.Find("b", kStart), CloseReason::kClient);
  EXPECT_EQ(tombstones.size(), 2u);
}

}  // namespace
}  // namespace gwm::server
