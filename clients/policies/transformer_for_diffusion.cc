#include "clients/policies/transformer_for_diffusion.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "clients/policies/time_embedding.h"

namespace gwm::policies {
namespace {

constexpr InitialWeights kInitial = InitialWeights::kSmallNormal;

// [rows, columns]: 0 where column <= row + shift, -inf elsewhere.
torch::Tensor CausalMask(int64_t rows, int64_t columns, int64_t shift) {
  const torch::Tensor row = torch::arange(rows).unsqueeze(1);
  const torch::Tensor column = torch::arange(columns).unsqueeze(0);
  return torch::zeros({rows, columns})
      .masked_fill(column > row + shift, -std::numeric_limits<double>::infinity());
}

}  // namespace

DecoderLayerImpl::DecoderLayerImpl(int64_t width, int64_t heads)
    : self_attention_(width, heads),
      cross_attention_(width, heads),
      wide_(width, 4 * width, kInitial),
      narrow_(4 * width, width, kInitial),
      norm_self_(width),
      norm_cross_(width),
      norm_mlp_(width) {
  register_module("self_attn", self_attention_);
  register_module("multihead_attn", cross_attention_);
  register_module("linear1", wide_);
  register_module("linear2", narrow_);
  register_module("norm1", norm_self_);
  register_module("norm2", norm_cross_);
  register_module("norm3", norm_mlp_);
}

torch::Tensor DecoderLayerImpl::forward(const torch::Tensor& x, const torch::Tensor& memory,
                                        const torch::Tensor& mask,
                                        const torch::Tensor& memory_mask) {
  const torch::Tensor own = norm_self_(x);
  torch::Tensor out = x + self_attention_(own, own, mask);
  out = out + cross_attention_(norm_cross_(out), memory, memory_mask);
  return out + narrow_(torch::gelu(wide_(norm_mlp_(out))));
}

TransformerForDiffusionImpl::TransformerForDiffusionImpl(int64_t sample_width, int64_t horizon,
                                                         int64_t observation_width,
                                                         int64_t observation_steps,
                                                         const TransformerOptions& options)
    : sample_in_(sample_width, options.width, kInitial),
      observation_in_(observation_width, options.width, kInitial),
      condition_wide_(options.width, 4 * options.width, kInitial),
      condition_narrow_(4 * options.width, options.width, kInitial),
      norm_(options.width),
      head_(options.width, sample_width, kInitial) {
  position_ = register_parameter("pos_emb", torch::zeros({1, horizon, options.width}));
  condition_position_ =
      register_parameter("cond_pos_emb", torch::zeros({1, 1 + observation_steps, options.width}));
  register_module("input_emb", sample_in_);
  register_module("cond_obs_emb", observation_in_);
  RegisterGroup(*this, "encoder", {{"0", condition_wide_.ptr()}, {"2", condition_narrow_.ptr()}});
  NamedChildren children;
  for (int64_t i = 0; i < options.layers; ++i) {
    layers_.emplace_back(options.width, options.heads);
    children.emplace_back(absl::StrCat(i), layers_.back().ptr());
  }
  const auto decoder = register_module("decoder", std::make_shared<torch::nn::Module>());
  RegisterGroup(*decoder, "layers", children);
  register_module("ln_f", norm_);
  register_module("head", head_);
  if (!options.causal) return;
  mask_ = register_buffer("mask", CausalMask(horizon, horizon, 0));
  // The first condition is the time: one column more.
  memory_mask_ =
      register_buffer("memory_mask", CausalMask(horizon, 1 + observation_steps, /*shift=*/1));
}

torch::Tensor TransformerForDiffusionImpl::Predict(const torch::Tensor& sample,
                                                   const torch::Tensor& time,
                                                   const torch::Tensor& observation) {
  const int64_t width = position_.size(2);
  torch::Tensor memory =
      torch::cat({EmbedTime(time, width).unsqueeze(1), observation_in_(observation)}, 1) +
      condition_position_;
  memory = condition_narrow_(torch::mish(condition_wide_(memory)));
  torch::Tensor x = sample_in_(sample) + position_;
  for (DecoderLayer& layer : layers_) x = layer(x, memory, mask_, memory_mask_);
  return head_(norm_(x));
}

void TransformerForDiffusionImpl::Draw(const CounterRandom& random, uint64_t number) {
  FillSmallNormal(position_, random, 2 * number);
  FillSmallNormal(condition_position_, random, 2 * number + 1);
}

}  // namespace gwm::policies
