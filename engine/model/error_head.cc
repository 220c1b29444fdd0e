#include "engine/model/error_head.h"

namespace gwm {
namespace {
constexpr int64_t kBands = 4;
}

ErrorHead::ErrorHead(const ModelConfig& config) : sigma_data_(config.diffusion.sigma_data) {
  const int64_t d = config.error_head.width;
  const int64_t inputs = 3 * config.tokenizer.latent_dim + 6 * kBands + 3 + 1;
  token_ = register_module("token", Mlp(inputs, 2 * d, d));
  norm_ = register_module("norm", RmsNormLayer(d));
  trunk_ = register_module("trunk", Mlp(2 * d, d, 1));
}

torch::Tensor ErrorHead::forward(const torch::Tensor& reset, const torch::Tensor& before,
                                 const torch::Tensor& after, const torch::Tensor& centres,
                                 const torch::Tensor& age) {
  const auto where = FourierFeatures(ContractPositions(centres * 0.5), kBands);
  const auto log_age =
      age.to(after.dtype()).log().reshape({-1, 1, 1}).expand({-1, after.size(1), -1});
  const double unit = 1.0 / sigma_data_;
  auto x = norm_(token_(torch::cat(
      {reset * unit, (after - before) * unit, (after - reset) * unit, where, log_age}, -1)));
  x = torch::cat({x, x.mean(1, /*keepdim=*/true).expand_as(x)}, -1);
  return trunk_(x).squeeze(-1);
}

}  // namespace gwm
