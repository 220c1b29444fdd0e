// The weights of one part of a model while it is trained: AdamW with warm-up and cosine decay,
// clipping, and an average of the weights that is what training results in.
#ifndef GWM_ENGINE_TRAIN_STAGE_OPTIMIZER_H_
#define GWM_ENGINE_TRAIN_STAGE_OPTIMIZER_H_

#include <torch/torch.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/io/safetensors.h"
#include "engine/train/options.h"

namespace gwm {

class StageOptimizer {
 public:
  // The module must outlive this. Frozen parameters are left alone.
  StageOptimizer(torch::nn::Module& module, const StageOptions& options);

  // Updates made so far.
  int64_t step() const { return step_; }
  const std::vector<torch::Tensor>& weights() const { return weights_; }

  // One update (Loshchilov & Hutter 2019; betas 0.9 and 0.99; decay on matrices only). gradients:
  // one per weight, undefined = 0. Returns their global norm before clipping.
  double Update(const std::vector<torch::Tensor>& gradients);

  // The module holds the averages from now on; the weights are lost.
  void KeepAverages();
  // The module holds the averages instead of the weights, or the other way round: twice is nothing.
  void SwapAverages();

  struct SavedState {
    io::TensorFile file;
    int64_t step = 0;
  };
  // weight.*, m.*, v.*, ema.* and the step, as safetensors. ReadState: FailedPrecondition names
  // what is missing or has another shape; NotFound, DataLoss as ReadTensorFile.
  absl::Status SaveState(const std::string& path) const;
  absl::StatusOr<SavedState> ReadState(const std::string& path) const;
  void TakeState(const SavedState& saved);
  // Both at once; an error changes nothing.
  absl::Status LoadState(const std::string& path);

 private:
  // Calls visit(name, tensor) for everything that is saved.
  template <typename Visit>
  void ForEach(Visit visit) const;

  StageOptions options_;
  std::vector<std::string> names_;
  // Moments are explicit tensors: the state file is then a plain list of tensors.
  std::vector<torch::Tensor> weights_, first_moment_, second_moment_, averages_;
  int64_t step_ = 0;
};

}  // namespace gwm

#endif  // GWM_ENGINE_TRAIN_STAGE_OPTIMIZER_H_
