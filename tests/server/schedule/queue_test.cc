#include "server/schedule/queue.h"

#include <gtest/gtest.h>

#include "absl/synchronization/notification.h"
#include "server/schedule/device_thread.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_world.h"

namespace gwm::server {
namespace {

std::shared_ptr<CallHandle> Patient() {
  return std::make_shared<CallHandle>(absl::InfiniteFuture());
}

class NamedStep : public StepWork {
 public:
  NamedStep(int name, const void* owner, int rows, int calls)
      : StepWork(Patient(), owner, rows, calls), name(name) {}
  absl::StatusOr<std::vector<StepRequest>> Begin() override { return std::vector<StepRequest>(); }
  void Complete(World&, std::span<StepRow>, const RunTiming&) override {}
  void Refuse(const absl::Status&) override {}
  const int name;
};

class NamedOther : public Work {
 public:
  NamedOther(int name, const void* owner, std::vector<std::string>* log = nullptr,
             std::shared_ptr<CallHandle> call = Patient())
      : Work(std::move(call), owner), name(name), log_(log) {}
  void Run(World&, const RunTiming&) override { log_->push_back("run"); }
  void Refuse(const absl::Status& status) override {
    if (log_ != nullptr) log_->push_back(DetailsOf(status).reason);
  }
  const int name;

 private:
  std::vector<std::string>* log_;
};

class QueueTest : public ::testing::Test {
 protected:
  absl::Status Push(std::unique_ptr<Work> work, Admission admission = Admission::kIfRoom) {
    QueueEntry entry{std::move(work), absl::Now()};
    return queue_.Push(entry, admission);
  }
  void PushStep(int name, const void* owner, int rows = 1, int calls = 2) {
    ASSERT_TRUE(Push(std::make_unique<NamedStep>(name, owner, rows, calls)).ok());
  }
  void PushOther(int name, const void* owner) {
    ASSERT_TRUE(Push(std::make_unique<NamedOther>(name, owner)).ok());
  }
  std::vector<int> Take() {
    std::vector<int> names;
    for (const QueueEntry& entry : queue_.Take()) {
      const auto* step = dynamic_cast<const NamedStep*>(entry.work.get());
      names.push_back(step != nullptr ? step->name
                                      : dynamic_cast<const NamedOther&>(*entry.work).name);
    }
    return names;
  }
  WorkQueue queue_{8, 4};
  int a_ = 0, b_ = 0, c_ = 0;  // owners
};

TEST_F(QueueTest, StepsOfDifferentOwnersLeaveTogether) {
  PushStep(1, &a_);
  PushStep(2, &b_);
  PushStep(3, nullptr);
  PushStep(4, nullptr);
  EXPECT_EQ(Take(), (std::vector<int>{1, 2, 3, 4}));
}

TEST_F(QueueTest, WorksOfOneOwnerKeepTheirOrder) {
  PushStep(1, &a_);
  PushStep(2, &a_);
  PushOther(3, &b_);
  PushStep(4, &b_);
  PushStep(5, &c_);
  EXPECT_EQ(Take(), (std::vector<int>{1, 5}));
  EXPECT_EQ(Take(), (std::vector<int>{2}));
  EXPECT_EQ(Take(), (std::vector<int>{3}));
  EXPECT_EQ(Take(), (std::vector<int>{4}));
}

TEST_F(QueueTest, BatchesKeepToRowsAndSamplerCalls) {
  PushStep(1, &a_, 3);
  PushStep(2, &b_, 2);
  PushStep(3, &c_, 1);
  PushStep(4, nullptr, 1, 3);
  EXPECT_EQ(Take(), (std::vector<int>{1, 3}));
  EXPECT_EQ(Take(), (std::vector<int>{2}));
  EXPECT_EQ(Take(), (std::vector<int>{4}));
}

TEST_F(QueueTest, IsFullForNewWorkButNotForWorkThatGoesOn) {
  for (int i = 0; i < 8; ++i) PushStep(i, nullptr);
  EXPECT_EQ(DetailsOf(Push(std::make_unique<NamedStep>(9, nullptr, 1, 2))).reason, "OVERLOADED");
  EXPECT_TRUE(Push(std::make_unique<NamedStep>(9, nullptr, 1, 2), Admission::kAlways).ok());
  EXPECT_EQ(queue_.length(), 9u);
}

TEST_F(QueueTest, HandsBackWhatWaitsWhenStopped) {
  PushStep(1, nullptr);
  EXPECT_EQ(queue_.Stop().size(), 1u);
  EXPECT_TRUE(queue_.Take().empty());
  EXPECT_EQ(DetailsOf(Push(std::make_unique<NamedStep>(2, nullptr, 1, 2))).reason, "DRAINING");
}

TEST(DeviceThreadTest, RefusesWorkThatNobodyWaitsFor) {
  fakes::FakeClock clock;
  auto controls = std::make_shared<fakes::FakeWorldControls>();
  std::vector<std::string> log;
  {
    auto device =
        DeviceThread::Create([&] { return fakes::MakeFakeWorld(controls); }, {.clock = &clock});
    ASSERT_TRUE(device.ok());
    auto cancelled = Patient();
    cancelled->Cancel();
    auto late = std::make_shared<CallHandle>(clock.Now());
    absl::Notification done;
    class Last : public NamedOther {
     public:
      Last(std::vector<std::string>* log, absl::Notification* done)
          : NamedOther(0, nullptr, log), done_(done) {}
      void Run(World& world, const RunTiming& timing) override {
        NamedOther::Run(world, timing);
        done_->Notify();
      }

     private:
      absl::Notification* done_;
    };
    (*device)->Submit(std::make_unique<NamedOther>(1, nullptr, &log, cancelled));
    (*device)->Submit(std::make_unique<NamedOther>(2, nullptr, &log, late));
    (*device)->Submit(std::make_unique<Last>(&log, &done));
    done.WaitForNotification();
    (*device)->Stop();
    (*device)->Submit(std::make_unique<NamedOther>(3, nullptr, &log));
  }
  EXPECT_EQ(log, (std::vector<std::string>{"CANCELLED", "DEADLINE", "run", "DRAINING"}));
}

}  // namespace
}  // namespace gwm::server
