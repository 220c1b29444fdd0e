#include "server/session/replay_log.h"

#include <gtest/gtest.h>

#include "server/base/error.h"

namespace gwm::server {
namespace {

class Reply : public StoredReply {
 public:
  explicit Reply(size_t bytes) : bytes_(bytes) {}
  size_t bytes() const override { return bytes_; }

 private:
  size_t bytes_;
};

class ReplayLogTest : public ::testing::Test {
 protected:
  static ReplayKey Key(const std::string& id) {
    return {.request_id = id, .fingerprint = "of " + id};
  }
  StoredReplyPtr Keep(const std::string& id, std::vector<uint32_t> env_ids, size_t bytes = 10) {
    auto reply = std::make_shared<Reply>(bytes);
    log_.Keep(env_ids, {Key(id), reply});
    return reply;
  }
  std::string ReasonFor(const ReplayKey& key) { return DetailsOf(log_.Find(key).status()).reason; }

  ReplayLog log_{100};
};

TEST_F(ReplayLogTest, KnowsNothingOfACallThatNeverCame) {
  EXPECT_EQ(*log_.Find(Key("a")), nullptr);
}

TEST_F(ReplayLogTest, GivesTheReplyOfTheSameCallAgainAndAgain) {
  const StoredReplyPtr reply = Keep("a", {0, 1});
  EXPECT_EQ(*log_.Find(Key("a")), reply);
  EXPECT_EQ(*log_.Find(Key("a")), reply);
}

TEST_F(ReplayLogTest, AnotherCallOfTheSameNameIsAConflict) {
  Keep("a", {0});
  EXPECT_EQ(ReasonFor({.request_id = "a", .fingerprint = "of b"}), "STEP_CONFLICT");
}

TEST_F(ReplayLogTest, KeepsTheLastReplyOfEachEnvironmentAndRemembersTheEarlierNames) {
  Keep("a", {0, 1});
  const StoredReplyPtr other = Keep("b", {2});
  const StoredReplyPtr last = Keep("c", {1});
  EXPECT_EQ(ReasonFor(Key("a")), "STEP_CONFLICT");
  EXPECT_EQ(*log_.Find(Key("b")), other);
  EXPECT_EQ(*log_.Find(Key("c")), last);
  log_.Forget(std::vector<uint32_t>{2});
  EXPECT_EQ(ReasonFor(Key("b")), "STEP_CONFLICT");
  EXPECT_EQ(log_.bytes(), 10u);
}

TEST_F(ReplayLogTest, TheOldestMakesRoom) {
  Keep("a", {0}, 60);
  const StoredReplyPtr newer = Keep("b", {1}, 60);
  EXPECT_EQ(ReasonFor(Key("a")), "STEP_CONFLICT");
  EXPECT_EQ(*log_.Find(Key("b")), newer);
  EXPECT_EQ(log_.bytes(), 60u);
}

TEST_F(ReplayLogTest, AReplyAboveTheLimitIsNotKeptButItsNameIs) {
  Keep("a", {0}, 101);
  EXPECT_EQ(log_.bytes(), 0u);
  EXPECT_EQ(ReasonFor(Key("a")), "STEP_CONFLICT");
}

}  // namespace
}  // namespace gwm::server
