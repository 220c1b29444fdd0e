// The released diffusion transformer: DiT with adaLN-Zero on a dense grid of patches.
//
//   tokens = patches(cat(context, noisy)) + table
//   c      = E_t(c_noise) + E_ctx(c_noise_ctx) + E_a(action)
//   block  : x += g1 * Attn(LN(x) (1 + s1) + b1);  x += g2 * Mlp(LN(x) (1 + s2) + b2)
//   output = Linear(LN(x) (1 + s) + b) per token, laid out (row in patch, column in patch, channel)
//
// Module names equal those of the public state_dict, so its weights load by name.
#ifndef GWM_ENGINE_MODEL_RELEASED_DIT_H_
#define GWM_ENGINE_MODEL_RELEASED_DIT_H_

#include <torch/torch.h>

#include <map>
#include <string>

namespace gwm::released {

// The defaults are the released dense model: 33,205,088 trainable parameters, 33,598,304 with the
// frozen table.
struct DitOptions {
  int64_t input_size = 128;    // pixels per side of the square grid
  int64_t patch_size = 4;      // divides input_size
  int64_t in_channels = 42;    // channels of one frame * (context frames + 1)
  int64_t context_length = 2;  // context frames
  int64_t hidden_size = 384;   // multiple of 4 and of num_heads
  int64_t depth = 12;
  int64_t num_heads = 6;
  double mlp_ratio = 4.0;
  int64_t action_dim = 10;
  bool learn_sigma = false;  // doubles the output channels
  int64_t frequency_embedding_size = 256;
  double norm_eps = 1e-6;

  int64_t frame_channels() const { return in_channels / (context_length + 1); }
  int64_t out_channels() const { return frame_channels() * (learn_sigma ? 2 : 1); }
};

// Intermediate values by name: t_emb, t_emb_cond, act_emb, cond [B, D]; patch, block<i>,
// block<i>.attn, block<i>.mlp [B, N, D]; final_tokens [B, N, patch * patch * out_channels].
using Trace = std::map<std::string, torch::Tensor>;

// A scalar condition -> width: Linear, SiLU, Linear on TimeFeatures.
struct TimeEmbedderImpl : torch::nn::Module {
  TimeEmbedderImpl(int64_t hidden_size, int64_t frequencies);
  // t: [B]. Returns [B, D].
  torch::Tensor forward(const torch::Tensor& t);

  int64_t frequencies;
  torch::nn::Sequential mlp{nullptr};
};
TORCH_MODULE(TimeEmbedder);

// One action -> width: Linear, SiLU, Linear.
struct ActionEmbedderImpl : torch::nn::Module {
  ActionEmbedderImpl(int64_t action_dim, int64_t hidden_size);
  // action: [..., A]. Returns [..., D].
  torch::Tensor forward(const torch::Tensor& action);

  torch::nn::Sequential mlp{nullptr};
};
TORCH_MODULE(ActionEmbedder);

// Multi-head self-attention; qkv rows ordered q, k, v, head-major.
struct DitAttentionImpl : torch::nn::Module {
  DitAttentionImpl(int64_t hidden_size, int64_t num_heads);
  // x: [B, N, D]. Returns [B, N, D].
  torch::Tensor forward(const torch::Tensor& x);

  int64_t num_heads;
  torch::nn::Linear qkv{nullptr}, proj{nullptr};
};
TORCH_MODULE(DitAttention);

// Linear, tanh-GELU, Linear.
struct DitMlpImpl : torch::nn::Module {
  DitMlpImpl(int64_t hidden_size, int64_t inner_size);
  torch::Tensor forward(const torch::Tensor& x);

  torch::nn::Linear fc1{nullptr}, fc2{nullptr};
};
TORCH_MODULE(DitMlp);

struct DitBlockImpl : torch::nn::Module {
  explicit DitBlockImpl(const DitOptions& options);
  // x: [B, N, D], condition: [B, D]. Writes "<name>.attn" and "<name>.mlp" into `trace` when it is
  // not null.
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& condition, Trace* trace,
                        const std::string& name);

  int64_t hidden_size;
  double norm_eps;
  DitAttention attn{nullptr};
  DitMlp mlp{nullptr};
  torch::nn::Sequential adaLN_modulation{nullptr};
};
TORCH_MODULE(DitBlock);

struct DitFinalLayerImpl : torch::nn::Module {
  explicit DitFinalLayerImpl(const DitOptions& options);
  // x: [B, N, D], condition: [B, D]. Returns [B, N, patch * patch * out_channels].
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& condition);

  int64_t hidden_size;
  double norm_eps;
  torch::nn::Linear linear{nullptr};
  torch::nn::Sequential adaLN_modulation{nullptr};
};
TORCH_MODULE(DitFinalLayer);

// A convolution whose stride is its kernel: one token per patch.
struct PatchEmbedImpl : torch::nn::Module {
  PatchEmbedImpl(int64_t channels, int64_t hidden_size, int64_t patch_size);
  // image: [B, C, H, W]. Returns [B, N, D], tokens row-major.
  torch::Tensor forward(const torch::Tensor& image);

  torch::nn::Conv2d proj{nullptr};
};
TORCH_MODULE(PatchEmbed);

struct DitImpl : torch::nn::Module {
  // Throws c10::Error when the options contradict each other. Weights: Xavier-uniform linears with
  // zero biases, time embedders normal(0.02), modulations and the last projection zero.
  explicit DitImpl(const DitOptions& options);

  // noisy: [B, C, H, W]; context: [B, T * C, H, W]; c_noise, c_noise_context: [B]; action: [B, A]
  // or [B, 1, A], undefined for none. Returns [B, out_channels, H, W]. Fills `trace` when it is not
  // null.
  torch::Tensor forward(const torch::Tensor& noisy, const torch::Tensor& c_noise,
                        const torch::Tensor& c_noise_context, const torch::Tensor& context,
                        const torch::Tensor& action, Trace* trace = nullptr);

  DitOptions options;
  PatchEmbed x_embedder{nullptr};
  TimeEmbedder t_embedder{nullptr}, t_embedder_cond{nullptr};
  ActionEmbedder a_embedder{nullptr};
  torch::nn::ModuleList blocks;
  DitFinalLayer final_layer{nullptr};
  torch::Tensor pos_embed;  // [1, N, D], frozen

 private:
  void InitialiseWeights();
  // tokens: [B, N, patch * patch * out_channels]. Returns [B, out_channels, H, W].
  torch::Tensor Unpatchify(const torch::Tensor& tokens) const;
};
TORCH_MODULE(Dit);

}  // namespace gwm::released

#endif  // GWM_ENGINE_MODEL_RELEASED_DIT_H_
