#include "engine/data/latent_sequences.h"

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/base/status.h"
#include "engine/base/tensor_convert.h"
#include "engine/io/progress.h"
#include "engine/io/safetensors.h"
#include "engine/model/pixel_frame.h"

namespace gwm {
namespace {

constexpr int64_t kChunk = 16;  // frames encoded at a time
constexpr int64_t kSetSegments =
    3;  // reset frames per episode for tokenizers with anchored latents

LatentSequence EncodeFrom(const WorldModel& model, const Dataset& dataset, size_t episode,
                          int64_t first) {
  const auto& e = dataset.episodes[episode];
  auto scene = [&](int64_t begin, int64_t end) {
    return dataset.Scenes(episode, torch::arange(begin, end), model.config);
  };
  const bool anchored = model.config.tokenizer.kind == "set";
  Anchors anchors = model.tokenizer->ChooseAnchors(scene(first, first + 1));
  std::vector<torch::Tensor> latents, centres;
  for (int64_t t = first; t < e.frames(); t += kChunk) {
    const int64_t end = std::min(e.frames(), t + kChunk);
    auto batch = scene(t, end);
    if (anchored) {
      auto same = torch::zeros({end - t}, torch::kLong);
      latents.push_back(model.tokenizer->Encode(batch, anchors.Select(same)).mean);
    } else {
      auto chosen = model.tokenizer->ChooseAnchors(batch);
      latents.push_back(chosen.latents);
      centres.push_back(chosen.centres);
    }
  }
  LatentSequence s;
  s.latents = torch::cat(latents);
  s.centres = anchored ? anchors.centres : torch::cat(centres);
  s.action = e.action.slice(0, first);
  s.reward = e.reward.slice(0, first);
  s.terminated = e.terminated.slice(0, first);
  s.success = e.success.slice(0, first);
  return s;
}

// The parts of a sequence under names that sort in their order.
template <typename Visit>
void VisitSequence(LatentSequence& s, size_t index, Visit visit) {
  const std::string prefix = absl::StrFormat("%06d.", index);
  visit(prefix + "latents", s.latents);
  visit(prefix + "centres", s.centres);
  visit(prefix + "action", s.action);
  visit(prefix + "reward", s.reward);
  visit(prefix + "terminated", s.terminated);
  visit(prefix + "success", s.success);
}

io::TensorFile ToFile(std::vector<LatentSequence>& sequences, const std::string& key) {
  io::TensorFile file;
  file.metadata = {{"key", key}, {"sequences", absl::StrCat(sequences.size())}};
  for (size_t i = 0; i < sequences.size(); ++i) {
    VisitSequence(sequences[i], i, [&](const std::string& name, torch::Tensor& x) {
      file.tensors[name] = ToHost(x);
    });
  }
  return file;
}

absl::StatusOr<std::vector<LatentSequence>> FromFile(const io::TensorFile& file) {
  std::vector<LatentSequence> sequences(std::stoul(file.metadata.at("sequences")));
  absl::Status status;
  for (size_t i = 0; i < sequences.size(); ++i) {
    VisitSequence(sequences[i], i, [&](const std::string& name, torch::Tensor& x) {
      auto found = file.Find(name, DType::kF32);
      if (!found.ok()) {
        status = found.status();
        return;
      }
      x = ToTorch(**found);
    });
  }
  GWM_RETURN_IF_ERROR(status);
  return sequences;
}

}  // namespace

int64_t SequencesPerEpisode(const ModelConfig& config) {
  return config.tokenizer.kind == "set" ? kSetSegments : 1;
}

std::vector<LatentSequence> EncodeEpisode(const WorldModel& model, const Dataset& dataset,
                                          size_t episode) {
  torch::NoGradGuard no_grad;
  const int64_t segments = SequencesPerEpisode(model.config);
  std::vector<LatentSequence> sequences;
  for (int64_t s = 0; s < segments; ++s) {
    const int64_t first = s * dataset.episodes[episode].frames() / segments;
    sequences.push_back(EncodeFrom(model, dataset, episode, first));
  }
  return sequences;
}

std::vector<LatentSequence> EncodeDataset(const WorldModel& model, const Dataset& dataset) {
  std::vector<LatentSequence> sequences;
  io::Progress progress(
      {.label = "encoding episodes", .total = static_cast<int64_t>(dataset.episodes.size())});
  for (size_t i = 0; i < dataset.episodes.size(); ++i) {
    for (LatentSequence& sequence : EncodeEpisode(model, dataset, i)) {
      sequences.push_back(std::move(sequence));
    }
    progress.Update(static_cast<int64_t>(i) + 1);
  }
  return sequences;
}

absl::StatusOr<std::vector<LatentSequence>> EncodeDatasetCached(
    const WorldModel& model, const Dataset& dataset, const std::string& path,
    const std::string& tokenizer_digest) {
  std::string key = tokenizer_digest;
  for (const auto& e : dataset.episodes) absl::StrAppend(&key, "\n", e.path);
  if (std::filesystem::exists(path)) {
    GWM_ASSIGN_OR_RETURN(const auto file, io::ReadTensorFile(path));
    const auto found = file.metadata.find("key");
    if (found != file.metadata.end() && found->second == key) return FromFile(file);
  }
  auto sequences = EncodeDataset(model, dataset);
  GWM_RETURN_IF_ERROR(io::WriteTensorFile(path, ToFile(sequences, key)));
  return sequences;
}

LatentNormalizer MeasureLatents(const std::vector<LatentSequence>& sequences, double sigma_data) {
  auto moments = [](auto&& each, size_t count) {
    torch::Tensor sum, square;
    int64_t rows = 0;
    for (size_t i = 0; i < count; ++i) {
      auto x = each(i).flatten(0, 1).to(torch::kDouble);
      sum = sum.defined() ? sum + x.sum(0) : x.sum(0);
      square = square.defined() ? square + x.square().sum(0) : x.square().sum(0);
      rows += x.size(0);
    }
    const auto n = static_cast<double>(std::max<int64_t>(rows, 1));
    auto mean = sum / n;
    return std::pair{mean, square / n};
  };
  auto [mean, square] = moments([&](size_t i) { return sequences[i].latents; }, sequences.size());
  LatentNormalizer n;
  n.mean = mean.to(torch::kFloat);
  n.std = (square - mean.square()).clamp_min(1e-8).sqrt().to(torch::kFloat);
  const auto scale = sigma_data / n.std;
  auto change = [&](size_t i) {
    const auto& z = sequences[i].latents;
    return (z.slice(0, 1) - z.slice(0, 0, z.size(0) - 1)) * scale;
  };
  // The root mean square: the mean change is part of what must be predicted.
  n.change_std = moments(change, sequences.size()).second.clamp_min(1e-8).sqrt().to(torch::kFloat);
  return n;
}

}  // namespace gwm
