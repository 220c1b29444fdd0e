// Sessions under random operations, beside a model that knows what must be there.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <thread>

#include "server/session/session_table.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_world.h"

namespace gwm::server {
namespace {

constexpr uint32_t kMaxSessions = 40;
constexpr uint64_t kMaxEnvs = 100;
constexpr absl::Duration kTtl = absl::Seconds(10);

class SessionRacesTest : public ::testing::Test {
 protected:
  SessionTableOptions Options() {
    return {.instance_id = "00000000000000aa",
            .max_sessions = kMaxSessions,
            .room = {.max_envs = kMaxEnvs},
            .clock = &clock_,
            .random = [this] { return ++random_; },
            .on_close = [this](CloseReason, absl::Duration) { ++closed_; }};
  }
  SessionConfig Config(uint32_t num_envs) const {
    return {.world = world_,
            .num_envs = num_envs,
            .idle_ttl = kTtl,
            .max_lifetime = absl::Hours(100'000)};
  }
  static WorldHandle RoomyWorld() {
    const auto controls = std::make_shared<fakes::FakeWorldControls>();
    controls->pool_states = 4 * kMaxEnvs;
    return std::make_shared<ServedWorld>(fakes::MakeFakeWorld(controls));
  }

  fakes::FakeClock clock_;
  std::atomic<uint64_t> random_ = 0;
  std::atomic<uint64_t> closed_ = 0;
  const WorldHandle world_ = RoomyWorld();
  SessionTable table_{Options()};
};

// What the table must hold: a lease per open session, which every use renews.
struct Model {
  struct Entry {
    uint32_t envs;
    absl::Time expires;
    std::vector<SessionUse> holds;  // calls under way: they keep the lease
  };
  std::map<std::string, Entry> open;

  uint64_t envs() const {
    uint64_t sum = 0;
    for (const auto& [id, entry] : open) sum += entry.envs;
    return sum;
  }
  void Expire(absl::Time now) {
    std::erase_if(open, [now](const auto& item) {
      return item.second.holds.empty() && now >= item.second.expires;
    });
  }
  std::map<std::string, Entry>::iterator Any(std::mt19937& random) {
    return open.empty() ? open.end() : std::next(open.begin(), random() % open.size());
  }
};

TEST_F(SessionRacesTest, AMillionRandomOperationsAgreeWithTheModel) {
  std::mt19937 random(1);
  Model model;
  std::string gone;
  for (int i = 0; i < 1'000'000; ++i) {
    const absl::Time now = clock_.Now();
    model.Expire(now);
    const auto any = model.Any(random);
    switch (random() % 8) {
      case 0: {  // create
        const uint32_t envs = 1 + random() % 8;
        const auto made = table_.Create(Config(envs));
        const bool fits = model.open.size() < kMaxSessions && model.envs() + envs <= kMaxEnvs;
        ASSERT_EQ(made.ok(), fits) << "operation " << i;
        if (made.ok()) model.open[(*made)->id()] = {envs, now + kTtl, {}};
        break;
      }
      case 1:  // close, perhaps with calls under way
        if (any == model.open.end() || random() % 4 != 0) break;
        ASSERT_TRUE(table_.Close(any->first).ok());
        gone = any->first;
        model.open.erase(any);
        break;
      case 2:  // a call begins
        if (any == model.open.end()) break;
        if (auto use = table_.Find(any->first); use.ok()) {
          any->second.holds.push_back(*std::move(use));
        } else {
          FAIL() << use.status();
        }
        break;
      case 3:  // a call ends, answered or cancelled
        if (any == model.open.end() || any->second.holds.empty()) break;
        any->second.holds.pop_back();
        any->second.expires = now + kTtl;
        break;
      case 4:
        clock_.Advance(absl::Milliseconds(random() % 600));
        break;
      case 5:
        table_.ReapExpired();
        break;
      case 6:  // closing again, or somebody who comes late
        if (gone.empty()) break;
        ASSERT_TRUE(table_.Close(gone).ok());
        ASSERT_FALSE(table_.Find(gone).ok());
        break;
      default:
        table_.ReapExpired();
        ASSERT_EQ(table_.counts().sessions, model.open.size()) << "operation " << i;
        ASSERT_EQ(table_.counts().envs, model.envs()) << "operation " << i;
    }
  }
}

TEST_F(SessionRacesTest, ThreadsThatCreateUseCloseAndReapLeaveNothing) {
  constexpr int kThreads = 4;
  std::atomic<uint64_t> made = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(static_cast<uint32_t>(t));
      std::vector<std::string> ids;
      for (int i = 0; i < 20'000; ++i) {
        const uint32_t act = random() % 8;
        if (act < 3) {
          const auto session = table_.Create(Config(1 + random() % 3));
          if (session.ok()) ids.push_back((*session)->id()), ++made;
        } else if (act < 6 && !ids.empty()) {
          const auto use = table_.Find(ids[random() % ids.size()]);
          if (use.ok()) {
            EXPECT_GT((*use)->num_envs(), 0u);
          }
        } else if (act == 6 && !ids.empty()) {
          static_cast<void>(table_.Close(ids.back()));
          ids.pop_back();
        } else {
          clock_.Advance(absl::Milliseconds(50));
          table_.ReapExpired();
        }
      }
      for (const std::string& id : ids) static_cast<void>(table_.Close(id));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(table_.counts().sessions, 0u);
  EXPECT_EQ(table_.counts().envs, 0u);
  EXPECT_EQ(table_.counts().state_bytes, 0u);
  EXPECT_EQ(closed_, made);  // each ended once
}

}  // namespace
}  // namespace gwm::server
