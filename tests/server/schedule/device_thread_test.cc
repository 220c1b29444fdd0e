#include "server/schedule/device_thread.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <thread>

#include "absl/synchronization/notification.h"
#include "server/schedule/errand.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_world.h"
#include "tests/server/schedule/fake_works.h"

namespace gwm::server {
namespace {

class LoggedSolo : public SoloWork {
 public:
  using Log = std::vector<std::string>;
  LoggedSolo(std::shared_ptr<CallHandle> call, WorldHandle world, Log* log,
             absl::Notification* done = nullptr)
      : SoloWork(std::move(call), nullptr, std::move(world)), log_(log), done_(done) {}
  void Run(World&, const RunTiming&) override {
    log_->push_back("run");
    if (done_ != nullptr) done_->Notify();
  }
  void Refuse(const absl::Status& status) override { log_->push_back(DetailsOf(status).reason); }

 private:
  Log* log_;
  absl::Notification* done_;
};

std::shared_ptr<CallHandle> Patient() { return MakeCall({}); }

TEST(DeviceThreadTest, RefusesWorkThatNobodyWaitsFor) {
  fakes::FakeClock clock;
  const auto controls = std::make_shared<fakes::FakeWorldControls>();
  LoggedSolo::Log log;
  {
    DeviceThread device({.clock = &clock});
    const WorldHandle world = device.Adopt(fakes::MakeFakeWorld(controls));
    auto cancelled = Patient();
    cancelled->Cancel();
    absl::Notification done;
    device.Submit(std::make_unique<LoggedSolo>(cancelled, world, &log));
    device.Submit(std::make_unique<LoggedSolo>(Patient(), world, &log, &done));
    done.WaitForNotification();
    device.Stop();
    device.Submit(std::make_unique<LoggedSolo>(Patient(), world, &log));
  }
  EXPECT_EQ(log, (LoggedSolo::Log{"CANCELLED", "run", "DRAINING"}));
}

TEST(DeviceThreadTest, AWorldGoesOnTheDeviceThreadAfterItsLastHandle) {
  fakes::FakeClock clock;
  const auto controls = std::make_shared<fakes::FakeWorldControls>();
  DeviceThread device({.clock = &clock});
  std::thread::id opened_on, gone_on;
  absl::Notification gone;
  auto opened = device.Open([&] {
    opened_on = std::this_thread::get_id();
    return fakes::MakeFakeWorld(controls);
  });
  ASSERT_TRUE(opened.ok());
  WorldHandle world = device.Adopt(*std::move(opened), [&] {
    gone_on = std::this_thread::get_id();
    gone.Notify();
  });
  WorldHandle other = world;
  world = nullptr;
  absl::Notification turn;
  device.Submit(std::make_unique<Errand>(nullptr, [&] { turn.Notify(); }));
  turn.WaitForNotification();
  EXPECT_FALSE(gone.HasBeenNotified());
  EXPECT_EQ(controls.use_count(), 2);
  other = nullptr;
  gone.WaitForNotification();
  EXPECT_EQ(controls.use_count(), 1);
  EXPECT_EQ(gone_on, opened_on);
  EXPECT_NE(gone_on, std::this_thread::get_id());
}

TEST(DeviceThreadTest, AFactorysErrorComesBack) {
  fakes::FakeClock clock;
  DeviceThread device({.clock = &clock});
  const auto failed = device.Open([]() -> absl::StatusOr<std::unique_ptr<World>> {
    throw std::runtime_error("no such thing");
  });
  EXPECT_EQ(failed.status().code(), absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace gwm::server
