// The action distribution of SAC: a Gaussian squashed by tanh.
#ifndef GWM_CLIENTS_RL_SQUASHED_GAUSSIAN_H_
#define GWM_CLIENTS_RL_SQUASHED_GAUSSIAN_H_

#include <torch/torch.h>

namespace gwm::rl {

// Maps a network's free output to [low, low + range] by tanh.
torch::Tensor BoundLogStd(const torch::Tensor& raw, double low, double range);

// Log-density of a diagonal Gaussian at mean + exp(log_std) * noise, summed over the last axis.
//   noise, log_std: [..., A] -> [..., 1]
torch::Tensor GaussianLogProb(const torch::Tensor& noise, const torch::Tensor& log_std);

struct SquashedAction {
  torch::Tensor mean;      // [..., A], tanh of the Gaussian's mean
  torch::Tensor action;    // [..., A], tanh of the draw
  torch::Tensor log_prob;  // [..., 1] of `action`
};
// Change of variables (SAC, arXiv 1812.05905, appendix C, with the guard of nicklashansen/tdmpc2
// common/math.py): log_prob - sum log(max(0, 1 - action^2) + 1e-6).
//   mean, draw (before tanh): [..., A]; log_prob: [..., 1] of the draw
SquashedAction Squash(const torch::Tensor& mean, const torch::Tensor& draw,
                      const torch::Tensor& log_prob);

}  // namespace gwm::rl

#endif  // GWM_CLIENTS_RL_SQUASHED_GAUSSIAN_H_
