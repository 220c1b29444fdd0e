#include "server/schedule/order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <vector>

namespace gwm::server {
namespace {

constexpr auto kInteractive = WorkClass::kInteractive;
constexpr auto kImagine = WorkClass::kImagine;
constexpr auto kPerception = WorkClass::kPerception;
constexpr auto kTraining = WorkClass::kTraining;

class OrderTest : public ::testing::Test {
 protected:
  void Push(uint64_t id, WorkClass work_class, const std::string& client = "a",
            absl::Duration deadline = absl::InfiniteDuration(), const void* owner = nullptr) {
    order_.Push({.id = id,
                 .work_class = work_class,
                 .client = client,
                 .owner = owner,
                 .deadline = absl::UnixEpoch() + deadline});
  }
  // Runs the next one to its end; its id.
  uint64_t Run(absl::Duration cost = absl::Milliseconds(1)) {
    const uint64_t id = order_.Next()->id;
    order_.Start(id);
    order_.Charge(id, cost);
    order_.Finish(id);
    order_.EndQuantum();
    return id;
  }
  std::vector<uint64_t> RunAll(absl::Duration cost = absl::Milliseconds(1)) {
    std::vector<uint64_t> ids;
    while (order_.waiting() > 0) ids.push_back(Run(cost));
    return ids;
  }

  WorkOrder order_{{.ageing_quanta = 10, .training_share = 0.1}};
};

using Ids = std::vector<uint64_t>;

TEST_F(OrderTest, TheMoreUrgentClassGoesFirst) {
  Push(1, kPerception);
  Push(2, kImagine);
  Push(3, kInteractive);
  EXPECT_EQ(RunAll(), (Ids{3, 2, 1}));
}

TEST_F(OrderTest, InsideAClientTheEarliestDeadlineGoesFirst) {
  Push(1, kInteractive);
  Push(2, kInteractive, "a", absl::Seconds(2));
  Push(3, kInteractive, "a", absl::Seconds(1));
  Push(4, kInteractive, "a", absl::Seconds(1));
  EXPECT_EQ(RunAll(), (Ids{3, 4, 2, 1}));
}

TEST_F(OrderTest, ClientsTakeTurnsByDeviceTime) {
  for (uint64_t id = 1; id <= 4; ++id) Push(id, kInteractive, "a");
  for (uint64_t id = 5; id <= 8; ++id) Push(id, kInteractive, "b");
  EXPECT_EQ(RunAll(), (Ids{1, 5, 2, 6, 3, 7, 4, 8}));
}

TEST_F(OrderTest, WhoUsedMuchWaitsForLong) {
  Push(1, kInteractive, "a");
  EXPECT_EQ(Run(absl::Milliseconds(3)), 1u);
  // Coming back does not wipe out what was used.
  Push(2, kInteractive, "a");
  for (uint64_t id = 3; id <= 6; ++id) Push(id, kInteractive, "b");
  EXPECT_EQ(RunAll(), (Ids{3, 4, 5, 2, 6}));
}

TEST_F(OrderTest, WorksOfOneOwnerKeepTheirOrderWhateverTheirDeadlines) {
  const int session = 0;
  Push(1, kImagine, "a", absl::Seconds(9), &session);
  Push(2, kInteractive, "a", absl::Seconds(1), &session);
  Push(3, kPerception, "a");
  EXPECT_EQ(RunAll(), (Ids{1, 2, 3}));
}

TEST_F(OrderTest, AnOwnersNextWorkWaitsWhileOneRuns) {
  const int session = 0;
  Push(1, kInteractive, "a", absl::InfiniteDuration(), &session);
  Push(2, kInteractive, "a", absl::InfiniteDuration(), &session);
  order_.Start(1);
  EXPECT_EQ(order_.Next(), nullptr);
  order_.Return(1);
  EXPECT_EQ(order_.Next()->id, 1u);
  order_.Start(1);
  order_.Finish(1);
  EXPECT_EQ(order_.Next()->id, 2u);
}

TEST_F(OrderTest, WorkThatLeavesUndoneFreesItsOwner) {
  const int session = 0;
  Push(1, kInteractive, "a", absl::InfiniteDuration(), &session);
  Push(2, kInteractive, "a", absl::InfiniteDuration(), &session);
  Push(3, kInteractive, "a", absl::InfiniteDuration(), &session);
  order_.Finish(2);
  order_.Finish(1);
  EXPECT_EQ(RunAll(), (Ids{3}));
  EXPECT_TRUE(order_.empty());
}

TEST_F(OrderTest, AClassRisesWithAge) {
  Push(1, kPerception, "slow");
  for (uint64_t id = 2; id <= 40; ++id) Push(id, kInteractive, "busy");
  const Ids ids = RunAll();
  const auto place = std::find(ids.begin(), ids.end(), 1u) - ids.begin();
  // Two classes, ten quanta each, and then its client's turn.
  EXPECT_GE(place, 20);
  EXPECT_LE(place, 22);
}

TEST_F(OrderTest, TrainingGetsItsShareAndNoMore) {
  uint64_t id = 0;
  std::map<bool, absl::Duration> used;
  for (int i = 0; i < 3; ++i) Push(++id, kTraining, "trainer");
  for (int i = 0; i < 3; ++i) Push(++id, kInteractive, "user");
  for (int quantum = 0; quantum < 1000; ++quantum) {
    const Ticket next = *order_.Next();
    const bool training = next.work_class == kTraining;
    const absl::Duration cost = absl::Milliseconds(training ? 7 : 2);
    used[training] += cost;
    Run(cost);
    Push(++id, next.work_class, next.client);
  }
  const double share = absl::FDivDuration(used[true], used[true] + used[false]);
  EXPECT_NEAR(share, 0.1, 0.01);
}

TEST_F(OrderTest, TrainingThatHadTheDeviceForItselfOwesNothing) {
  for (uint64_t id = 1; id <= 5; ++id) {
    Push(id, kTraining, "trainer");
    Run(absl::Seconds(1));
  }
  Push(100, kTraining, "trainer");
  for (uint64_t id = 101; id < 110; ++id) Push(id, kInteractive, "user");
  const Ids ids = RunAll();
  EXPECT_EQ(ids.front(), 101u);
  EXPECT_EQ(ids[1], 100u);  // a tenth of the millisecond that the user had is owed
}

TEST_F(OrderTest, ABatchIsMadeOfOneGroup) {
  const int group = 0, other = 0;
  const auto push = [&](uint64_t id, const void* of) {
    order_.Push({.id = id, .client = "a", .deadline = absl::InfiniteFuture(), .group = of});
  };
  push(1, nullptr);
  push(2, &other);
  push(3, &group);
  EXPECT_EQ(order_.Next()->id, 1u);
  EXPECT_EQ(order_.Next(&group)->id, 3u);
  EXPECT_EQ(order_.Next(&other)->id, 2u);
  order_.Finish(3);
  EXPECT_EQ(order_.Next(&group), nullptr);
}

// The rules by brute force: what may be next, out of everything that waits.
class Model {
 public:
  struct Item {
    Ticket ticket;
    uint64_t since;  // quantum from which it ages
    bool running = false;
  };
  static constexpr uint64_t kAgeing = 10;

  WorkClass ClassOf(const Item& item) const {
    const auto own = static_cast<int>(item.ticket.work_class);
    if (item.ticket.work_class == kTraining) return kTraining;
    const auto risen = static_cast<int>((quantum - item.since) / kAgeing);
    return static_cast<WorkClass>(std::max(own - risen, 0));
  }
  bool Ready(const Item& item) const {
    if (item.running) return false;
    return item.ticket.owner == nullptr ||
           std::none_of(items.begin(), items.end(), [&](const auto& other) {
             return other.second.ticket.owner == item.ticket.owner && other.first < item.ticket.id;
           });
  }
  // Whether this ticket may be next, apart from whose turn it is.
  void Check(const Ticket& next) const {
    const Item& chosen = items.at(next.id);
    EXPECT_TRUE(Ready(chosen));
    for (const auto& [id, item] : items) {
      if (!Ready(item)) continue;
      if (ClassOf(chosen) != kTraining) {
        EXPECT_GE(ClassOf(item), ClassOf(chosen));
      }
      const bool same = item.ticket.client == next.client && ClassOf(item) == ClassOf(chosen);
      if (same) {
        EXPECT_LE(std::pair(next.deadline, next.id), std::pair(item.ticket.deadline, id));
      }
    }
  }

  std::map<uint64_t, Item> items;
  uint64_t quantum = 0;
};

class OrderPropertyTest : public ::testing::TestWithParam<uint32_t> {};

TEST_P(OrderPropertyTest, AgreesWithTheRulesAndLosesNothing) {
  std::mt19937 random(GetParam());
  const auto below = [&random](uint32_t n) { return random() % n; };
  WorkOrder order({.ageing_quanta = Model::kAgeing});
  Model model;
  const int owners[4] = {};
  uint64_t last = 0, finished = 0;
  for (int move = 0; move < 4000; ++move) {
    const bool push = below(2) == 0 && model.items.size() < 40;
    if (push) {
      const uint32_t owner = below(8);
      const Ticket ticket{.id = ++last,
                          .work_class = static_cast<WorkClass>(below(4)),
                          .client = std::string(1, static_cast<char>('a' + below(3))),
                          .owner = owner < 4 ? &owners[owner] : nullptr,
                          .deadline = absl::UnixEpoch() + absl::Seconds(below(5))};
      order.Push(ticket);
      model.items[last] = {ticket, model.quantum};
      continue;
    }
    const Ticket* next = order.Next();
    const bool any = std::any_of(model.items.begin(), model.items.end(),
                                 [&](const auto& item) { return model.Ready(item.second); });
    ASSERT_EQ(next != nullptr, any);
    if (next == nullptr) continue;
    model.Check(*next);
    const uint64_t id = next->id;
    order.Start(id);
    order.Charge(id, absl::Microseconds(100 + below(3000)));
    order.EndQuantum();
    ++model.quantum;
    if (below(3) == 0) {
      order.Return(id);
      model.items[id].since = model.quantum;
    } else {
      order.Finish(id);
      model.items.erase(id);
      ++finished;
    }
    ASSERT_EQ(order.waiting(), model.items.size());
  }
  while (const Ticket* next = order.Next()) {
    const uint64_t id = next->id;
    order.Start(id);
    order.Finish(id);
    ++finished;
  }
  EXPECT_EQ(finished, last);
  EXPECT_TRUE(order.empty());
}

TEST_P(OrderPropertyTest, BackloggedClientsGetEqualDeviceTime) {
  std::mt19937 random(GetParam());
  WorkOrder order({.ageing_quanta = 10});
  uint64_t last = 0;
  std::map<std::string, absl::Duration> used;
  const auto push = [&](const std::string& client) {
    order.Push({.id = ++last, .client = client, .deadline = absl::InfiniteFuture()});
  };
  // Client i's works cost i times as much.
  for (int i = 1; i <= 5; ++i) push(std::to_string(i));
  for (int quantum = 0; quantum < 5000; ++quantum) {
    const Ticket next = *order.Next();
    const absl::Duration cost = absl::Microseconds(300 + random() % 400) * std::stoi(next.client);
    order.Start(next.id);
    order.Charge(next.id, cost);
    used[next.client] += cost;
    order.Finish(next.id);
    push(next.client);
  }
  for (const auto& [client, time] : used) {
    // A turn and the dearest work, at most.
    EXPECT_LT(absl::AbsDuration(time - used["1"]), absl::Milliseconds(6)) << client;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, OrderPropertyTest, ::testing::Range(1u, 9u));

}  // namespace
}  // namespace gwm::server
