#include "server/schedule/queue.h"

#include <gtest/gtest.h>

#include "tests/server/schedule/fake_works.h"

namespace gwm::server {
namespace {

class QueueTest : public ::testing::Test {
 protected:
  using Taken = std::vector<std::pair<int, int>>;  // names and rows

  absl::Status Push(std::unique_ptr<Work> work, Admission admission = Admission::kIfRoom) {
    QueueEntry entry{.work = std::move(work), .enqueued_at = now_};
    return queue_.Push(entry, admission);
  }
  absl::Status PushStep(int name, const void* owner, int rows = 1, CallOptions call = {}) {
    return Push(std::make_unique<NamedStep>(name, owner, rows, std::move(call)));
  }
  absl::Status PushSolo(int name, const void* owner, CallOptions call = {}) {
    return Push(std::make_unique<NamedSolo>(name, owner, std::move(call)));
  }
  // Takes one quantum and finishes all of it.
  Taken Take() {
    Taken taken;
    for (QueueEntry& entry : queue_.Take()) {
      const auto& named = dynamic_cast<const Named&>(*entry.work);
      taken.emplace_back(named.name, entry.turn_rows);
      queue_.Finish(entry, absl::Milliseconds(1));
    }
    return taken;
  }
  static std::string ReasonOf(const absl::Status& status) { return DetailsOf(status).reason; }

  absl::Time now_ = absl::UnixEpoch();
  WorkQueue queue_{{.max_length = 8,
                    .max_queue_time = absl::Milliseconds(100),
                    .batch = {.max_rows = 4},
                    .order = {}}};
  int a_ = 0, b_ = 0, c_ = 0;  // owners
};

TEST_F(QueueTest, StepsOfDifferentOwnersLeaveTogether) {
  for (const auto& [name, owner] :
       std::vector<std::pair<int, const void*>>{{1, &a_}, {2, &b_}, {3, nullptr}, {4, nullptr}}) {
    ASSERT_TRUE(PushStep(name, owner).ok());
  }
  EXPECT_EQ(Take(), (Taken{{1, 1}, {2, 1}, {3, 1}, {4, 1}}));
}

TEST_F(QueueTest, WorksOfOneOwnerKeepTheirOrder) {
  ASSERT_TRUE(PushStep(1, &a_).ok());
  ASSERT_TRUE(PushStep(2, &a_).ok());
  ASSERT_TRUE(PushSolo(3, &b_).ok());
  ASSERT_TRUE(PushStep(4, &b_).ok());
  ASSERT_TRUE(PushStep(5, &c_).ok());
  EXPECT_EQ(Take(), (Taken{{1, 1}, {5, 1}}));
  EXPECT_EQ(Take(), (Taken{{2, 1}}));
  EXPECT_EQ(Take(), (Taken{{3, 1}}));
  EXPECT_EQ(Take(), (Taken{{4, 1}}));
}

TEST_F(QueueTest, StepsOfDifferentWorldsNeverShareAQuantum) {
  const char which[2] = {};
  int name = 0;
  for (int world : {0, 1, 0, 1}) {
    ASSERT_TRUE(Push(std::make_unique<NamedStep>(++name, nullptr, 1, CallOptions(), 1,
                                                 Nameless(&which[world])))
                    .ok());
  }
  EXPECT_EQ(Take(), (Taken{{1, 1}, {3, 1}}));
  EXPECT_EQ(Take(), (Taken{{2, 1}, {4, 1}}));
}

TEST_F(QueueTest, AQuantumIsFilledWithPartOfWhatIsNext) {
  ASSERT_TRUE(PushStep(1, &a_, 3).ok());
  ASSERT_TRUE(PushStep(2, &b_, 2).ok());
  EXPECT_EQ(Take(), (Taken{{1, 3}, {2, 1}}));
}

TEST_F(QueueTest, ALargeWorkIsCutIntoQuanta) {
  ASSERT_TRUE(PushStep(1, &a_, 300).ok());
  EXPECT_EQ(Take(), (Taken{{1, 4}}));
}

TEST_F(QueueTest, AQuantumIsNoLongerThanAllowed) {
  WorkQueue queue({.batch = {.max_rows = 64, .max_quantum = absl::Milliseconds(10)}, .order = {}});
  queue.Learn(&kNameless, Stage::kStep, 1, absl::Milliseconds(3));
  QueueEntry large{.work = std::make_unique<NamedStep>(1, nullptr, 64), .enqueued_at = now_};
  ASSERT_TRUE(queue.Push(large).ok());
  EXPECT_EQ(queue.Take().front().turn_rows, 2);
}

TEST_F(QueueTest, WorkThatReturnsKeepsItsPlaceAndItsOwner) {
  ASSERT_TRUE(PushStep(1, &a_, 6).ok());
  ASSERT_TRUE(PushSolo(2, &a_).ok());
  std::vector<QueueEntry> batch = queue_.Take();
  ASSERT_EQ(batch.size(), 1u);
  batch.front().progress = std::make_unique<StepProgress>();
  for (int row = 0; row < 2; ++row) {
    batch.front().progress->rows.push_back(std::make_unique<CountedRow>(1));
  }
  ASSERT_TRUE(queue_.Return(batch.front(), absl::Milliseconds(1)).ok());
  EXPECT_EQ(Take(), (Taken{{1, 2}}));
  EXPECT_EQ(Take(), (Taken{{2, 1}}));
}

TEST_F(QueueTest, IsFullForNewWorkButNotForWorkThatGoesOn) {
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(PushStep(i, nullptr).ok());
  const absl::Status full = PushStep(9, nullptr);
  EXPECT_EQ(ReasonOf(full), "OVERLOADED");
  EXPECT_GT(DetailsOf(full).retry_after, absl::ZeroDuration());
  EXPECT_TRUE(Push(std::make_unique<NamedStep>(9, nullptr), Admission::kAlways).ok());
  EXPECT_EQ(queue_.length(), 9u);
}

TEST_F(QueueTest, RefusesWhatWouldWaitForTooLong) {
  queue_.Learn(&kNameless, Stage::kOther, 1, absl::Milliseconds(20));
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(PushSolo(i, nullptr).ok());
  const absl::Status status = PushSolo(6, nullptr);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(status), "OVERLOADED");
  EXPECT_EQ(DetailsOf(status).retry_after, absl::Milliseconds(20));
  EXPECT_EQ(queue_.length(), 6u);
}

TEST_F(QueueTest, WorkThatTakesLongMayWaitForLong) {
  queue_.Learn(&kNameless, Stage::kOther, 1, absl::Milliseconds(20));
  queue_.Learn(&kNameless, Stage::kStep, 1, absl::Milliseconds(200));
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(PushSolo(i, nullptr).ok());
  EXPECT_FALSE(PushSolo(6, nullptr).ok());
  EXPECT_TRUE(PushStep(7, nullptr).ok());
}

TEST_F(QueueTest, LessUrgentWorkKeepsNobodyOut) {
  queue_.Learn(&kNameless, Stage::kOther, 1, absl::Milliseconds(20));
  for (int i = 0; i < 6; ++i) {
    ASSERT_TRUE(PushSolo(i, nullptr, {.work_class = WorkClass::kImagine}).ok());
  }
  EXPECT_FALSE(PushSolo(6, nullptr, {.work_class = WorkClass::kImagine}).ok());
  EXPECT_TRUE(PushSolo(7, nullptr).ok());
}

TEST_F(QueueTest, RefusesWhatWouldBeDoneAfterItsDeadline) {
  queue_.Learn(&kNameless, Stage::kOther, 1, absl::Milliseconds(40));
  ASSERT_TRUE(PushSolo(1, nullptr).ok());
  EXPECT_EQ(ReasonOf(PushSolo(2, nullptr, {.deadline = now_ + absl::Milliseconds(79)})),
            "OVERLOADED");
  EXPECT_TRUE(PushSolo(3, nullptr, {.deadline = now_ + absl::Milliseconds(81)}).ok());
}

TEST_F(QueueTest, AnIdleDeviceTriesWhateverComes) {
  queue_.Learn(&kNameless, Stage::kOther, 1, absl::Seconds(40));
  EXPECT_TRUE(PushSolo(1, nullptr, {.deadline = now_ + absl::Milliseconds(1)}).ok());
}

TEST_F(QueueTest, OneClientsBacklogDoesNotKeepOutAnother) {
  queue_.Learn(&kNameless, Stage::kOther, 1, absl::Milliseconds(20));
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(PushSolo(i, nullptr, {.client = "heavy"}).ok());
  EXPECT_FALSE(PushSolo(6, nullptr, {.client = "heavy"}).ok());
  EXPECT_TRUE(PushSolo(7, nullptr, {.client = "light"}).ok());
}

TEST_F(QueueTest, GivesUpOnWhatNobodyWaitsForAnyMore) {
  auto cancelled = std::make_unique<NamedSolo>(1, &a_);
  cancelled->handle->Cancel();
  ASSERT_TRUE(Push(std::move(cancelled)).ok());
  ASSERT_TRUE(PushSolo(2, &a_).ok());
  ASSERT_TRUE(PushSolo(3, nullptr, {.deadline = now_ + absl::Milliseconds(5)}).ok());
  EXPECT_EQ(queue_.RemoveDead(now_ + absl::Milliseconds(5)).size(), 2u);
  EXPECT_EQ(queue_.length(), 1u);
  EXPECT_EQ(Take(), (Taken{{2, 1}}));
}

TEST_F(QueueTest, TellsWhatWaitsInEachClass) {
  queue_.Learn(&kNameless, Stage::kOther, 1, absl::Milliseconds(10));
  ASSERT_TRUE(PushSolo(1, nullptr).ok());
  ASSERT_TRUE(PushSolo(2, nullptr, {.work_class = WorkClass::kPerception}).ok());
  ASSERT_TRUE(PushSolo(3, nullptr, {.work_class = WorkClass::kPerception}).ok());
  const auto classes = queue_.ByClass();
  EXPECT_EQ(classes[0].works, 1);
  EXPECT_EQ(classes[2].works, 2);
  EXPECT_EQ(classes[2].device_time, absl::Milliseconds(20));
  Take();
  EXPECT_EQ(queue_.ByClass()[0].works, 0);
}

TEST_F(QueueTest, HandsBackWhatWaitsWhenStopped) {
  ASSERT_TRUE(PushStep(1, nullptr).ok());
  EXPECT_EQ(queue_.Stop(absl::UnavailableError("stopped")).size(), 1u);
  EXPECT_TRUE(queue_.Take().empty());
  EXPECT_EQ(PushStep(2, nullptr).message(), "stopped");
}

}  // namespace
}  // namespace gwm::server
