// Behaviour cloning with a transformer whose every action is a mixture of Gaussians: the template
// exps/templates/bc_transformer.json of ARISE-Initiative/robomimic, with two changes. Means have no
// tanh, since actions are normalised here; and one chunk may be longer than the history. Each
// action has a mixture of its own: nothing makes the modes of a chunk's actions agree, so where
// demonstrations differ, execute few steps per chunk, or take a diffusion or flow head.
#ifndef GWM_CLIENTS_POLICIES_GMM_HEAD_H_
#define GWM_CLIENTS_POLICIES_GMM_HEAD_H_

#include "clients/policies/bc_transformer.h"
#include "clients/policies/chunk_head.h"
#include "clients/policies/mixture.h"

namespace gwm::policies {

struct GmmOptions {
  int64_t modes = 5;
  int64_t layers = 6;
  int64_t heads = 8;  // divides width
  int64_t width = 512;
  double least_std = 1e-4;  // added to the softplus; normalised units
  // Act with a standard deviation of 1e-4 in place of the learned one.
  bool low_noise = true;
};

class GmmHead : public ChunkHead {
 public:
  GmmHead(const ChunkSpec& spec, const GmmOptions& options);

  torch::nn::Module& network() override { return *network_; }
  // One number per row picks the modes of all its actions, so that neighbours pick alike.
  NoiseShape ActNoise() const override { return {.uniforms = 1, .normals = 1}; }
  NoiseShape LossNoise() const override { return {}; }
  torch::Tensor Sample(const torch::Tensor& observation, const ChunkNoise& noise) override;
  // Mean negative log-likelihood of an action, in nats of the normalised units.
  torch::Tensor Loss(const ChunkBatch& batch, const ChunkNoise& noise) override;

  // Of every action of the chunk: [B, H, M(, A)].
  GaussianMixture Predict(const torch::Tensor& observation);

 private:
  ChunkSpec spec_;
  GmmOptions options_;
  BcTransformer network_;
};

}  // namespace gwm::policies

#endif  // GWM_CLIENTS_POLICIES_GMM_HEAD_H_
