#include "engine/train/stage.h"

#include <ATen/CPUGeneratorImpl.h>

#include <cmath>
#include <filesystem>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/base/log.h"
#include "engine/base/status.h"
#include "engine/io/file.h"
#include "engine/io/progress.h"
#include "engine/train/stage_optimizer.h"

namespace gwm {
namespace {

// Running means between log lines, the curves for the picture, and the event file.
class StageLog {
 public:
  static absl::StatusOr<StageLog> Create(const StageRun& run) {
    StageLog log;
    log.run_ = &run;
    if (!run.log_dir.empty()) {
      GWM_RETURN_IF_ERROR(io::MakeDirectories(run.log_dir));
      GWM_ASSIGN_OR_RETURN(log.events_, io::EventWriter::Create(run.log_dir));
    }
    return log;
  }

  void Add(const std::vector<std::pair<std::string, double>>& terms, double gradient_norm) {
    for (const auto& [name, value] : terms) sums_[name] += value;
    sums_["gradient_norm"] += gradient_norm;
    ++count_;
  }

  // Writes the means since the last call and returns "loss 0.123".
  absl::StatusOr<std::string> Flush(int64_t step, const std::string& first) {
    if (count_ == 0) return std::string();
    std::string note;
    for (auto& [name, sum] : sums_) {
      const double mean = sum / static_cast<double>(count_);
      auto& curve = curves_[name];
      curve.label = name;
      curve.x.push_back(static_cast<double>(step));
      curve.y.push_back(mean);
      if (name == first) note = absl::StrFormat("%s %.4g", name, mean);
      if (events_ != nullptr) {
        GWM_RETURN_IF_ERROR(events_->Scalar(absl::StrCat(run_->name, "/", name), step, mean));
      }
      sum = 0;
    }
    count_ = 0;
    return note;
  }

  absl::Status WritePicture() const {
    if (run_->log_dir.empty() || curves_.empty()) return absl::OkStatus();
    std::vector<io::Curve> curves;
    for (const auto& [name, curve] : curves_) curves.push_back(curve);
    const auto picture = io::PlotCurves(
        curves,
        {.title = absl::StrCat("training: ", run_->name), .x_label = "updates", .log_y = true});
    return io::WritePng(absl::StrCat(run_->log_dir, "/", run_->name, ".png"), picture);
  }

 private:
  StageLog() = default;
  const StageRun* run_ = nullptr;
  std::unique_ptr<io::EventWriter> events_;
  std::map<std::string, double> sums_;
  std::map<std::string, io::Curve> curves_;
  int64_t count_ = 0;
};

absl::Status TrainLoop(StageOptimizer& optimizer, const StageRun& run,
                       const std::string& state_path) {
  if (run.prepare && optimizer.step() < run.options.steps) run.prepare();
  GWM_ASSIGN_OR_RETURN(auto log, StageLog::Create(run));
  std::unique_ptr<io::Progress> progress;
  if (!run.quiet) {
    progress = std::make_unique<io::Progress>(io::ProgressOptions{
        .label = "training " + run.name, .total = run.options.steps, .initial = optimizer.step()});
  }
  std::string note;
  while (optimizer.step() < run.options.steps) {
    const int64_t step = optimizer.step();
    const auto update = ShardedGradients(optimizer.weights(), run.options.shards, [&](int64_t s) {
      auto generator = StepGenerator(run.seed, run.name, step, s);
      return run.loss(step, generator);
    });
    if (!std::isfinite(update.terms.front().second)) {
      return absl::InternalError(
          absl::StrCat("training ", run.name, ": the loss is not finite at update ", step));
    }
    log.Add(update.terms, optimizer.Update(update.gradients));
    const int64_t done = optimizer.step();
    if (done % run.log_every == 0) {
      GWM_ASSIGN_OR_RETURN(note, log.Flush(done, update.terms.front().first));
    }
    if (progress) progress->Update(done, note);
    if (done % run.save_every == 0) {
      GWM_RETURN_IF_ERROR(optimizer.SaveState(state_path));
      GWM_RETURN_IF_ERROR(log.WritePicture());
    }
  }
  if (progress) progress->Finish(note);
  GWM_RETURN_IF_ERROR(log.WritePicture());
  return optimizer.SaveState(state_path);
}

}  // namespace

torch::Generator StepGenerator(uint64_t seed, const std::string& stage, int64_t step,
                               int64_t shard) {
  uint64_t key = seed * 0x9e3779b97f4a7c15u + static_cast<uint64_t>(step) +
                 static_cast<uint64_t>(shard) * 0xd1b54a32d192ed03u;
  for (char c : stage) key = (key ^ static_cast<uint8_t>(c)) * 0x100000001b3u;
  return torch::make_generator<torch::CPUGeneratorImpl>(key);
}

absl::Status RunStage(torch::nn::Module& module, const StageRun& run) {
  const auto& o = run.options;
  if (o.shards < 1 || o.batch % o.shards != 0) {
    return absl::InvalidArgumentError(absl::StrCat("training ", run.name, ": shards is ", o.shards,
                                                   "; it must divide batch, ", o.batch));
  }
  GWM_RETURN_IF_ERROR(io::MakeDirectories(run.state_dir));
  const std::string state_path = absl::StrCat(run.state_dir, "/", run.name, ".state.safetensors");
  StageOptimizer optimizer(module, o);
  if (std::filesystem::exists(state_path)) {
    GWM_RETURN_IF_ERROR(optimizer.LoadState(state_path));
    if (!run.quiet)
      LogInfo(absl::StrCat("training ", run.name, ": going on at update ", optimizer.step()));
  }
  module.train();
  const ShardThreads threads(o.shards);
  if (optimizer.step() < o.steps) GWM_RETURN_IF_ERROR(TrainLoop(optimizer, run, state_path));
  optimizer.KeepAverages();
  module.eval();
  return absl::OkStatus();
}

}  // namespace gwm
