// Small models and inputs for tests: every value follows from the seed.
#ifndef GWM_TESTS_ENGINE_MODEL_MODEL_BUILDERS_H_
#define GWM_TESTS_ENGINE_MODEL_MODEL_BUILDERS_H_

#include <ATen/CPUGeneratorImpl.h>
#include <torch/torch.h>

#include <initializer_list>
#include <memory>
#include <string>

#include "engine/model/world_model.h"

namespace gwm::testing {

// Standard normal tensors in a fixed order.
class Normals {
 public:
  explicit Normals(uint64_t seed) : generator_(torch::make_generator<at::CPUGeneratorImpl>(seed)) {}
  torch::Tensor operator()(std::initializer_list<int64_t> shape) {
    return torch::randn(shape, generator_, torch::kFloat);
  }

 private:
  torch::Generator generator_;
};

inline ModelConfig TinyConfig(const std::string& tokenizer) {
  ModelConfig config = ProfileConfig("gwm-tiny").value();
  config.tokenizer.kind = tokenizer;
  return config;
}

// Adds noise to every weight, those that start at zero included, so that nothing is trivially zero.
inline void ShakeWeights(torch::nn::Module& module, uint64_t seed, double std = 0.1) {
  torch::NoGradGuard no_grad;
  auto generator = torch::make_generator<at::CPUGeneratorImpl>(seed);
  for (auto& weight : module.parameters()) {
    weight.add_(torch::randn(weight.sizes(), generator, torch::kFloat) * std);
  }
}

// gwm-tiny with no weight at zero.
inline std::unique_ptr<WorldModel> ShakenModel(const std::string& tokenizer, uint64_t seed = 11) {
  auto model = WorldModel::Create(TinyConfig(tokenizer), seed).value();
  ShakeWeights(*model->tokenizer, seed + 100, 0.05);
  ShakeWeights(*model->dynamics, seed + 200);
  ShakeWeights(*model->reward, seed + 300);
  ShakeWeights(*model->error, seed + 400);
  return model;
}

inline DenoiserCondition RandomCondition(const ModelConfig& config, int64_t batch, uint64_t seed) {
  Normals normal(seed);
  const auto& d = config.dynamics;
  DenoiserCondition condition;
  condition.context = normal({batch, d.context_frames + (d.remember_reset ? 1 : 0), config.tokens(),
                              config.tokenizer.latent_dim}) *
                      0.5;
  condition.velocity = normal({batch, config.tokens(), config.tokenizer.latent_dim});
  condition.actions = normal({batch, d.action_history, config.action_dim});
  condition.centres = normal({batch, config.tokens(), 3}) * 0.3;
  return condition;
}

}  // namespace gwm::testing

#endif  // GWM_TESTS_ENGINE_MODEL_MODEL_BUILDERS_H_
