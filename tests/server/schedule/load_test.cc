// The scheduler under load, in fake device time: no threads, no waiting.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <queue>
#include <random>
#include <vector>

#include "server/schedule/executor.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_world.h"
#include "tests/server/schedule/fake_works.h"

namespace gwm::server {
namespace {

// A client's step; tells when it is answered.
class ClientStep : public StepWork {
 public:
  using OnAnswer = std::function<void(const absl::Status&)>;
  ClientStep(std::shared_ptr<CallHandle> call, WorldHandle world, StatePtr start, int rows,
             OnAnswer on_answer)
      : StepWork(std::move(call), nullptr, std::move(world),
                 {.rows = rows, .sampler = {.sampler_calls = 1, .sampler = SamplerKind::kEuler}}),
        start_(std::move(start)),
        on_answer_(std::move(on_answer)) {}

  absl::StatusOr<std::vector<StepRequest>> Begin() override {
    const StepRequest row{.state = start_, .action = action_, .noise = {}};
    return std::vector<StepRequest>(static_cast<size_t>(demand().rows), row);
  }
  void Complete(World&, std::span<StepRow>, const RunTiming&) override {
    on_answer_(absl::OkStatus());
  }
  void Refuse(const absl::Status& status) override { on_answer_(status); }

 private:
  const StatePtr start_;
  const std::vector<float> action_ = {0, 0};
  const OnAnswer on_answer_;
};

// A device whose calls cost `call` and `row` more for each row, and clients whose moves are events.
class Simulation {
 public:
  Simulation(QueueOptions options, absl::Duration call, absl::Duration row)
      : call_(call), row_(row), queue_(options) {
    controls_->on_advance = [this](int rows) { clock_.Advance(Cost(rows)); };
    controls_->pool_states = 1 << 20;
    controls_->max_step_rows = 1 << 20;
    start_ = world_->world().Reset({{.frames = std::nullopt, .pool_index = 0}})->front();
    for (int rows = 1; rows <= options.batch.max_rows; rows *= 2) {
      queue_.Learn(world_.get(), Stage::kStep, rows, Cost(rows));
    }
  }

  absl::Duration Cost(int rows) const { return call_ + rows * row_; }
  absl::Time Now() const { return clock_.Now(); }
  void At(absl::Time when, std::function<void()> what) {
    events_.push({when, ++count_, std::move(what)});
  }
  void Submit(int rows, const CallOptions& call, ClientStep::OnAnswer on_answer) {
    QueueEntry entry{.work = std::make_unique<ClientStep>(MakeCall(call), world_, start_, rows,
                                                          std::move(on_answer)),
                     .enqueued_at = Now()};
    if (auto status = queue_.Push(entry); !status.ok()) entry.work->Refuse(status);
  }
  void RunUntil(absl::Time end) {
    while (Now() < end) {
      while (!events_.empty() && events_.top().when <= Now()) {
        const auto what = events_.top().what;
        events_.pop();
        what();
      }
      if (queue_.length() > 0) {
        executor_.RunQuantum(queue_.Take());
      } else if (!events_.empty()) {
        clock_.Advance(events_.top().when - Now());
      } else {
        return;
      }
    }
  }

 private:
  struct Event {
    absl::Time when;
    uint64_t number;
    std::function<void()> what;
    bool operator<(const Event& other) const {
      return std::pair(when, number) > std::pair(other.when, other.number);
    }
  };

  const absl::Duration call_, row_;
  fakes::FakeClock clock_;
  std::shared_ptr<fakes::FakeWorldControls> controls_ =
      std::make_shared<fakes::FakeWorldControls>();
  WorldHandle world_ = std::make_shared<ServedWorld>(fakes::MakeFakeWorld(controls_));
  StatePtr start_;
  WorkQueue queue_;
  DeviceMeter meter_{.clock = &clock_};
  Heartbeat heartbeat_;
  Executor executor_{&queue_, &meter_, &heartbeat_, nullptr};
  std::priority_queue<Event> events_;
  uint64_t count_ = 0;
};

class OverloadTest : public ::testing::TestWithParam<int> {};

TEST_P(OverloadTest, KeepsItsGoodputAndItsPromises) {
  Simulation simulation({.max_length = 100'000,
                         .max_queue_time = absl::Milliseconds(500),
                         .batch = {.max_rows = 64},
                         .order = {}},
                        absl::Milliseconds(1), absl::Microseconds(50));
  const double peak = 64 / absl::ToDoubleSeconds(simulation.Cost(64));  // rows per second
  const absl::Time begin = simulation.Now(), end = begin + absl::Milliseconds(300);
  const absl::Duration patience = absl::Milliseconds(50);
  int good = 0, late = 0, refused = 0, offered = 0;
  for (absl::Time when = begin; when < end;
       when += absl::Seconds(1 / (peak * GetParam())), ++offered) {
    simulation.At(when, [&, when, client = std::to_string(offered % 50)] {
      const absl::Time deadline = when + patience;
      simulation.Submit(1, {.client = client, .deadline = deadline},
                        [&, deadline](const absl::Status& status) {
                          const bool told_to_wait = DetailsOf(status).retry_after.has_value();
                          const bool in_time = status.ok() && simulation.Now() <= deadline;
                          refused += told_to_wait ? 1 : 0;
                          good += in_time ? 1 : 0;
                          late += !told_to_wait && !in_time ? 1 : 0;
                        });
    });
  }
  simulation.RunUntil(end);
  const double goodput = good / absl::ToDoubleSeconds(end - begin);
  RecordProperty("goodput_of_peak", std::to_string(goodput / peak));
  RecordProperty("late", std::to_string(late));
  EXPECT_GE(goodput, 0.95 * peak);
  // Of those that were let in, all keep their deadline but for one in a hundred.
  EXPECT_LE(late, (offered - refused) / 100);
  EXPECT_GT(refused, offered * (GetParam() - 1) / GetParam() * 8 / 10);
}

INSTANTIATE_TEST_SUITE_P(TimesCapacity, OverloadTest, ::testing::Values(2, 10));

// 31 clients that step, think and step again; perhaps one that imagines 512 branches all the time.
struct Latencies {
  absl::Duration p95;
  int heavy_steps = 0;
};
Latencies StepsOfLightClients(bool with_heavy, WorkClass heavy_class) {
  Simulation simulation({.batch = {.max_rows = 64}, .order = {}}, absl::Microseconds(500),
                        absl::Microseconds(25));
  std::mt19937 random(7);
  std::exponential_distribution<double> think_ms(1 / 10.0);
  std::vector<absl::Duration> latencies;
  Latencies result;
  const std::function<void(int, absl::Time)> step = [&](int client, absl::Time when) {
    simulation.Submit(1, {.client = "light" + std::to_string(client)},
                      [&, client, when](const absl::Status& status) {
                        ASSERT_TRUE(status.ok()) << status;
                        latencies.push_back(simulation.Now() - when);
                        const auto next = simulation.Now() + absl::Milliseconds(think_ms(random));
                        simulation.At(next, [&step, client, next] { step(client, next); });
                      });
  };
  const std::function<void()> imagine = [&] {
    simulation.Submit(512, {.work_class = heavy_class, .client = "heavy"},
                      [&](const absl::Status& status) {
                        ASSERT_TRUE(status.ok()) << status;
                        ++result.heavy_steps;
                        simulation.At(simulation.Now(), imagine);
                      });
  };
  const absl::Time begin = simulation.Now();
  for (int client = 0; client < 31; ++client) {
    const auto first = begin + absl::Milliseconds(think_ms(random));
    simulation.At(first, [&step, client, first] { step(client, first); });
  }
  if (with_heavy) simulation.At(begin, imagine);
  simulation.RunUntil(begin + absl::Seconds(2));
  std::sort(latencies.begin(), latencies.end());
  result.p95 = latencies[latencies.size() * 95 / 100];
  return result;
}

TEST(FairnessTest, ManyBranchesOfOneClientDoNotDoubleTheStepsOfOthers) {
  const Latencies solo = StepsOfLightClients(false, WorkClass::kImagine);
  const Latencies mixed = StepsOfLightClients(true, WorkClass::kImagine);
  ::testing::Test::RecordProperty("solo_p95_us", absl::ToInt64Microseconds(solo.p95));
  ::testing::Test::RecordProperty("mixed_p95_us", absl::ToInt64Microseconds(mixed.p95));
  EXPECT_LE(mixed.p95, 2 * solo.p95) << mixed.p95 << " beside " << solo.p95;
  // It gets what is left: 512 rows in quanta of 20 take 26 ms of the device.
  EXPECT_GE(mixed.heavy_steps, 15);
}

}  // namespace
}  // namespace gwm::server
