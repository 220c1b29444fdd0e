#include "engine/model/dit.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "engine/model/fused.h"

namespace gwm {
namespace {
constexpr int64_t kNoiseFeatures = 64;
constexpr int64_t kFourierBands = 6;

// A cache of what `map` makes of each field of the caches, a vector of tensors at a time.
ConditionCache Mapped(const std::vector<ConditionCache>& caches, const auto& map) {
  const auto of = [&](const auto& field) {
    std::vector<torch::Tensor> tensors;
    for (const ConditionCache& cache : caches) tensors.push_back(field(cache));
    return map(tensors);
  };
  ConditionCache out;
  out.rope = {of([](const auto& c) { return c.rope.cos; }),
              of([](const auto& c) { return c.rope.sin; })};
  for (size_t i = 0; i < caches.front().context_keys.size(); ++i) {
    out.context_keys.push_back(of([i](const auto& c) { return c.context_keys[i]; }));
    out.context_values.push_back(of([i](const auto& c) { return c.context_values[i]; }));
    out.action_keys.push_back(of([i](const auto& c) { return c.action_keys[i]; }));
    out.action_values.push_back(of([i](const auto& c) { return c.action_values[i]; }));
  }
  out.action_bias = of([](const auto& c) { return c.action_bias; });
  out.pooled_action = of([](const auto& c) { return c.pooled_action; });
  out.current = of([](const auto& c) { return c.current; });
  out.velocity = of([](const auto& c) { return c.velocity; });
  out.position = of([](const auto& c) { return c.position; });
  return out;
}
}  // namespace

ConditionCache RowOf(const ConditionCache& cache, int64_t b) {
  return Mapped({cache}, [b](const auto& tensors) { return tensors.front().narrow(0, b, 1); });
}

ConditionCache CatRows(const std::vector<ConditionCache>& rows) {
  return Mapped(rows, [](const auto& tensors) { return torch::cat(tensors); });
}

DitBlockImpl::DitBlockImpl(const DynamicsConfig& config) : heads_(config.heads) {
  const int64_t d = config.width;
  const int64_t head_dim = d / heads_;
  qkv_ = register_module("qkv", RowLinear(d, 3 * d, /*bias=*/false));
  out_ = register_module("out", RowLinear(d, d));
  context_kv_ = register_module("context_kv", RowLinear(d, 2 * d, /*bias=*/false));
  cross_q_ = register_module("cross_q", RowLinear(d, d, /*bias=*/false));
  cross_kv_ = register_module("cross_kv", RowLinear(d, 2 * d, /*bias=*/false));
  cross_out_ = register_module("cross_out", RowLinear(d, d));
  modulation_ = register_module("modulation", RowLinear(d, 6 * d));
  norm1_ = register_module("norm1", RmsNormLayer(d));
  norm2_ = register_module("norm2", RmsNormLayer(d));
  norm3_ = register_module("norm3", RmsNormLayer(d));
  q_norm_ = register_module("q_norm", RmsNormLayer(head_dim));
  k_norm_ = register_module("k_norm", RmsNormLayer(head_dim));
  context_k_norm_ = register_module("context_k_norm", RmsNormLayer(head_dim));
  mlp_ = register_module("mlp", Mlp(d, config.mlp_ratio * d, d));
}

void DitBlockImpl::FillCache(const torch::Tensor& context_tokens, const Rope& rope,
                             const torch::Tensor& action_tokens, ConditionCache& cache) {
  auto context = context_kv_(context_tokens).chunk(2, -1);
  cache.context_keys.push_back(RotatedHeads(context[0], heads_, context_k_norm_->weight, rope));
  cache.context_values.push_back(SplitHeads(context[1], heads_));
  auto action = cross_kv_(action_tokens).chunk(2, -1);
  cache.action_keys.push_back(SplitHeads(action[0], heads_));
  cache.action_values.push_back(SplitHeads(action[1], heads_));
}

torch::Tensor DitBlockImpl::SelfAttend(const torch::Tensor& x, const ConditionCache& cache,
                                       size_t block) {
  auto qkv = qkv_(x).chunk(3, -1);
  auto q = RotatedHeads(qkv[0], heads_, q_norm_->weight, cache.rope);
  auto k = RotatedHeads(qkv[1], heads_, k_norm_->weight, cache.rope);
  auto keys = torch::cat({k, cache.context_keys[block]}, 2);
  auto values = torch::cat({SplitHeads(qkv[2], heads_), cache.context_values[block]}, 2);
  return out_(MergeHeads(Attention(q, keys, values)));
}

torch::Tensor DitBlockImpl::CrossAttend(const torch::Tensor& x, const ConditionCache& cache,
                                        size_t block) {
  auto q = SplitHeads(cross_q_(x), heads_);
  const auto& keys = cache.action_keys[block];
  auto logits =
      torch::matmul(q, keys.transpose(-1, -2)) / std::sqrt(static_cast<double>(q.size(-1)));
  auto weights = torch::softmax(logits + cache.action_bias, -1);
  return cross_out_(MergeHeads(torch::matmul(weights, cache.action_values[block])));
}

torch::Tensor DitBlockImpl::forward(const torch::Tensor& x, const torch::Tensor& modulation_input,
                                    const ConditionCache& cache, size_t block) {
  auto m = modulation_(modulation_input).chunk(6, -1);
  auto self = SelfAttend(NormModulated(x, norm1_->weight, {m[0], m[1]}), cache, block);
  auto attended = AddAndNorm(x, self, m[2], norm2_->weight);
  auto cross = CrossAttend(attended.normed, cache, block);
  auto crossed = AddAndNorm(attended.sum, cross, {}, norm3_->weight, {m[3], m[4]});
  return torch::addcmul(crossed.sum, m[5].unsqueeze(1), mlp_(crossed.normed));
}

Dit::Dit(const ModelConfig& config) : config_(config) {
  const auto& dynamics = config.dynamics;
  const int64_t d = dynamics.width;
  const int64_t latent = config.tokenizer.latent_dim;
  const int64_t frames = dynamics.context_frames + (dynamics.remember_reset ? 1 : 0);
  input_ = register_module("input", RowLinear(3 * latent, d));
  context_input_ = register_module("context_input", RowLinear(latent, d));
  position_ = register_module("position", RowLinear(6 * kFourierBands + 3, d));
  noise_embed_ = register_module("noise_embed", Mlp(kNoiseFeatures, d, d));
  action_embed_ = register_module("action_embed", Mlp(config.action_dim, d, d));
  frame_embed_ = register_parameter("frame_embed", torch::zeros({frames, d}));
  action_place_ = register_parameter("action_place", torch::zeros({dynamics.action_history, d}));
  null_action_ = register_parameter("null_action", torch::zeros({1, d}));
  for (int64_t i = 0; i < dynamics.depth; ++i) {
    blocks_.push_back(register_module(absl::StrCat("block", i), DitBlock(dynamics)));
  }
  context_norm_ = register_module("context_norm", RmsNormLayer(d));
  final_norm_ = register_module("final_norm", RmsNormLayer(d));
  final_modulation_ = register_module("final_modulation", RowLinear(d, 2 * d));
  final_ = register_module("final", RowLinear(d, latent));
}

ConditionCache Dit::Prepare(const DenoiserCondition& condition) {
  const auto& dynamics = config_.dynamics;
  const int64_t batch = condition.context.size(0);
  const int64_t frames = condition.context.size(1);
  const int64_t tokens = condition.context.size(2);
  const int64_t head_dim = dynamics.width / dynamics.heads;
  ConditionCache cache;
  cache.current = condition.context.select(1, frames - 1);
  cache.velocity = condition.velocity;
  // One scale for all scenes: RoPE is relative, so the origin does not matter, only far backgrounds
  // must be pulled in.
  auto near = ContractPositions(condition.centres * 0.5);
  cache.rope = MakeRope(near * (2 * dynamics.rope_units_per_m), head_dim, dynamics.rope_base,
                        DealtAxes(head_dim, 3));
  cache.position = position_(FourierFeatures(near, kFourierBands));
  auto context =
      context_input_(condition.context) + frame_embed_.unsqueeze(1) + cache.position.unsqueeze(1);
  context = NormModulated(context.reshape({batch, frames * tokens, -1}), context_norm_->weight);
  auto actions = action_embed_(condition.actions) + action_place_;  // [B, K, D]
  auto mask = condition.action_mask.defined()
                  ? condition.action_mask
                  : torch::ones({batch}, condition.context.options().dtype(torch::kBool));
  auto shown = mask.unsqueeze(-1).to(actions.dtype());
  cache.pooled_action = actions.select(1, actions.size(1) - 1) * shown + null_action_ * (1 - shown);
  auto tokens_of_actions = torch::cat({actions, null_action_.expand({batch, 1, -1})}, 1);
  auto hidden = torch::zeros({batch, actions.size(1) + 1}, actions.options());
  hidden.narrow(1, 0, actions.size(1))
      .masked_fill_(mask.logical_not().unsqueeze(-1), -std::numeric_limits<float>::infinity());
  cache.action_bias = hidden.reshape({batch, 1, 1, -1});
  for (auto& block : blocks_) block->FillCache(context, cache.rope, tokens_of_actions, cache);
  return cache;
}

DitOutput Dit::forward(const torch::Tensor& scaled, const torch::Tensor& c_noise,
                       const ConditionCache& cache) {
  auto condition =
      noise_embed_(TimeFeatures(c_noise * 100.0, kNoiseFeatures)) + cache.pooled_action;
  auto modulation_input = torch::silu(condition);
  auto x = input_(torch::cat({scaled, cache.current, cache.velocity}, -1)) + cache.position;
  for (size_t i = 0; i < blocks_.size(); ++i) x = blocks_[i](x, modulation_input, cache, i);
  auto m = final_modulation_(modulation_input).chunk(2, -1);
  return {final_(NormModulated(x, final_norm_->weight, {m[0], m[1]})), x};
}

}  // namespace gwm
