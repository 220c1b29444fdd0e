#include "engine/model/released/set_vae.h"

#include <numbers>

namespace gwm::released {
namespace {

namespace nn = torch::nn;

nn::Linear BiasFree(int64_t inputs, int64_t outputs) {
  return nn::Linear(nn::LinearOptions(inputs, outputs).bias(false));
}

// Row i holds pi 2^k in its own third of the columns: [3, bands].
torch::Tensor AxisFrequencies(int64_t bands) {
  const int64_t per_axis = bands / 3;
  const torch::Tensor frequencies =
      torch::pow(2.0, torch::arange(per_axis, torch::kFloat32)) * std::numbers::pi;
  torch::Tensor basis = torch::zeros({3, bands});
  for (int64_t axis = 0; axis < 3; ++axis) {
    basis[axis].narrow(0, axis * per_axis, per_axis).copy_(frequencies);
  }
  return basis;
}

}  // namespace

PointEmbedImpl::PointEmbedImpl(const SetVaeOptions& options) {
  TORCH_CHECK_VALUE(options.embed_bands % 6 == 0, "point embedding: ", options.embed_bands,
                    " features do not divide into sine and cosine of three axes");
  basis = register_buffer("basis", AxisFrequencies(options.embed_bands / 2));
  mlp = register_module("mlp", nn::Linear(options.embed_bands + options.point_dim, options.dim));
}

torch::Tensor PointEmbedImpl::forward(const torch::Tensor& points) {
  const torch::Tensor phase = torch::matmul(points.narrow(-1, 0, 3), basis);
  return mlp->forward(torch::cat({phase.sin(), phase.cos(), points}, -1));
}

SetAttentionImpl::SetAttentionImpl(int64_t query_dim, int64_t context_dim, int64_t head_count,
                                   int64_t dim_head)
    : heads(head_count) {
  to_q = register_module("to_q", BiasFree(query_dim, heads * dim_head));
  to_kv = register_module("to_kv", BiasFree(context_dim, 2 * heads * dim_head));
  to_out = register_module("to_out", nn::Linear(heads * dim_head, query_dim));
}

torch::Tensor SetAttentionImpl::forward(const torch::Tensor& x, const torch::Tensor& context) {
  auto split_heads = [this](const torch::Tensor& t) {
    return t.view({t.size(0), t.size(1), heads, -1}).transpose(1, 2);
  };
  const std::vector<torch::Tensor> kv = to_kv->forward(context).chunk(2, -1);
  const torch::Tensor mixed = torch::scaled_dot_product_attention(split_heads(to_q->forward(x)),
                                                                  split_heads(kv[0].contiguous()),
                                                                  split_heads(kv[1].contiguous()));
  return to_out->forward(mixed.transpose(1, 2).flatten(2));
}

GegluFeedForwardImpl::GegluFeedForwardImpl(int64_t dim) {
  // The gate sits between the two, under the public code's index 1.
  net = register_module(
      "net", nn::Sequential(nn::Linear(dim, 8 * dim), nn::Identity(), nn::Linear(4 * dim, dim)));
}

torch::Tensor GegluFeedForwardImpl::forward(const torch::Tensor& x) {
  const std::vector<torch::Tensor> halves = net->at<nn::LinearImpl>(0).forward(x).chunk(2, -1);
  return net->at<nn::LinearImpl>(2).forward(halves[0] * torch::gelu(halves[1]));
}

PreNormAttentionImpl::PreNormAttentionImpl(int64_t query_dim, int64_t context_dim, int64_t heads,
                                           int64_t dim_head) {
  const int64_t source_dim = context_dim > 0 ? context_dim : query_dim;
  fn = register_module("fn", SetAttention(query_dim, source_dim, heads, dim_head));
  norm = register_module("norm", nn::LayerNorm(nn::LayerNormOptions({query_dim})));
  if (context_dim > 0) {
    norm_context =
        register_module("norm_context", nn::LayerNorm(nn::LayerNormOptions({context_dim})));
  }
}

torch::Tensor PreNormAttentionImpl::forward(const torch::Tensor& x, const torch::Tensor& context) {
  const torch::Tensor normed = norm->forward(x);
  return fn->forward(normed, norm_context.is_empty() ? normed : norm_context->forward(context));
}

PreNormFeedForwardImpl::PreNormFeedForwardImpl(int64_t dim) {
  fn = register_module("fn", GegluFeedForward(dim));
  norm = register_module("norm", nn::LayerNorm(nn::LayerNormOptions({dim})));
}

torch::Tensor PreNormFeedForwardImpl::forward(const torch::Tensor& x) {
  return fn->forward(norm->forward(x));
}

SetVaeImpl::SetVaeImpl(const SetVaeOptions& vae_options) : options(vae_options) {
  TORCH_CHECK_VALUE(options.queries_dim == options.dim, "set VAE: queries_dim ",
                    options.queries_dim, " differs from dim ", options.dim);
  const int64_t dim = options.dim;
  point_embed = register_module("point_embed", PointEmbed(options));
  cross_attend_blocks->push_back(PreNormAttention(dim, dim, 1, dim));
  cross_attend_blocks->push_back(PreNormFeedForward(dim));
  register_module("cross_attend_blocks", cross_attend_blocks);
  for (int64_t i = 0; i < options.depth; ++i) {
    nn::ModuleList layer;
    layer->push_back(PreNormAttention(dim, 0, options.heads, options.dim_head));
    layer->push_back(PreNormFeedForward(dim));
    layers->push_back(layer);
  }
  register_module("layers", layers);
  decoder_cross_attn = register_module("decoder_cross_attn", PreNormAttention(dim, dim, 1, dim));
  if (options.decoder_ff) decoder_ff = register_module("decoder_ff", PreNormFeedForward(dim));
  to_outputs = register_module("to_outputs", nn::Linear(dim, options.output_dim));
  if (options.bottleneck == Bottleneck::kGaussian) {
    mean_fc = register_module("mean_fc", nn::Linear(dim, options.latent_dim));
    logvar_fc = register_module("logvar_fc", nn::Linear(dim, options.latent_dim));
    proj = register_module("proj", nn::Linear(options.latent_dim, dim));
  }
}

SetLatent SetVaeImpl::Encode(const torch::Tensor& points, const torch::Tensor& indices,
                             const torch::Tensor& eps) {
  const torch::Tensor rows = indices.unsqueeze(-1).expand({-1, -1, points.size(2)});
  const torch::Tensor sampled = point_embed->forward(points.gather(1, rows));
  const torch::Tensor all = point_embed->forward(points);
  torch::Tensor x = sampled + cross_attend_blocks[0]->as<PreNormAttention>()->forward(sampled, all);
  x = x + cross_attend_blocks[1]->as<PreNormFeedForward>()->forward(x);
  SetLatent latent;
  latent.z = x;
  if (options.bottleneck == Bottleneck::kNone) return latent;
  latent.mean = mean_fc->forward(x);
  latent.logvar = logvar_fc->forward(x);
  const torch::Tensor clamped = latent.logvar.clamp(-30, 20);
  latent.kl = 0.5 * (latent.mean.square() + clamped.exp() - 1 - clamped).mean({1, 2});
  latent.z = eps.defined() ? latent.mean + (clamped / 2).exp() * eps : latent.mean;
  return latent;
}

SetDecoded SetVaeImpl::Decode(const torch::Tensor& z, const torch::Tensor& queries) {
  torch::Tensor x = proj.is_empty() ? z : proj->forward(z);
  SetDecoded decoded;
  for (const auto& layer : *layers) {
    auto& pair = *layer->as<nn::ModuleList>();
    x = x + pair[0]->as<PreNormAttention>()->forward(x);
    x = x + pair[1]->as<PreNormFeedForward>()->forward(x);
    decoded.layers.push_back(x);
  }
  if (queries.defined()) {
    decoded.query_embedding = point_embed->forward(queries);
    // No residual here: the public decoder drops the query's own embedding.
    x = decoder_cross_attn->forward(decoded.query_embedding, x);
  }
  if (!decoder_ff.is_empty()) x = x + decoder_ff->forward(x);
  decoded.output = to_outputs->forward(x);
  return decoded;
}

}  // namespace gwm::released
