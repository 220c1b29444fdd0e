#include "engine/train/stage.h"

#include <ATen/CPUGeneratorImpl.h>

#include <cmath>
#include <filesystem>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/base/log.h"
#include "engine/base/status.h"
#include "engine/base/tensor_convert.h"
#include "engine/io/file.h"
#include "engine/io/progress.h"
#include "engine/io/safetensors.h"

namespace gwm {
namespace {

double LearningRate(const StageOptions& o, int64_t step) {
  const double warm = std::min(1.0, static_cast<double>(step + 1) /
                                        static_cast<double>(std::max<int64_t>(1, o.warmup_steps)));
  const double done =
      static_cast<double>(step) / static_cast<double>(std::max<int64_t>(1, o.steps));
  const double cosine = 0.5 * (1.0 + std::cos(M_PI * std::min(1.0, done)));
  return o.learning_rate * warm * (o.final_rate + (1.0 - o.final_rate) * cosine);
}

// Parameters, their moments and averages. Moments are explicit tensors: the state file is then a
// plain list of tensors.
struct StageState {
  std::vector<std::pair<std::string, torch::Tensor>> parameters;
  std::vector<torch::Tensor> first_moment, second_moment, ema;
  int64_t step = 0;

  explicit StageState(torch::nn::Module& module) {
    for (auto& item : module.named_parameters()) {
      if (!item.value().requires_grad()) continue;
      parameters.emplace_back(item.key(), item.value());
      first_moment.push_back(torch::zeros_like(item.value()));
      second_moment.push_back(torch::zeros_like(item.value()));
      ema.push_back(item.value().detach().clone());
    }
  }

  std::vector<torch::Tensor> Weights() const {
    std::vector<torch::Tensor> weights;
    for (const auto& [name, weight] : parameters) weights.push_back(weight);
    return weights;
  }

  void SetGradients(const std::vector<torch::Tensor>& gradients) {
    for (size_t i = 0; i < parameters.size(); ++i) {
      parameters[i].second.mutable_grad() = gradients[i];
    }
  }

  // Calls visit(name, tensor) for everything that is saved.
  template <typename Visit>
  void ForEach(Visit visit) {
    for (size_t i = 0; i < parameters.size(); ++i) {
      const auto& name = parameters[i].first;
      visit("weight." + name, parameters[i].second);
      visit("m." + name, first_moment[i]);
      visit("v." + name, second_moment[i]);
      visit("ema." + name, ema[i]);
    }
  }
};

absl::Status SaveState(const std::string& path, StageState& state) {
  io::TensorFile file;
  file.metadata["step"] = absl::StrCat(state.step);
  state.ForEach(
      [&](const std::string& name, torch::Tensor& x) { file.tensors[name] = ToHost(x.detach()); });
  return io::WriteTensorFile(path, file);
}

absl::Status LoadState(const std::string& path, StageState& state) {
  GWM_ASSIGN_OR_RETURN(auto file, io::ReadTensorFile(path));
  absl::Status status;
  torch::NoGradGuard no_grad;
  state.ForEach([&](const std::string& name, torch::Tensor& x) {
    if (!status.ok()) return;
    const auto found = file.tensors.find(name);
    if (found == file.tensors.end() || found->second.shape != x.sizes().vec()) {
      status = absl::FailedPreconditionError(
          absl::StrCat("training state: ", name,
                       " is missing or has another shape; the config has changed since. ",
                       "Remove the state file to start over: ", path));
      return;
    }
    x.copy_(ToTorch(found->second));
  });
  GWM_RETURN_IF_ERROR(status);
  state.step = std::stoll(file.metadata["step"]);
  return absl::OkStatus();
}

// Global norm of the gradients before clipping. Missing gradients count as zero.
double ClipGradients(StageState& state, double limit) {
  auto total = torch::zeros({}, torch::kDouble);
  for (auto& [name, parameter] : state.parameters) {
    if (parameter.grad().defined())
      total += parameter.grad().square().sum().to(torch::kDouble).cpu();
  }
  const double norm = std::sqrt(total.item<double>());
  if (limit > 0 && norm > limit) {
    for (auto& [name, parameter] : state.parameters) {
      if (parameter.grad().defined()) parameter.mutable_grad().mul_(limit / norm);
    }
  }
  return norm;
}

// AdamW (Loshchilov & Hutter 2019), betas (0.9, 0.99), decay on matrices only.
void UpdateParameters(StageState& state, const StageOptions& o) {
  torch::NoGradGuard no_grad;
  constexpr double kBeta1 = 0.9, kBeta2 = 0.99, kEps = 1e-8;
  const auto t = static_cast<double>(state.step + 1);
  const double rate = LearningRate(o, state.step);
  const double ema = std::min(o.ema_decay, (1.0 + t) / (10.0 + t));
  const double scale1 = 1.0 / (1.0 - std::pow(kBeta1, t));
  const double scale2 = 1.0 / (1.0 - std::pow(kBeta2, t));
  for (size_t i = 0; i < state.parameters.size(); ++i) {
    auto& weight = state.parameters[i].second;
    if (weight.grad().defined()) {
      auto& m = state.first_moment[i];
      auto& v = state.second_moment[i];
      m.lerp_(weight.grad(), 1.0 - kBeta1);
      v.mul_(kBeta2).addcmul_(weight.grad(), weight.grad(), 1.0 - kBeta2);
      if (weight.dim() > 1) weight.mul_(1.0 - rate * o.weight_decay);
      weight.addcdiv_(m, (v * scale2).sqrt_().add_(kEps), -rate * scale1);
      weight.mutable_grad() = torch::Tensor();
    }
    state.ema[i].lerp_(weight, 1.0 - ema);
  }
}

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

absl::Status TrainLoop(StageState& state, const StageRun& run, const std::string& state_path) {
  if (run.prepare && state.step < run.options.steps) run.prepare();
  GWM_ASSIGN_OR_RETURN(auto log, StageLog::Create(run));
  std::unique_ptr<io::Progress> progress;
  if (!run.quiet) {
    progress = std::make_unique<io::Progress>(io::ProgressOptions{
        .label = "training " + run.name, .total = run.options.steps, .initial = state.step});
  }
  std::string note;
  while (state.step < run.options.steps) {
    const auto update = ShardedGradients(state.Weights(), run.options.shards, [&](int64_t shard) {
      auto generator = StepGenerator(run.seed, run.name, state.step, shard);
      return run.loss(state.step, generator);
    });
    if (!std::isfinite(update.terms.front().second)) {
      return absl::InternalError(
          absl::StrCat("training ", run.name, ": the loss is not finite at update ", state.step));
    }
    state.SetGradients(update.gradients);
    log.Add(update.terms, ClipGradients(state, run.options.clip_norm));
    UpdateParameters(state, run.options);
    ++state.step;
    if (state.step % run.log_every == 0) {
      GWM_ASSIGN_OR_RETURN(note, log.Flush(state.step, update.terms.front().first));
    }
    if (progress) progress->Update(state.step, note);
    if (state.step % run.save_every == 0) {
      GWM_RETURN_IF_ERROR(SaveState(state_path, state));
      GWM_RETURN_IF_ERROR(log.WritePicture());
    }
  }
  if (progress) progress->Finish(note);
  GWM_RETURN_IF_ERROR(log.WritePicture());
  return SaveState(state_path, state);
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
  StageState state(module);
  if (std::filesystem::exists(state_path)) {
    GWM_RETURN_IF_ERROR(LoadState(state_path, state));
    if (!run.quiet)
      LogInfo(absl::StrCat("training ", run.name, ": going on at update ", state.step));
  }
  module.train();
  const ShardThreads threads(o.shards);
  if (state.step < run.options.steps) GWM_RETURN_IF_ERROR(TrainLoop(state, run, state_path));
  torch::NoGradGuard no_grad;
  for (size_t i = 0; i < state.parameters.size(); ++i) {
    state.parameters[i].second.copy_(state.ema[i]);
  }
  module.eval();
  return absl::OkStatus();
}

}  // namespace gwm
