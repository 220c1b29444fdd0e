// A registry over a device thread and a session table, with checkpoints that are folders with a
// name in them and a world that is a fake.
#ifndef GWM_TESTS_SERVER_MODELS_REGISTRY_FIXTURE_H_
#define GWM_TESTS_SERVER_MODELS_REGISTRY_FIXTURE_H_

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/base/error.h"
#include "server/models/model_registry.h"
#include "server/schedule/errand.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_world.h"

namespace gwm::server {

class ModelRegistryTest : public ::testing::Test {
 protected:
  ModelRegistryTest()
      : root_(std::filesystem::path(::testing::TempDir()) /
              ("registry" + std::to_string(getpid()))) {
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_);
    sessions_.emplace(SessionTableOptions{
        .instance_id = "00000000000000aa",
        .max_sessions = 100,
        .clock = &clock_,
        .random = [this] { return ++random_; },
        .on_close = [this](CloseReason, absl::Duration) { registry_->CollectDrained(); }});
    registry_.emplace(ModelRegistryOptions{
        .checkpoint_root = root_,
        .max_models = 3,
        .open = [this](const std::string& folder) { return Open(folder); },
        .device = &device_,
        .sessions = &*sessions_,
        .clock = &clock_,
        .on_load = [this](const absl::Status& status,
                          const Model&) { ++(status.ok() ? loads_ : failures_); }});
    EXPECT_TRUE(registry_->OpenFirst([this] { return Fake("first"); }, "/srv/first").ok());
  }
  ~ModelRegistryTest() override {
    registry_->Stop();
    sessions_.reset();
    registry_.reset();
    EXPECT_EQ(worlds_, 0);
    std::filesystem::remove_all(root_);
  }

  // A checkpoint whose digest is its content. "!NOTE" cannot be opened; "poison" steps to nowhere.
  void WriteCheckpoint(const std::string& name, const std::string& content) const {
    std::filesystem::create_directories(root_ / name);
    std::ofstream(root_ / name / "digest") << content;
  }

  // A fake world that counts itself while it lives.
  std::unique_ptr<World> Fake(const std::string& digest) {
    // The deleter of its controls runs when the last state has gone, too.
    auto controls = std::shared_ptr<fakes::FakeWorldControls>(
        new fakes::FakeWorldControls, [this](const fakes::FakeWorldControls* dead) {
          EXPECT_EQ(dead->live_states, 0);
          delete dead;
          --worlds_;
        });
    ++worlds_;
    controls->digest = digest;
    if (digest == "poison") controls->fail_render = true;
    return fakes::MakeFakeWorld(std::move(controls));
  }
  absl::StatusOr<std::unique_ptr<World>> Open(const std::string& folder) {
    std::string digest;
    std::ifstream(std::filesystem::path(folder) / "digest") >> digest;
    if (digest.empty()) return absl::NotFoundError(folder + "/digest is missing");
    if (digest == "!memory") return absl::ResourceExhaustedError("out of memory");
    if (digest == "!throw") throw std::runtime_error("thrown on demand");
    if (digest[0] == '!') return absl::DataLossError(folder + "/digest is truncated");
    return Fake(digest);
  }

  absl::StatusOr<Model> Load(const std::string& checkpoint, const std::string& digest = "",
                             bool set_default = false) {
    std::promise<absl::StatusOr<Model>> done;
    registry_->Load({checkpoint, digest, set_default},
                    [&](absl::StatusOr<Model> model) { done.set_value(std::move(model)); });
    return done.get_future().get();
  }
  absl::StatusOr<Model> Unload(const std::string& digest, bool drain = false,
                               std::optional<absl::Duration> grace = std::nullopt) {
    std::promise<absl::StatusOr<Model>> done;
    registry_->Unload({digest, drain, grace},
                      [&](absl::StatusOr<Model> model) { done.set_value(std::move(model)); });
    return done.get_future().get();
  }
  std::string CreateSession(const WorldHandle& world) {
    auto session = sessions_->Create({.world = world});
    return session.ok() ? (*session)->id() : DetailsOf(session.status()).reason;
  }
  // Returns when the device thread has done what it was given. Twice: the work that runs at the
  // moment may hold the last handle of a world, whose going is queued only when that work has
  // ended.
  void AwaitDevice() {
    for (int turn = 0; turn < 2; ++turn) {
      std::promise<void> done;
      device_.Submit(std::make_unique<Errand>(&device_, [&] { done.set_value(); }));
      done.get_future().get();
    }
  }

  const std::filesystem::path root_;
  fakes::FakeClock clock_;
  uint64_t random_ = 0;
  std::atomic<int> worlds_ = 0, loads_ = 0, failures_ = 0;
  DeviceThread device_{{.clock = &clock_}};
  std::optional<SessionTable> sessions_;
  std::optional<ModelRegistry> registry_;
};

}  // namespace gwm::server

#endif  // GWM_TESTS_SERVER_MODELS_REGISTRY_FIXTURE_H_
