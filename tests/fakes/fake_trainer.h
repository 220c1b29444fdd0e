// A trainer without a model: counts what it is asked to do, and fails where a test wants it to.
#ifndef GWM_TESTS_FAKES_FAKE_TRAINER_H_
#define GWM_TESTS_FAKES_FAKE_TRAINER_H_

#include <array>
#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/api/trainer.h"
#include "engine/io/file.h"
#include "engine/io/sha256.h"
#include "tests/fakes/gate.h"

namespace gwm::fakes {

struct FakeTrainerControls {
  Gate gate;                            // every micro-batch passes it
  std::atomic<bool> not_finite{false};  // the next micro-batch
  std::atomic<bool> throws{false};
  std::atomic<bool> refuses_to_open{false};
  std::atomic<int> live{0};  // trainers
  std::atomic<int> prepared{0}, imagined{0}, micro_batches{0}, episodes{0};
};

class FakeTrainer final : public Trainer {
 public:
  explicit FakeTrainer(std::shared_ptr<FakeTrainerControls> controls)
      : controls_(std::move(controls)) {
    ++controls_->live;
  }
  ~FakeTrainer() override { --controls_->live; }

  int views() const override { return 1; }
  int height() const override { return 2; }
  int width() const override { return 2; }
  int action_dim() const override { return 2; }

  absl::Status AddEpisode(const io::Episode& episode) override {
    if (episode.width() != 2) return absl::InvalidArgumentError("another width than 2");
    if (episode.frames() < 3) return absl::InvalidArgumentError("too short");
    frames_.push_back(episode.frames());
    to_prepare_ += 1;
    ++controls_->episodes;
    return absl::OkStatus();
  }
  void DropOldest(int64_t frames) override {
    while (frames_.size() > 1 && replay().frames > frames) frames_.erase(frames_.begin());
  }
  ReplaySize replay() const override {
    ReplaySize size{.episodes = static_cast<int64_t>(frames_.size())};
    for (int64_t frames : frames_) size.frames += frames;
    return size;
  }
  absl::StatusOr<bool> PrepareNext() override {
    if (to_prepare_ == 0) return false;
    --to_prepare_;
    ++controls_->prepared;
    return true;
  }
  absl::Status ImagineNext() override {
    ++controls_->imagined;
    return absl::OkStatus();
  }
  // An update takes two micro-batches.
  absl::StatusOr<TrainedMicroBatch> Train(TrainPart part) override {
    controls_->gate.Pass();
    if (controls_->throws) throw std::runtime_error("thrown on demand");
    if (controls_->not_finite) return absl::InternalError("the loss is not finite at update 3");
    ++controls_->micro_batches;
    int64_t& halves = halves_[static_cast<size_t>(part)];
    ++halves;
    TrainedMicroBatch batch{.updated = halves % 2 == 0, .updates = halves / 2, .terms = {}};
    if (batch.updated) batch.terms = {{"loss", 1.0 / static_cast<double>(batch.updates)}};
    return batch;
  }
  // Its digest is that of its weights.
  absl::Status SaveCheckpoint(const std::string& dir, const std::string&) override {
    if (auto made = io::MakeDirectories(dir); !made.ok()) return made;
    const std::string sums = Weights();
    if (auto wrote = io::WriteFileAtomic(dir + "/SHA256SUMS", sums); !wrote.ok()) return wrote;
    return io::WriteFileAtomic(dir + "/digest", io::Sha256Hex(sums));
  }
  absl::Status SaveState(const std::string& dir) override {
    return io::WriteFileAtomic(dir + "/weights", Weights());
  }
  absl::Status LoadState(const std::string& dir) override {
    const auto text = io::ReadFile(dir + "/weights");
    if (!text.ok()) return text.status();
    std::sscanf(text->c_str(), "%ld %ld %ld %ld", &halves_[0], &halves_[1], &halves_[2],
                &halves_[3]);
    for (int64_t& halves : halves_) halves -= halves % 2;
    return absl::OkStatus();
  }

 private:
  std::string Weights() const {
    return absl::StrCat(halves_[0], " ", halves_[1], " ", halves_[2], " ", halves_[3], "\n");
  }

  const std::shared_ptr<FakeTrainerControls> controls_;
  std::vector<int64_t> frames_;
  int to_prepare_ = 0;
  std::array<int64_t, kTrainParts> halves_{};
};

}  // namespace gwm::fakes

#endif  // GWM_TESTS_FAKES_FAKE_TRAINER_H_
