#include "engine/train/online_trainer.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/catch_torch.h"
#include "engine/base/status.h"
#include "engine/base/tensor_convert.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/io/file.h"
#include "engine/train/model_card.h"
#include "engine/train/reset_pool.h"
#include "engine/train/stage.h"
#include "engine/train/update_loss.h"

namespace gwm {
namespace {

constexpr std::array<const char*, kTrainParts> kNames = {"vae", "dynamics", "reward", "error"};
constexpr char kStateFile[] = "trainer.safetensors";

size_t IndexOf(TrainPart part) { return static_cast<size_t>(part); }
const char* NameOf(TrainPart part) { return kNames[IndexOf(part)]; }

std::string StatePath(const std::string& dir, TrainPart part) {
  return absl::StrCat(dir, "/", NameOf(part), ".state.safetensors");
}

void AddTerms(const LossTerms& terms, double share,
              std::vector<std::pair<std::string, double>>& sums) {
  if (sums.empty()) {
    for (const auto& [name, value] : terms) sums.emplace_back(name, 0.0);
  }
  for (size_t i = 0; i < terms.size(); ++i) {
    sums[i].second += share * terms[i].second.detach().to(torch::kDouble).item<double>();
  }
}

}  // namespace

OnlineTrainer::OnlineTrainer(TrainerOrigin origin, const TrainOptions& options, int64_t micro_rows)
    : model_(std::move(origin.model)),
      measured_(!origin.fresh),
      card_(std::move(origin.card)),
      reset_pool_(std::move(origin.reset_pool)),
      options_(options),
      micro_rows_(micro_rows) {}

absl::Status OnlineTrainer::AddEpisode(const io::Episode& episode) {
  GWM_RETURN_IF_ERROR(io::CheckEpisode(episode));
  GWM_RETURN_IF_ERROR(CheckFits(episode, "the episode", model_->config));
  const int64_t least = LeastFrames(options_) * SequencesPerEpisode(model_->config);
  if (episode.frames() < least) {
    return absl::InvalidArgumentError(absl::StrCat("the episode has ", episode.frames(),
                                                   " frames; training takes ", least, " or more"));
  }
  return CatchTorch("AddEpisode", [&]() -> absl::Status {
    replay_.Add(ToTensors(episode));
    return absl::OkStatus();
  });
}

absl::StatusOr<bool> OnlineTrainer::PrepareNext() {
  return CatchTorch("PrepareNext", [&]() -> absl::StatusOr<bool> {
    return replay_.EncodeNext(*model_, TokenizerUpdates());
  });
}

absl::Status OnlineTrainer::ImagineNext() {
  if (replay_.sequences().empty()) {
    return absl::FailedPreconditionError("training: no episode is prepared");
  }
  return CatchTorch("ImagineNext", [&]() -> absl::Status {
    MeasureOnce();
    replay_.ImagineNext(*model_, options_.imagined_steps, options_.seed);
    return absl::OkStatus();
  });
}

int64_t OnlineTrainer::TokenizerUpdates() const {
  const auto& learner = learners_[IndexOf(TrainPart::kTokenizer)];
  return learner == nullptr ? 0 : learner->optimizer.step();
}

void OnlineTrainer::MeasureOnce() {
  if (measured_) return;
  model_->normalizer = MeasureLatents(replay_.sequences(), model_->config.diffusion.sigma_data);
  model_->To(model_->device());
  measured_ = true;
}

const StageOptions& OnlineTrainer::OptionsOf(TrainPart part) const {
  switch (part) {
    case TrainPart::kTokenizer:
      return options_.vae;
    case TrainPart::kDynamics:
      return options_.dynamics;
    case TrainPart::kReward:
      return options_.reward;
    case TrainPart::kError:
      return options_.error;
  }
  return options_.dynamics;
}

torch::nn::Module& OnlineTrainer::ModuleOf(TrainPart part) const {
  return *model_->parts()[IndexOf(part)].second;
}

OnlineTrainer::Learner& OnlineTrainer::LearnerOf(TrainPart part) {
  auto& learner = learners_[IndexOf(part)];
  if (learner == nullptr) {
    learner = std::make_unique<Learner>(
        Learner{.optimizer = StageOptimizer(ModuleOf(part), OptionsOf(part))});
  }
  return *learner;
}

absl::Status OnlineTrainer::CheckTrainable(TrainPart part) const {
  if (part == TrainPart::kError && !model_->error) {
    return absl::FailedPreconditionError("training: the model has no error head");
  }
  if (replay_.data().episodes.empty()) {
    return absl::FailedPreconditionError("training: the replay is empty");
  }
  if (part != TrainPart::kTokenizer && replay_.sequences().empty()) {
    return absl::FailedPreconditionError("training: no episode is prepared");
  }
  if (part == TrainPart::kError && replay_.imagined().empty()) {
    return absl::FailedPreconditionError("training: no episode is imagined");
  }
  return absl::OkStatus();
}

LossTerms OnlineTrainer::LossOf(TrainPart part, int64_t rows, torch::Generator& generator) {
  switch (part) {
    case TrainPart::kTokenizer:
      return TokenizerLoss(*model_, replay_.data(), options_, rows, generator);
    case TrainPart::kDynamics:
      return DynamicsLoss(*model_, replay_.sequences(), options_, rows, generator);
    case TrainPart::kReward:
      return RewardLoss(*model_, replay_.sequences(), replay_.imagined(), options_.reward_loss,
                        rows, generator);
    case TrainPart::kError:
      return ErrorLoss(*model_, replay_.imagined(), rows, generator);
  }
  return {};
}

absl::Status OnlineTrainer::TrainOn(TrainPart part, Learner& learner, int64_t micro_batches) {
  const int64_t rows = std::min(micro_rows_, OptionsOf(part).batch);
  const double share = 1.0 / static_cast<double>(micro_batches);
  auto generator =
      StepGenerator(options_.seed, NameOf(part), learner.optimizer.step(), learner.micro_batches);
  torch::AutoGradMode with_gradients(true);
  const LossTerms terms = LossOf(part, rows, generator);
  AddTerms(terms, share, learner.terms);
  if (!std::isfinite(learner.terms.front().second)) {
    learner.GiveUpUpdate();
    return absl::InternalError(absl::StrCat("training ", NameOf(part),
                                            ": the loss is not finite at update ",
                                            learner.optimizer.step()));
  }
  const auto gradients =
      torch::autograd::grad({terms.front().second * share}, learner.optimizer.weights(), {},
                            std::nullopt, /*create_graph=*/false, /*allow_unused=*/true);
  learner.gradients.resize(gradients.size());
  for (size_t i = 0; i < gradients.size(); ++i) {
    if (!gradients[i].defined()) continue;
    learner.gradients[i] =
        learner.gradients[i].defined() ? learner.gradients[i] + gradients[i] : gradients[i];
  }
  ++learner.micro_batches;
  return absl::OkStatus();
}

absl::StatusOr<TrainedMicroBatch> OnlineTrainer::Train(TrainPart part) {
  GWM_RETURN_IF_ERROR(CheckTrainable(part));
  return CatchTorch("Train", [&]() -> absl::StatusOr<TrainedMicroBatch> {
    if (part != TrainPart::kTokenizer) MeasureOnce();
    Learner& learner = LearnerOf(part);
    const int64_t micro_batches = std::max<int64_t>(1, OptionsOf(part).batch / micro_rows_);
    GWM_RETURN_IF_ERROR(TrainOn(part, learner, micro_batches));
    TrainedMicroBatch done;
    if (learner.micro_batches == micro_batches) {
      learner.terms.emplace_back("gradient_norm", learner.optimizer.Update(learner.gradients));
      learner.gradients.clear();
      learner.micro_batches = 0;
      done.updated = true;
      done.terms = std::exchange(learner.terms, {});
    }
    done.updates = learner.optimizer.step();
    return done;
  });
}

void OnlineTrainer::SwapAverages() {
  for (auto& learner : learners_) {
    if (learner != nullptr) learner->optimizer.SwapAverages();
  }
}

absl::Status OnlineTrainer::SaveCheckpoint(const std::string& dir, const std::string& note) {
  return CatchTorch("SaveCheckpoint", [&]() -> absl::Status {
    const io::TensorFile pool = reset_pool_.has_value() || replay_.data().episodes.empty()
                                    ? reset_pool_.value_or(io::TensorFile())
                                    : MakeResetPool(replay_.data(), model_->config);
    std::string card = card_;
    if (card.empty()) card = ModelCard(*model_, replay_.data(), options_, "reward");
    absl::StrAppend(&card, "\n## Trained while serving\n\n", note, "\n");
    const torch::Device device = model_->device();
    SwapAverages();
    model_->To(torch::kCPU);
    const absl::Status saved =
        gwm::SaveCheckpoint(dir, *model_,
                            {.bf16 = options_.bf16_checkpoint,
                             .model_card = card,
                             .reset_pool = pool.tensors.empty() ? nullptr : &pool});
    model_->To(device);
    SwapAverages();
    return saved;
  });
}

absl::Status OnlineTrainer::SaveState(const std::string& dir) {
  return CatchTorch("SaveState", [&]() -> absl::Status {
    GWM_RETURN_IF_ERROR(io::MakeDirectories(dir));
    for (int i = 0; i < kTrainParts; ++i) {
      const auto part = static_cast<TrainPart>(i);
      const auto& learner = learners_[IndexOf(part)];
      if (learner != nullptr) {
        GWM_RETURN_IF_ERROR(learner->optimizer.SaveState(StatePath(dir, part)));
      }
    }
    io::TensorFile file;
    file.metadata["config"] = ConfigToJson(model_->config);
    file.metadata["measured"] = measured_ ? "1" : "0";
    file.tensors["latent_mean"] = ToHost(model_->normalizer.mean);
    file.tensors["latent_std"] = ToHost(model_->normalizer.std);
    file.tensors["change_std"] = ToHost(model_->normalizer.change_std);
    return io::WriteTensorFile(absl::StrCat(dir, "/", kStateFile), file);
  });
}

absl::Status OnlineTrainer::LoadState(const std::string& dir) {
  return CatchTorch("LoadState", [&]() -> absl::Status {
    GWM_ASSIGN_OR_RETURN(const auto file, io::ReadTensorFile(absl::StrCat(dir, "/", kStateFile)));
    const auto config = file.metadata.find("config");
    if (config == file.metadata.end() || config->second != ConfigToJson(model_->config)) {
      return absl::FailedPreconditionError("training state: it is of a model with another config");
    }
    LatentNormalizer normalizer = model_->normalizer;
    for (auto& [name, tensor] : std::vector<std::pair<std::string, torch::Tensor*>>{
             {"latent_mean", &normalizer.mean},
             {"latent_std", &normalizer.std},
             {"change_std", &normalizer.change_std}}) {
      GWM_ASSIGN_OR_RETURN(const HostTensor* found, file.Find(name, DType::kF32, 1));
      *tensor = ToTorch(*found, model_->device());
    }
    std::vector<std::pair<Learner*, StageOptimizer::SavedState>> parts;
    for (int i = 0; i < kTrainParts; ++i) {
      const auto part = static_cast<TrainPart>(i);
      if (!std::filesystem::exists(StatePath(dir, part))) continue;
      Learner& learner = LearnerOf(part);
      GWM_ASSIGN_OR_RETURN(auto saved, learner.optimizer.ReadState(StatePath(dir, part)));
      parts.emplace_back(&learner, std::move(saved));
    }
    for (auto& [learner, saved] : parts) {
      learner->optimizer.TakeState(saved);
      learner->GiveUpUpdate();
    }
    const auto measured = file.metadata.find("measured");
    measured_ = measured != file.metadata.end() && measured->second == "1";
    model_->normalizer = normalizer;
    return absl::OkStatus();
  });
}

}  // namespace gwm
