// The 1-D U-Net with FiLM conditioning of diffusion policy (arXiv 2303.04137), compatible with the
// weights of real-stanford/diffusion_policy model/diffusion/conditional_unet1d.py.
#ifndef GWM_CLIENTS_POLICIES_CONDITIONAL_UNET1D_H_
#define GWM_CLIENTS_POLICIES_CONDITIONAL_UNET1D_H_

#include <vector>

#include "clients/policies/denoiser.h"
#include "clients/policies/layers.h"

namespace gwm::policies {

struct UnetOptions {
  std::vector<int64_t> widths = {512, 1024, 2048};  // channels by level; the length halves between
  int64_t kernel = 5;                               // odd
  int64_t groups = 8;                               // of GroupNorm: divides every width
  int64_t time_width = 128;                         // of the time embedding: even, 4 or more
  bool predict_scale = true;                        // FiLM: scale and bias; false: bias alone
};

// Groups of the last block's GroupNorm, whatever UnetOptions::groups says: divides widths[0].
inline constexpr int64_t kUnetFinalGroups = 8;

// Convolution, GroupNorm, Mish.
class Conv1dBlockImpl : public torch::nn::Module {
 public:
  Conv1dBlockImpl(int64_t in, int64_t out, int64_t kernel, int64_t groups);
  // [B, in, T] -> [B, out, T]
  torch::Tensor forward(const torch::Tensor& x);

 private:
  Conv1d conv_;
  GroupNorm norm_;
};
TORCH_MODULE(Conv1dBlock);

// Two blocks around a FiLM modulation (arXiv 1709.07871), and a residual.
class ConditionalResidualBlock1dImpl : public torch::nn::Module {
 public:
  ConditionalResidualBlock1dImpl(int64_t in, int64_t out, int64_t condition_width,
                                 const UnetOptions& options);
  // x [B, in, T], condition [B, condition_width] -> [B, out, T]
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& condition);

 private:
  bool predict_scale_;
  Conv1dBlock first_, second_;
  Linear condition_encoder_;
  Conv1d residual_{nullptr};  // null when in == out
};
TORCH_MODULE(ConditionalResidualBlock1d);

class ConditionalUnet1dImpl : public Denoiser {
 public:
  // `condition_width`: entries of one row's observations. Requires options as CheckConfig wants.
  ConditionalUnet1dImpl(int64_t sample_width, int64_t condition_width, const UnetOptions& options);

  // sample [B, T, sample_width], time [B], condition [B, condition_width] -> as `sample`.
  // Requires that 2^(levels - 1) divides T.
  torch::Tensor forward(const torch::Tensor& sample, const torch::Tensor& time,
                        const torch::Tensor& condition);
  torch::Tensor Predict(const torch::Tensor& sample, const torch::Tensor& time,
                        const torch::Tensor& observation) override;

 private:
  struct Level {
    ConditionalResidualBlock1d first{nullptr}, second{nullptr};
    Conv1d halving{nullptr};  // null at the deepest level
    DoublingConv1d doubling{nullptr};
  };
  Level MakeLevel(int64_t in, int64_t out, int64_t condition_width);
  void AddDownLevels(int64_t sample_width, int64_t condition_width);
  void AddUpLevels(int64_t condition_width);

  UnetOptions options_;
  Linear time_in_, time_out_;
  std::vector<Level> down_, up_;
  ConditionalResidualBlock1d middle_first_{nullptr}, middle_second_{nullptr};
  Conv1dBlock final_block_;
  Conv1d final_;
};
TORCH_MODULE(ConditionalUnet1d);

}  // namespace gwm::policies

#endif  // GWM_CLIENTS_POLICIES_CONDITIONAL_UNET1D_H_
