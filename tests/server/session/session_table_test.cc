#include "server/session/session_table.h"

#include <gtest/gtest.h>

#include <optional>
#include <set>

#include "server/base/error.h"
#include "server/session/reaper.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_world.h"

namespace gwm::server {
namespace {

class SessionTableTest : public ::testing::Test {
 protected:
  SessionTableOptions Options() {
    return {.instance_id = "00000000000000aa",
            .max_sessions = 4,
            .room = {.max_envs = 8, .max_state_bytes = 800},
            .max_tombstones = 2,
            .tombstone_ttl = absl::Hours(1),
            .clock = &clock_,
            .random = [this] { return ++random_; },
            .on_close =
                [this](CloseReason reason, absl::Duration lifetime) {
                  closed_.push_back({reason, lifetime});
                }};
  }
  SessionConfig Config(uint32_t num_envs = 1) const {
    return {.world = world_,
            .num_envs = num_envs,
            .idle_ttl = absl::Seconds(10),
            .max_lifetime = absl::Seconds(100)};
  }
  std::string Create(uint32_t num_envs = 1) {
    auto session = table_->Create(Config(num_envs));
    return session.ok() ? (*session)->id() : "";
  }

  // Its states have 100 bytes.
  WorldHandle world_ = std::make_shared<ServedWorld>(
      fakes::MakeFakeWorld(std::make_shared<fakes::FakeWorldControls>()));
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

TEST_F(SessionTableTest, CountsBytesOfStatesAgainstTheQuota) {
  SessionTableOptions options = Options();
  options.room.max_state_bytes = 550;
  table_.emplace(options);
  EXPECT_FALSE(Create(3).empty());
  EXPECT_EQ(table_->counts().state_bytes, 300u);
  const auto refused = table_->Create(Config(3));
  EXPECT_EQ(DetailsOf(refused.status()).reason, "QUOTA");
  EXPECT_NE(refused.status().message().find("300 of 550 bytes"), absl::string_view::npos);
  EXPECT_FALSE(Create(2).empty());
}

TEST_F(SessionTableTest, EvictsTheLongestIdleOfThoseThatAllowItAndOnlyWhenThatHelps) {
  const auto create_evictable = [this](uint32_t num_envs) {
    SessionConfig config = Config(num_envs);
    config.evictable = true;
    clock_.Advance(absl::Seconds(1));
    return (*table_->Create(config))->id();
  };
  const std::string older = create_evictable(2), newer = create_evictable(2);
  const std::string fixed = Create(3);
  EXPECT_TRUE(table_->Create(Config(6)).status().code() == absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(table_->Find(older).ok());
  clock_.Advance(absl::Seconds(1));
  EXPECT_TRUE(table_->Find(newer).ok());
  EXPECT_FALSE(Create(3).empty());
  EXPECT_EQ(DetailsOf(table_->Find(older).status()).reason, "EVICTED");
  EXPECT_EQ(closed_.back().first, CloseReason::kEvicted);
  const auto in_use = table_->Find(newer);
  EXPECT_TRUE(table_->Create(Config(2)).status().code() == absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(table_->Find(fixed).ok());
}

TEST_F(SessionTableTest, ListsTheSessionsOfOneClientPageByPage) {
  const auto create_for = [this](const char* client) {
    SessionConfig config = Config();
    config.client_id = client;
    return (*table_->Create(config))->id();
  };
  std::set<std::string> mine = {create_for("me"), create_for("me")};
  create_for("other");
  const auto first = table_->List("me", "", 1);
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(first[0]->id(), *mine.begin());
  const auto second = table_->List("me", first[0]->id(), 10);
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(second[0]->id(), *mine.rbegin());
  clock_.Advance(absl::Seconds(10));
  EXPECT_TRUE(table_->List("me", "", 10).empty());
}

TEST_F(SessionTableTest, ATombstoneIsForgottenAfterItsTime) {
  const std::string id = Create();
  EXPECT_TRUE(table_->Close(id).ok());
  clock_.Advance(absl::Hours(1));
  EXPECT_EQ(DetailsOf(table_->Find(id).status()).reason, "UNKNOWN");
  EXPECT_EQ(table_->Close(id).code(), absl::StatusCode::kNotFound);
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
  const Reaper reaper([] {}, absl::Hours(1));
}

}  // namespace
}  // namespace gwm::server
