#include "clients/policies/bc_transformer.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace gwm::policies {
namespace {

constexpr InitialWeights kInitial = InitialWeights::kSmallNormal;

}  // namespace

SelfAttentionBlockImpl::SelfAttentionBlockImpl(int64_t width, int64_t heads)
    : heads_(heads),
      in_(width, 3 * width, kInitial, /*with_bias=*/false),
      out_(width, width, kInitial),
      wide_(width, 4 * width, kInitial),
      narrow_(4 * width, width, kInitial),
      norm_attention_(width),
      norm_mlp_(width) {
  RegisterGroup(*this, "attention", {{"qkv", in_.ptr()}, {"output", out_.ptr()}});
  RegisterGroup(*this, "mlp", {{"0", wide_.ptr()}, {"2", narrow_.ptr()}});
  register_module("ln1", norm_attention_);
  register_module("ln2", norm_mlp_);
}

torch::Tensor SelfAttentionBlockImpl::forward(const torch::Tensor& x) {
  const std::vector<torch::Tensor> parts = in_(norm_attention_(x)).chunk(3, -1);
  const torch::Tensor out = x + out_(Attend(parts[0], parts[1], parts[2], heads_, {}));
  return out + narrow_(torch::gelu(wide_(norm_mlp_(out))));
}

BcTransformerImpl::BcTransformerImpl(const ChunkSpec& spec, int64_t out,
                                     const BcTransformerShape& shape)
    : horizon_(spec.horizon),
      observation_in_(spec.observation_dim, shape.width, kInitial),
      norm_in_(shape.width),
      norm_out_(shape.width),
      head_(shape.width, out) {
  position_ = register_parameter(
      "embed_timestep",
      torch::zeros({1, std::max(spec.observation_steps, spec.horizon), shape.width}));
  register_module("embed_encoder", observation_in_);
  register_module("embed_ln", norm_in_);
  NamedChildren children;
  for (int64_t i = 0; i < shape.layers; ++i) {
    blocks_.emplace_back(shape.width, shape.heads);
    children.emplace_back(absl::StrCat(i), blocks_.back().ptr());
  }
  RegisterGroup(*this, "transformer", children);
  register_module("output_ln", norm_out_);
  register_module("decoder", head_);
}

torch::Tensor BcTransformerImpl::forward(const torch::Tensor& observation) {
  const torch::Tensor embedded = observation_in_(observation);
  const int64_t empty = position_.size(1) - embedded.size(1);
  const torch::Tensor tokens =
      torch::cat({embedded, embedded.new_zeros({embedded.size(0), empty, embedded.size(2)})}, 1);
  torch::Tensor x = norm_in_(tokens + position_);
  for (SelfAttentionBlock& block : blocks_) x = block(x);
  return head_(norm_out_(x.narrow(1, 0, horizon_)));
}

void BcTransformerImpl::Draw(const CounterRandom& random, uint64_t number) {
  FillSmallNormal(position_, random, 2 * number);
}

}  // namespace gwm::policies
