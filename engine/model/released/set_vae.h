// The released set autoencoder over Gaussians (3DShape2VecSet family): M sampled points attend to
// all N, self-attention refines the M latents, and a cross-attention from query points (or, without
// queries, the latents themselves) gives the output channels. The first three columns of a point
// are its position. Module names equal those of the public state_dict.
#ifndef GWM_ENGINE_MODEL_RELEASED_SET_VAE_H_
#define GWM_ENGINE_MODEL_RELEASED_SET_VAE_H_

#include <torch/torch.h>

#include <vector>

namespace gwm::released {

enum class Bottleneck { kNone, kGaussian };

// The defaults are the released training configuration (812,686 parameters; 825,166 with the
// Gaussian bottleneck).
struct SetVaeOptions {
  int64_t depth = 4;
  int64_t dim = 64;
  int64_t queries_dim = 64;  // equal to dim: queries and points share one embedding
  int64_t point_dim = 14;    // columns of a point, positions first
  int64_t output_dim = 14;
  int64_t heads = 8;
  int64_t dim_head = 64;
  int64_t embed_bands = 48;  // sine and cosine features: 2 * 3 axes * 8 frequencies
  Bottleneck bottleneck = Bottleneck::kNone;
  int64_t latent_dim = 64;
  bool decoder_ff = false;  // a feed-forward after the decoder's cross-attention
};

// Linear([sin(24) | cos(24) | raw point]); phases pi 2^k p grouped by axis.
struct PointEmbedImpl : torch::nn::Module {
  explicit PointEmbedImpl(const SetVaeOptions& options);
  // points: [B, N, P]. Returns [B, N, D].
  torch::Tensor forward(const torch::Tensor& points);

  torch::Tensor basis;  // [3, embed_bands / 2], a buffer
  torch::nn::Linear mlp{nullptr};
};
TORCH_MODULE(PointEmbed);

// Multi-head attention without biases on q, k, v; to_kv rows ordered k, v.
struct SetAttentionImpl : torch::nn::Module {
  SetAttentionImpl(int64_t query_dim, int64_t context_dim, int64_t heads, int64_t dim_head);
  // x: [B, M, query_dim], context: [B, N, context_dim]. Returns [B, M, query_dim].
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& context);

  int64_t heads;
  torch::nn::Linear to_q{nullptr}, to_kv{nullptr}, to_out{nullptr};
};
TORCH_MODULE(SetAttention);

// Linear to 8 D, halves a * gelu(b) with the exact GELU, Linear to D.
struct GegluFeedForwardImpl : torch::nn::Module {
  explicit GegluFeedForwardImpl(int64_t dim);
  torch::Tensor forward(const torch::Tensor& x);

  torch::nn::Sequential net{nullptr};
};
TORCH_MODULE(GegluFeedForward);

// SetAttention with LayerNorm on the input, and on the context where there is one (self-attention
// without).
struct PreNormAttentionImpl : torch::nn::Module {
  // context_dim 0: self-attention.
  PreNormAttentionImpl(int64_t query_dim, int64_t context_dim, int64_t heads, int64_t dim_head);
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& context = {});

  SetAttention fn{nullptr};
  torch::nn::LayerNorm norm{nullptr}, norm_context{nullptr};
};
TORCH_MODULE(PreNormAttention);

struct PreNormFeedForwardImpl : torch::nn::Module {
  explicit PreNormFeedForwardImpl(int64_t dim);
  torch::Tensor forward(const torch::Tensor& x);

  GegluFeedForward fn{nullptr};
  torch::nn::LayerNorm norm{nullptr};
};
TORCH_MODULE(PreNormFeedForward);

struct SetLatent {
  torch::Tensor z;       // [B, M, dim], or [B, M, latent_dim] with the Gaussian bottleneck
  torch::Tensor mean;    // [B, M, latent_dim]; undefined without bottleneck, as are the next two
  torch::Tensor logvar;  // [B, M, latent_dim], before clamping to [-30, 20]
  torch::Tensor kl;      // [B]: 0.5 * mean over tokens and channels of mean^2 + var - 1 - logvar
};

struct SetDecoded {
  torch::Tensor output;               // [B, Q, output_dim]; Q = M without queries
  std::vector<torch::Tensor> layers;  // [B, M, dim] after each self-attention layer
  torch::Tensor query_embedding;      // [B, Q, queries_dim]; undefined without queries
};

struct SetVaeImpl : torch::nn::Module {
  explicit SetVaeImpl(const SetVaeOptions& options);

  // points: [B, N, P]; indices: [B, M] i64, the sampled subset; eps: [B, M, latent_dim] standard
  // normal draws, undefined for z = mean.
  SetLatent Encode(const torch::Tensor& points, const torch::Tensor& indices,
                   const torch::Tensor& eps = {});
  // queries: [B, Q, P]; undefined: one output per latent.
  SetDecoded Decode(const torch::Tensor& z, const torch::Tensor& queries = {});

  SetVaeOptions options;
  PointEmbed point_embed{nullptr};
  torch::nn::ModuleList cross_attend_blocks;
  torch::nn::ModuleList layers;
  PreNormAttention decoder_cross_attn{nullptr};
  PreNormFeedForward decoder_ff{nullptr};
  torch::nn::Linear to_outputs{nullptr};
  torch::nn::Linear mean_fc{nullptr}, logvar_fc{nullptr}, proj{nullptr};
};
TORCH_MODULE(SetVae);

}  // namespace gwm::released

#endif  // GWM_ENGINE_MODEL_RELEASED_SET_VAE_H_
