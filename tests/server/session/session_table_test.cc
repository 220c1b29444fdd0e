#include "server/session/session_table.h"

#include <gtest/gtest.h>

#include <optional>
#include <set>

#include "server/base/error.h"
#include "server/session/reaper.h"
#include "tests/fakes/fake_clock.h"

namespace gwm::server {
namespace {

class SessionTableTest : public ::testing::Test {
 protected:
  SessionTableOptions Options() {
    return {.instance_id = "00000000000000aa",
            .max_sessions = 4,
            .max_envs = 8,
            .max_tombstones = 2,
            .clock = &clock_,
            .random = [this] { return ++random_; },
            .on_close =
                [this](CloseReason reason, absl::Duration lifetime) {
                  closed_.push_back({reason, lifetime});
                }};
  }
  static SessionConfig Config(uint32_t num_envs = 1) {
    return {
        .num_envs = num_envs, .idle_ttl = absl::Seconds(10), .max_lifetime = absl::Seconds(100)};
  }
  std::string Create(uint32_t num_envs = 1) {
    auto session = table_->Create(Config(num_envs));
    return session.ok() ? (*session)->id() : "";
  }

  fakes::FakeClock clock_;
  uint64_t random_ = 0;
  std::vector<std::pair<CloseReason, absl::Duration>> closed_;
  std::optional<SessionTable> table_{Options()};
};

TEST_F(SessionTableTest, IdsStartWithTheInstanceAndDiffer) {
  std::set<std::string> ids = {Create(), Create(), Create()};
  EXPECT_EQ(ids.size(), 3u);
  for (const std::string& id : ids) {
    EXPECT_EQ(id.substr(0, 17), "00000000000000aa-");
    EXPECT_EQ(id.size(), 49u);
  }
}

TEST_F(SessionTableTest, CountsEnvironmentsAgainstTheQuota) {
  EXPECT_FALSE(Create(8).empty());
  const auto refused = table_->Create(Config(1));
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(DetailsOf(refused.status()).reason, "QUOTA");
  EXPECT_EQ(table_->counts().envs, 8u);
}

TEST_F(SessionTableTest, AnExpiredSessionMakesRoomBeforeTheReaperComes) {
  const std::string id = Create(8);
  clock_.Advance(absl::Seconds(10));
  EXPECT_FALSE(Create(8).empty());
  EXPECT_EQ(DetailsOf(table_->Find(id).status()).reason, "EXPIRED");
}

TEST_F(SessionTableTest, ALeaseInUseDoesNotIdleOutAndIsRenewedAtTheEnd) {
  const std::string id = Create();
  {
    const auto use = table_->Find(id);
    ASSERT_TRUE(use.ok());
    clock_.Advance(absl::Seconds(50));
    EXPECT_EQ(table_->ReapExpired(), 0);
  }
  clock_.Advance(absl::Seconds(9));
  EXPECT_EQ(table_->ReapExpired(), 0);
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(table_->ReapExpired(), 1);
  ASSERT_EQ(closed_.size(), 1u);
  EXPECT_EQ(closed_[0].first, CloseReason::kExpired);
  EXPECT_EQ(closed_[0].second, absl::Seconds(60));
}

TEST_F(SessionTableTest, ForgetsTheOldestTombstones) {
  const std::string a = Create(), b = Create(), c = Create();
  for (const std::string& id : {a, b, c}) EXPECT_TRUE(table_->Close(id).ok());
  EXPECT_EQ(DetailsOf(table_->Find(a).status()).reason, "UNKNOWN");
  EXPECT_EQ(DetailsOf(table_->Find(b).status()).reason, "CLOSED");
  EXPECT_EQ(DetailsOf(table_->Find(c).status()).reason, "CLOSED");
}

TEST_F(SessionTableTest, ClosingIsIdempotentAndReportedOnce) {
  const std::string id = Create();
  EXPECT_TRUE(table_->Close(id).ok());
  EXPECT_TRUE(table_->Close(id).ok());
  EXPECT_EQ(closed_.size(), 1u);
  EXPECT_EQ(table_->Close("nonsense").code(), absl::StatusCode::kNotFound);
}

TEST_F(SessionTableTest, TellsIdsOfOtherProcessesFromNonsense) {
  EXPECT_EQ(DetailsOf(table_->Find("00000000000000bb-" + std::string(32, '1')).status()).reason,
            "SERVER_RESTARTED");
  EXPECT_EQ(DetailsOf(table_->Find("00000000000000bb-" + std::string(32, 'z')).status()).reason,
            "UNKNOWN");
  EXPECT_EQ(DetailsOf(table_->Find("").status()).reason, "UNKNOWN");
}

TEST_F(SessionTableTest, AClosedSessionTakesNoCommit) {
  auto use = table_->Create(Config(2));
  ASSERT_TRUE(use.ok());
  const std::vector<uint32_t> ids = {1};
  auto envs = (*use)->Read(ids);
  ASSERT_TRUE(envs.ok());
  EXPECT_TRUE(table_->Close((*use)->id()).ok());
  EXPECT_EQ(DetailsOf((*use)->Commit(ids, *std::move(envs))).reason, "CLOSED");
  EXPECT_FALSE((*use)->Read(ids).ok());
}

TEST_F(SessionTableTest, TheTableClosesWhatIsLeft) {
  Create();
  Create();
  table_.reset();
  EXPECT_EQ(closed_.size(), 2u);
}

TEST_F(SessionTableTest, TheReapersThreadEndsAtOnceWhenAsked) {
  const Reaper reaper(&*table_, absl::Hours(1));
}

}  // namespace
}  // namespace gwm::server
