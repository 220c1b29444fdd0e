// The baseline: a network that predicts one chunk under the squared error. Between two equally good
// ways it takes their mean.
#ifndef GWM_CLIENTS_POLICIES_MSE_HEAD_H_
#define GWM_CLIENTS_POLICIES_MSE_HEAD_H_

#include <vector>

#include "clients/policies/chunk_head.h"
#include "clients/policies/layers.h"

namespace gwm::policies {

struct MlpOptions {
  int64_t width = 256;
  int64_t layers = 2;  // hidden layers
};

// Linear layers with a Mish between each two.
class ChunkMlpImpl : public torch::nn::Module {
 public:
  ChunkMlpImpl(int64_t in, int64_t out, const MlpOptions& options);
  // [B, in] -> [B, out]
  torch::Tensor forward(torch::Tensor x);

 private:
  std::vector<Linear> layers_;
};
TORCH_MODULE(ChunkMlp);

class MseHead : public ChunkHead {
 public:
  MseHead(const ChunkSpec& spec, const MlpOptions& options);

  torch::nn::Module& network() override { return *network_; }
  NoiseShape ActNoise() const override { return {}; }
  NoiseShape LossNoise() const override { return {}; }
  torch::Tensor Sample(const torch::Tensor& observation, const ChunkNoise& noise) override;
  torch::Tensor Loss(const ChunkBatch& batch, const ChunkNoise& noise) override;

 private:
  ChunkSpec spec_;
  ChunkMlp network_;
};

}  // namespace gwm::policies

#endif  // GWM_CLIENTS_POLICIES_MSE_HEAD_H_
