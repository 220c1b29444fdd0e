#include "engine/checkpoint/checkpoint.h"

#include <algorithm>
#include <filesystem>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "engine/base/catch_torch.h"
#include "engine/base/status.h"
#include "engine/base/tensor_convert.h"
#include "engine/io/file.h"
#include "engine/io/folder_edit.h"
#include "engine/io/sha256.h"

namespace gwm {
namespace {

constexpr char kSums[] = "SHA256SUMS";

std::vector<std::pair<std::string, torch::Tensor>> NamedWeights(const torch::nn::Module& module,
                                                                const std::string& prefix) {
  std::vector<std::pair<std::string, torch::Tensor>> out;
  for (const auto& item : module.named_parameters()) {
    out.emplace_back(prefix + item.key(), item.value());
  }
  return out;
}

// Regular files of `dir` in name order, without the sums themselves and temporary files.
std::vector<std::string> CheckpointFiles(const std::string& dir) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(dir)) {
    const std::string name = entry.path().filename();
    if (entry.is_regular_file() && name != kSums && name[0] != '.') names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

absl::Status WriteSums(const std::string& dir) {
  std::string sums;
  for (const auto& name : CheckpointFiles(dir)) {
    GWM_ASSIGN_OR_RETURN(auto bytes, io::ReadFile(absl::StrCat(dir, "/", name)));
    absl::StrAppend(&sums, io::Sha256Hex(bytes), "  ", name, "\n");
  }
  return io::WriteFileAtomic(dir + "/" + kSums, sums);
}

absl::StatusOr<std::string> CheckSums(const std::string& dir) {
  GWM_ASSIGN_OR_RETURN(auto sums, io::ReadFile(dir + "/" + kSums));
  for (const char* name : {"config.json", "model.safetensors", "normalizer.safetensors"}) {
    if (sums.find(absl::StrCat("  ", name, "\n")) == std::string::npos) {
      return absl::DataLossError(absl::StrCat("checkpoint: SHA256SUMS has no line for ", name));
    }
  }
  for (const auto& line : absl::StrSplit(sums, '\n', absl::SkipEmpty())) {
    const std::vector<std::string> parts = absl::StrSplit(line, absl::MaxSplits("  ", 1));
    if (parts.size() != 2 || parts[1].find('/') != std::string::npos) {
      return absl::DataLossError("checkpoint: SHA256SUMS has a malformed line");
    }
    GWM_ASSIGN_OR_RETURN(auto bytes, io::ReadFile(dir + "/" + parts[1]));
    if (io::Sha256Hex(bytes) != parts[0]) {
      return absl::DataLossError(
          absl::StrCat("checkpoint: ", parts[1], " does not match its sum in SHA256SUMS"));
    }
  }
  return io::Sha256Hex(sums);
}

absl::StatusOr<torch::Tensor> NormalizerTensor(const io::TensorFile& file, const std::string& name,
                                               int64_t size) {
  GWM_ASSIGN_OR_RETURN(const HostTensor* tensor, file.Find(name, DType::kF32, 1));
  if (tensor->shape[0] != size) {
    return absl::InvalidArgumentError(
        absl::StrCat("checkpoint: ", name, " has ", tensor->shape[0], " entries, expected ", size));
  }
  return ToTorch(*tensor);
}

absl::StatusOr<LoadedCheckpoint> Load(const std::string& dir) {
  LoadedCheckpoint loaded;
  GWM_ASSIGN_OR_RETURN(loaded.digest, CheckSums(dir));
  GWM_ASSIGN_OR_RETURN(auto json, io::ReadFile(dir + "/config.json"));
  GWM_ASSIGN_OR_RETURN(auto config, ConfigFromJson(json));
  GWM_ASSIGN_OR_RETURN(loaded.model, WorldModel::Create(config, 0));
  GWM_ASSIGN_OR_RETURN(auto weights, io::ReadTensorFile(dir + "/model.safetensors"));
  for (const auto& [prefix, module] : loaded.model->parts()) {
    GWM_RETURN_IF_ERROR(ReadWeights(weights, prefix, *module));
  }
  GWM_ASSIGN_OR_RETURN(auto stats, io::ReadTensorFile(dir + "/normalizer.safetensors"));
  const int64_t latent = config.tokenizer.latent_dim;
  auto& n = loaded.model->normalizer;
  GWM_ASSIGN_OR_RETURN(n.mean, NormalizerTensor(stats, "latent_mean", latent));
  GWM_ASSIGN_OR_RETURN(n.std, NormalizerTensor(stats, "latent_std", latent));
  GWM_ASSIGN_OR_RETURN(n.change_std, NormalizerTensor(stats, "change_std", latent));
  const bool bf16 = weights.tensors.begin()->second.dtype == DType::kBF16;
  const std::string digest = TokenizerDigest(*loaded.model, bf16);
  if (!config.tokenizer_digest.empty() && digest != config.tokenizer_digest) {
    return absl::FailedPreconditionError(
        absl::StrCat("checkpoint: the dynamics was trained with tokenizer ",
                     config.tokenizer_digest.substr(0, 12), ", but the weights hold tokenizer ",
                     digest.substr(0, 12)));
  }
  return loaded;
}

}  // namespace

void AppendWeights(const torch::nn::Module& module, const std::string& prefix, bool bf16,
                   io::TensorFile& file) {
  for (const auto& [name, weight] : NamedWeights(module, prefix)) {
    auto value = weight.detach();
    file.tensors[name] = ToHost(bf16 ? value.to(torch::kBFloat16) : value);
  }
}

absl::Status ReadWeights(const io::TensorFile& file, const std::string& prefix,
                         torch::nn::Module& module) {
  torch::NoGradGuard no_grad;
  size_t used = 0;
  for (auto& [name, weight] : NamedWeights(module, prefix)) {
    const auto found = file.tensors.find(name);
    if (found == file.tensors.end()) {
      return absl::InvalidArgumentError(absl::StrCat("checkpoint: tensor ", name, " is missing"));
    }
    if (found->second.shape != weight.sizes().vec()) {
      return absl::InvalidArgumentError(absl::StrCat("checkpoint: tensor ", name, " is ",
                                                     DescribeTensor(found->second),
                                                     ", which is not the shape of the config"));
    }
    weight.copy_(ToTorch(found->second).to(torch::kFloat));
    ++used;
  }
  const auto belongs = [&](const auto& item) { return item.first.starts_with(prefix); };
  const auto present = std::count_if(file.tensors.begin(), file.tensors.end(), belongs);
  if (static_cast<size_t>(present) != used) {
    return absl::InvalidArgumentError(absl::StrCat("checkpoint: ", present, " tensors start with '",
                                                   prefix, "', the config has ", used));
  }
  return absl::OkStatus();
}

std::string TokenizerDigest(const WorldModel& model, bool bf16) {
  io::TensorFile file;
  AppendWeights(*model.tokenizer, "tokenizer.", bf16, file);
  return io::Sha256Hex(io::SerializeTensors(file));
}

void RoundToBf16(torch::nn::Module& module) {
  torch::NoGradGuard no_grad;
  for (auto& weight : module.parameters()) {
    weight.copy_(weight.to(torch::kBFloat16).to(torch::kFloat));
  }
}

absl::Status SaveCheckpoint(const std::string& dir, const WorldModel& model,
                            const SaveOptions& options) {
  return CatchTorch("SaveCheckpoint", [&]() -> absl::Status {
    GWM_ASSIGN_OR_RETURN(const auto edit, io::FolderEdit::Begin(dir));
    const std::string& staged = edit->staged();
    io::TensorFile weights;
    for (const auto& [prefix, module] : model.parts()) {
      AppendWeights(*module, prefix, options.bf16, weights);
    }
    io::TensorFile stats;
    stats.tensors["latent_mean"] = ToHost(model.normalizer.mean);
    stats.tensors["latent_std"] = ToHost(model.normalizer.std);
    stats.tensors["change_std"] = ToHost(model.normalizer.change_std);
    ModelConfig config = model.config;
    config.tokenizer_digest = TokenizerDigest(model, options.bf16);
    GWM_RETURN_IF_ERROR(io::WriteTensorFile(staged + "/model.safetensors", weights));
    GWM_RETURN_IF_ERROR(io::WriteTensorFile(staged + "/normalizer.safetensors", stats));
    GWM_RETURN_IF_ERROR(io::WriteFileAtomic(staged + "/config.json", ConfigToJson(config)));
    if (!options.model_card.empty()) {
      GWM_RETURN_IF_ERROR(io::WriteFileAtomic(staged + "/README.md", options.model_card));
    }
    if (options.reset_pool != nullptr) {
      GWM_RETURN_IF_ERROR(io::WriteTensorFile(staged + "/" + kResetPoolFile, *options.reset_pool));
    }
    GWM_RETURN_IF_ERROR(WriteSums(staged));
    return edit->Commit();
  });
}

absl::Status WriteCardSection(const std::string& dir, const std::string& title,
                              const std::string& text) {
  GWM_ASSIGN_OR_RETURN(std::string card, io::ReadFile(dir + "/README.md"));
  const std::string heading = absl::StrCat("\n## ", title, "\n");
  if (const auto begin = card.find(heading); begin != std::string::npos) {
    const auto end = card.find("\n## ", begin + 1);
    card.erase(begin, end == std::string::npos ? std::string::npos : end - begin);
  }
  absl::StrAppend(&card, heading, "\n", text);
  GWM_ASSIGN_OR_RETURN(const auto edit, io::FolderEdit::Begin(dir));
  GWM_RETURN_IF_ERROR(io::WriteFileAtomic(edit->staged() + "/README.md", card));
  GWM_RETURN_IF_ERROR(WriteSums(edit->staged()));
  return edit->Commit();
}

absl::StatusOr<LoadedCheckpoint> LoadCheckpoint(const std::string& dir) {
  return CatchTorch("LoadCheckpoint", [&]() { return Load(dir); });
}

}  // namespace gwm
