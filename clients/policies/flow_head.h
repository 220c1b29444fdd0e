// A flow-matching policy: a chunk is carried from noise along the velocity that the network
// predicts under the observations.
#ifndef GWM_CLIENTS_POLICIES_FLOW_HEAD_H_
#define GWM_CLIENTS_POLICIES_FLOW_HEAD_H_

#include <memory>

#include "clients/policies/chunk_head.h"
#include "clients/policies/denoiser.h"

namespace gwm::policies {

struct FlowOptions {
  int64_t sampling_steps = 10;  // Euler steps of a chunk
  // The network is told time_scale * t: its time embedding spans the 100 steps of diffusion.
  double time_scale = 100;
};

class FlowHead : public ChunkHead {
 public:
  FlowHead(std::shared_ptr<Denoiser> denoiser, const FlowOptions& options);

  torch::nn::Module& network() override { return *denoiser_; }
  NoiseShape ActNoise() const override { return {.uniforms = 0, .normals = 1}; }
  // The number is the time: uniform.
  NoiseShape LossNoise() const override { return {.uniforms = 1, .normals = 1}; }
  torch::Tensor Sample(const torch::Tensor& observation, const ChunkNoise& noise) override;
  torch::Tensor Loss(const ChunkBatch& batch, const ChunkNoise& noise) override;

 private:
  std::shared_ptr<Denoiser> denoiser_;
  FlowOptions options_;
};

}  // namespace gwm::policies

#endif  // GWM_CLIENTS_POLICIES_FLOW_HEAD_H_
