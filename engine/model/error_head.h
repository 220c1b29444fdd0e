// How far an imagined state is likely to be from the real one.
#ifndef GWM_ENGINE_MODEL_ERROR_HEAD_H_
#define GWM_ENGINE_MODEL_ERROR_HEAD_H_

#include "engine/model/config.h"
#include "engine/model/layers.h"

namespace gwm {

// Learns, on rollouts of the model beside the real frames, what squared error to expect of a token
// that looks as it does and changed as it did. Sees imagined states alone.
class ErrorHead : public torch::nn::Module {
 public:
  explicit ErrorHead(const ModelConfig& config);
  // ln of the expected squared error of every token, mean over its channels, as a share of the
  // latents' variance (1: no better than the mean latents). [B, M]
  // reset, before, after: standardised latents [B, M, L] of the episode's start and of both ends of
  // the newest step; centres: [B, M, 3] m; age: [B] steps since the start, >= 1.
  torch::Tensor forward(const torch::Tensor& reset, const torch::Tensor& before,
                        const torch::Tensor& after, const torch::Tensor& centres,
                        const torch::Tensor& age);

 private:
  double sigma_data_;
  Mlp token_{nullptr}, trunk_{nullptr};
  RmsNormLayer norm_{nullptr};
};

}  // namespace gwm

#endif  // GWM_ENGINE_MODEL_ERROR_HEAD_H_
