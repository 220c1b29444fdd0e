// Draws of a training step from its own generator.
#ifndef GWM_ENGINE_TRAIN_RANDOM_H_
#define GWM_ENGINE_TRAIN_RANDOM_H_

#include <torch/torch.h>

namespace gwm {

// Uniform in [low, high).
inline int64_t DrawInt(int64_t low, int64_t high, torch::Generator& generator) {
  return torch::randint(low, high, {1}, generator, torch::kLong).item<int64_t>();
}
// Uniform in [0, 1).
inline double DrawUniform(torch::Generator& generator) {
  return torch::rand({1}, generator, torch::kDouble).item<double>();
}
// Standard normal, made on the CPU so that every device sees the same numbers.
inline torch::Tensor DrawNormal(at::IntArrayRef shape, torch::Generator& generator,
                                torch::Device device) {
  return torch::randn(shape, generator, torch::kFloat).to(device);
}

}  // namespace gwm

#endif  // GWM_ENGINE_TRAIN_RANDOM_H_
