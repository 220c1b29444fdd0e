// Checkpoints on disk: config.json, model.safetensors, normalizer.safetensors, README.md (model
// card), SHA256SUMS, and a reset pool (reset_pool.safetensors.zst) when the model is meant to be
// served.
#ifndef GWM_ENGINE_CHECKPOINT_CHECKPOINT_H_
#define GWM_ENGINE_CHECKPOINT_CHECKPOINT_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/io/safetensors.h"
#include "engine/model/world_model.h"

namespace gwm {

// Real frames to reset from (format: engine/train/reset_pool.h).
inline constexpr char kResetPoolFile[] = "reset_pool.safetensors.zst";

struct SaveOptions {
  bool bf16 = false;       // weights as bfloat16: half the size
  std::string model_card;  // text of README.md; empty keeps an existing one
  const io::TensorFile* reset_pool =
      nullptr;  // content of kResetPoolFile; null keeps an existing one
};

// Replaces the folder as a whole: after a crash the old or the new checkpoint is there. Other files
// in `dir` stay and are summed too.
absl::Status SaveCheckpoint(const std::string& dir, const WorldModel& model,
                            const SaveOptions& options);

// Writes section "## `title`" of README.md anew (at the end when it is new) and renews SHA256SUMS,
// as one change.
absl::Status WriteCardSection(const std::string& dir, const std::string& title,
                              const std::string& text);

struct LoadedCheckpoint {
  std::unique_ptr<WorldModel> model;
  std::string digest;  // SHA-256 of SHA256SUMS, hex
};
// NotFound: no such folder or file. DataLoss: a sum does not match. FailedPrecondition: the
// dynamics was trained with another tokenizer. InvalidArgument: config or weights are malformed;
// the tensor is named.
absl::StatusOr<LoadedCheckpoint> LoadCheckpoint(const std::string& dir);

// Named weights of a module and back. Missing, surplus or misshapen tensors are InvalidArgument.
void AppendWeights(const torch::nn::Module& module, const std::string& prefix, bool bf16,
                   io::TensorFile& file);
absl::Status ReadWeights(const io::TensorFile& file, const std::string& prefix,
                         torch::nn::Module& module);
// SHA-256 of the tokenizer's weights as they are stored: what ties a dynamics to its tokenizer.
std::string TokenizerDigest(const WorldModel& model, bool bf16);
// Rounds every weight to what bfloat16 can hold, so that a digest before saving equals the one
// after loading.
void RoundToBf16(torch::nn::Module& module);

}  // namespace gwm

#endif  // GWM_ENGINE_CHECKPOINT_CHECKPOINT_H_
