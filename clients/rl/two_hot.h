// Scalars as distributions over bins of their symmetric logarithm (DreamerV3, arXiv 2301.04104;
// numbers as nicklashansen/tdmpc2 common/math.py).
#ifndef GWM_CLIENTS_RL_TWO_HOT_H_
#define GWM_CLIENTS_RL_TWO_HOT_H_

#include <torch/torch.h>

namespace gwm::rl {

// sign(x) log(1 + |x|), and its inverse.
torch::Tensor Symlog(const torch::Tensor& x);
torch::Tensor Symexp(const torch::Tensor& x);

// `bins` (>= 2) values, evenly spaced over [low, high] of the symlog axis.
struct TwoHotBins {
  double low = -10;
  double high = 10;
  int64_t bins = 101;
};

// Weights of the two bins around symlog(x), which is clamped to the bins' range.
//   x: [B, 1] -> [B, bins], rows sum to 1
torch::Tensor TwoHot(const torch::Tensor& x, const TwoHotBins& bins);
// The scalar that logits stand for: symexp of the mean bin. [B, bins] -> [B, 1]
torch::Tensor TwoHotMean(const torch::Tensor& logits, const TwoHotBins& bins);
// Cross entropy of logits [B, bins] against TwoHot of x [B, 1]. -> [B, 1]
torch::Tensor TwoHotCrossEntropy(const torch::Tensor& logits, const torch::Tensor& x,
                                 const TwoHotBins& bins);

// Softmax within groups of `group` entries of the last axis (SimNorm of TD-MPC2, arXiv 2310.16828).
torch::Tensor SimNorm(const torch::Tensor& x, int64_t group);

}  // namespace gwm::rl

#endif  // GWM_CLIENTS_RL_TWO_HOT_H_
