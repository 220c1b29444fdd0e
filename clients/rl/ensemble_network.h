// Several probabilistic networks of the same shape, computed side by side.
#ifndef GWM_CLIENTS_RL_ENSEMBLE_NETWORK_H_
#define GWM_CLIENTS_RL_ENSEMBLE_NETWORK_H_

#include <torch/torch.h>

#include <vector>

#include "clients/rl/counter_random.h"

namespace gwm::rl {

struct Gaussians {
  torch::Tensor mean;          // [E, B, out]
  torch::Tensor log_variance;  // [E, B, out]
};

// E multi-layer perceptrons with Swish between layers; each gives a mean and a log-variance held
// softly between two learned bounds (PETS, arXiv 1805.12114, appendix A.1).
class EnsembleNetworkImpl : public torch::nn::Module {
 public:
  // widths: inputs, hidden layers, outputs. decays: L2 weight of each layer's matrix. Weights are
  // drawn from a normal of std 1 / (2 sqrt(in)), cut at two standard deviations.
  EnsembleNetworkImpl(int64_t networks, const std::vector<int64_t>& widths,
                      const std::vector<double>& decays, const CounterRandom& random);
  // [E, B, in] -> Gaussians
  Gaussians forward(const torch::Tensor& x);

  // The training loss: negative log-likelihood (without its constant), mean over rows and outputs,
  // summed over networks; plus the decay of the weights and the pull on the bounds.
  //   inputs: [E, B, in]; targets: [E, B, out]
  torch::Tensor Loss(const torch::Tensor& inputs, const torch::Tensor& targets);

 private:
  std::vector<torch::Tensor> weights_;  // [E, in, out]
  std::vector<torch::Tensor> biases_;   // [E, 1, out]
  std::vector<double> decays_;
  torch::Tensor highest_log_variance_;  // [out]
  torch::Tensor lowest_log_variance_;   // [out]
};
TORCH_MODULE(EnsembleNetwork);

}  // namespace gwm::rl

#endif  // GWM_CLIENTS_RL_ENSEMBLE_NETWORK_H_
