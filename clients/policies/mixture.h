// Mixtures of diagonal Gaussians over actions.
#ifndef GWM_CLIENTS_POLICIES_MIXTURE_H_
#define GWM_CLIENTS_POLICIES_MIXTURE_H_

#include <torch/torch.h>

namespace gwm::policies {

struct GaussianMixture {
  torch::Tensor logits;  // [..., M]: weights before their softmax
  torch::Tensor mean;    // [..., M, A]
  torch::Tensor std;     // [..., M, A], positive
};

// action [..., A] -> [...] nats.
torch::Tensor MixtureLogProb(const GaussianMixture& mixture, const torch::Tensor& action);

// uniform [...] in [0, 1) picks the mode, by the cumulative weights; normal [..., A] is its draw,
// with `std` in place of the mixture's when that is positive -> [..., A].
torch::Tensor SampleMixture(const GaussianMixture& mixture, const torch::Tensor& uniform,
                            const torch::Tensor& normal, double std);

}  // namespace gwm::policies

#endif  // GWM_CLIENTS_POLICIES_MIXTURE_H_
