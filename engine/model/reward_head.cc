#include "engine/model/reward_head.h"

namespace gwm {
namespace {
constexpr int64_t kBands = 4;
}

torch::Tensor Symlog(const torch::Tensor& x) { return x.sign() * torch::log1p(x.abs()); }
torch::Tensor Symexp(const torch::Tensor& x) { return x.sign() * torch::expm1(x.abs()); }

torch::Tensor TwoHot(const torch::Tensor& x, int64_t bins, double limit) {
  auto position =
      (Symlog(x).clamp(-limit, limit) + limit) * (static_cast<double>(bins - 1) / (2 * limit));
  auto low = position.floor().clamp(0, static_cast<double>(bins - 1));
  auto high_weight = (position - low).unsqueeze(-1);
  auto low_index = low.to(torch::kLong).unsqueeze(-1);
  auto high_index = (low_index + 1).clamp_max(bins - 1);
  auto shape = x.sizes().vec();
  shape.push_back(bins);
  return torch::zeros(shape, x.options())
      .scatter_add(-1, low_index, 1.0 - high_weight)
      .scatter_add(-1, high_index, high_weight);
}

torch::Tensor TwoHotValue(const torch::Tensor& logits, double limit) {
  auto centres = torch::linspace(-limit, limit, logits.size(-1), logits.options());
  return Symexp((torch::softmax(logits, -1) * centres).sum(-1));
}

RewardHead::RewardHead(const ModelConfig& config) : config_(config) {
  const int64_t d = config.reward.width;
  token_ = register_module("token", Mlp(2 * config.tokenizer.latent_dim, 2 * d, d));
  position_ = register_module("position", RowLinear(6 * kBands + 3, d));
  norm_ = register_module("norm", RmsNormLayer(d));
  int64_t pooled = config.tokens() * config.reward.token_values;
  if (pooled > 0) {
    values_ = register_module("values", RowLinear(d, config.reward.token_values));
  } else {
    key_value_ = register_module("key_value", RowLinear(d, 2 * d));
    queries_ = register_parameter("queries", torch::zeros({config.reward.queries, d}));
    pooled = config.reward.queries * d;
  }
  trunk_ = register_module("trunk", Mlp(pooled + config.action_dim, 2 * d, d));
  reward_ = register_module("reward", RowLinear(d, config.reward.bins));
  flags_ = register_module("flags", RowLinear(d, 2));
}

torch::Tensor RewardHead::Pool(const torch::Tensor& tokens) {
  if (config_.reward.token_values > 0) return values_(tokens).flatten(1);
  auto kv = key_value_(tokens).chunk(2, -1);
  auto logits =
      torch::matmul(queries_.unsqueeze(0).expand({tokens.size(0), -1, -1}), kv[0].transpose(1, 2)) /
      std::sqrt(static_cast<double>(queries_.size(1)));
  return torch::matmul(torch::softmax(logits, -1), kv[1]).flatten(1);
}

RewardOutput RewardHead::forward(const torch::Tensor& before, const torch::Tensor& after,
                                 const torch::Tensor& centres, const torch::Tensor& action) {
  auto where = position_(FourierFeatures(ContractPositions(centres * 0.5), kBands));
  auto tokens = norm_(token_(torch::cat({before, after}, -1)) + where);
  auto h = torch::gelu(trunk_(torch::cat({Pool(tokens), action}, -1)));
  auto flags = flags_(h);
  return {reward_(h), flags.select(-1, 0), flags.select(-1, 1)};
}

}  // namespace gwm
