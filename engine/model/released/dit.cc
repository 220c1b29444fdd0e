#include "engine/model/released/dit.h"

#include <utility>
#include <vector>

#include "engine/model/released/embeddings.h"

namespace gwm::released {
namespace {

namespace nn = torch::nn;

// LayerNorm without gain and bias over the last axis, then x * (1 + scale) + shift with one pair
// per row of the batch.
torch::Tensor NormModulate(const torch::Tensor& x, const torch::Tensor& shift,
                           const torch::Tensor& scale, double eps) {
  const torch::Tensor normed = torch::layer_norm(x, {x.size(-1)}, {}, {}, eps);
  return normed * (1 + scale.unsqueeze(1)) + shift.unsqueeze(1);
}

void Record(Trace* trace, const std::string& name, const torch::Tensor& value) {
  if (trace != nullptr) (*trace)[name] = value;
}

}  // namespace

TimeEmbedderImpl::TimeEmbedderImpl(int64_t hidden_size, int64_t frequency_count)
    : frequencies(frequency_count) {
  mlp = register_module("mlp", nn::Sequential(nn::Linear(frequencies, hidden_size), nn::SiLU(),
                                              nn::Linear(hidden_size, hidden_size)));
}

torch::Tensor TimeEmbedderImpl::forward(const torch::Tensor& t) {
  return mlp->forward(TimeFeatures(t, frequencies));
}

ActionEmbedderImpl::ActionEmbedderImpl(int64_t action_dim, int64_t hidden_size) {
  mlp = register_module("mlp", nn::Sequential(nn::Linear(action_dim, hidden_size), nn::SiLU(),
                                              nn::Linear(hidden_size, hidden_size)));
}

torch::Tensor ActionEmbedderImpl::forward(const torch::Tensor& action) {
  return mlp->forward(action);
}

DitAttentionImpl::DitAttentionImpl(int64_t hidden_size, int64_t heads) : num_heads(heads) {
  qkv = register_module("qkv", nn::Linear(hidden_size, 3 * hidden_size));
  proj = register_module("proj", nn::Linear(hidden_size, hidden_size));
}

torch::Tensor DitAttentionImpl::forward(const torch::Tensor& x) {
  const int64_t batch = x.size(0), tokens = x.size(1), width = x.size(2);
  // [3, B, heads, N, head_dim]
  const torch::Tensor split = qkv->forward(x)
                                  .view({batch, tokens, 3, num_heads, width / num_heads})
                                  .permute({2, 0, 3, 1, 4});
  const torch::Tensor mixed = torch::scaled_dot_product_attention(split[0], split[1], split[2]);
  return proj->forward(mixed.transpose(1, 2).reshape({batch, tokens, width}));
}

DitMlpImpl::DitMlpImpl(int64_t hidden_size, int64_t inner_size) {
  fc1 = register_module("fc1", nn::Linear(hidden_size, inner_size));
  fc2 = register_module("fc2", nn::Linear(inner_size, hidden_size));
}

torch::Tensor DitMlpImpl::forward(const torch::Tensor& x) {
  return fc2->forward(torch::gelu(fc1->forward(x), "tanh"));
}

DitBlockImpl::DitBlockImpl(const DitOptions& options)
    : hidden_size(options.hidden_size), norm_eps(options.norm_eps) {
  const auto inner_size = static_cast<int64_t>(hidden_size * options.mlp_ratio);
  attn = register_module("attn", DitAttention(hidden_size, options.num_heads));
  mlp = register_module("mlp", DitMlp(hidden_size, inner_size));
  adaLN_modulation = register_module(
      "adaLN_modulation", nn::Sequential(nn::SiLU(), nn::Linear(hidden_size, 6 * hidden_size)));
}

torch::Tensor DitBlockImpl::forward(const torch::Tensor& x, const torch::Tensor& condition,
                                    Trace* trace, const std::string& name) {
  // Order of the six: shift, scale, gate of the attention, then of the MLP.
  const std::vector<torch::Tensor> modulation = adaLN_modulation->forward(condition).chunk(6, 1);
  const torch::Tensor attended =
      attn->forward(NormModulate(x, modulation[0], modulation[1], norm_eps));
  const torch::Tensor middle = x + modulation[2].unsqueeze(1) * attended;
  const torch::Tensor mapped =
      mlp->forward(NormModulate(middle, modulation[3], modulation[4], norm_eps));
  Record(trace, name + ".attn", attended);
  Record(trace, name + ".mlp", mapped);
  return middle + modulation[5].unsqueeze(1) * mapped;
}

DitFinalLayerImpl::DitFinalLayerImpl(const DitOptions& options)
    : hidden_size(options.hidden_size), norm_eps(options.norm_eps) {
  const int64_t outputs = options.patch_size * options.patch_size * options.out_channels();
  linear = register_module("linear", nn::Linear(hidden_size, outputs));
  adaLN_modulation = register_module(
      "adaLN_modulation", nn::Sequential(nn::SiLU(), nn::Linear(hidden_size, 2 * hidden_size)));
}

torch::Tensor DitFinalLayerImpl::forward(const torch::Tensor& x, const torch::Tensor& condition) {
  const std::vector<torch::Tensor> modulation = adaLN_modulation->forward(condition).chunk(2, 1);
  return linear->forward(NormModulate(x, modulation[0], modulation[1], norm_eps));
}

PatchEmbedImpl::PatchEmbedImpl(int64_t channels, int64_t hidden_size, int64_t patch_size) {
  proj = register_module(
      "proj", nn::Conv2d(nn::Conv2dOptions(channels, hidden_size, patch_size).stride(patch_size)));
}

torch::Tensor PatchEmbedImpl::forward(const torch::Tensor& image) {
  return proj->forward(image).flatten(2).transpose(1, 2);
}

DitImpl::DitImpl(const DitOptions& dit_options) : options(dit_options) {
  TORCH_CHECK_VALUE(options.input_size % options.patch_size == 0, "DiT: input size ",
                    options.input_size, " is not a multiple of the patch size ",
                    options.patch_size);
  TORCH_CHECK_VALUE(options.in_channels % (options.context_length + 1) == 0,
                    "DiT: ", options.in_channels, " channels do not divide into ",
                    options.context_length + 1, " frames");
  TORCH_CHECK_VALUE(options.hidden_size % options.num_heads == 0, "DiT: width ",
                    options.hidden_size, " is not a multiple of ", options.num_heads, " heads");
  const int64_t width = options.hidden_size, grid = options.input_size / options.patch_size;
  x_embedder =
      register_module("x_embedder", PatchEmbed(options.in_channels, width, options.patch_size));
  t_embedder = register_module("t_embedder", TimeEmbedder(width, options.frequency_embedding_size));
  t_embedder_cond =
      register_module("t_embedder_cond", TimeEmbedder(width, options.frequency_embedding_size));
  a_embedder = register_module("a_embedder", ActionEmbedder(options.action_dim, width));
  pos_embed = register_parameter("pos_embed", SinCosTable2d(width, grid).unsqueeze(0),
                                 /*requires_grad=*/false);
  register_module("blocks", blocks);
  for (int64_t i = 0; i < options.depth; ++i) blocks->push_back(DitBlock(options));
  final_layer = register_module("final_layer", DitFinalLayer(options));
  InitialiseWeights();
}

void DitImpl::InitialiseWeights() {
  torch::NoGradGuard no_grad;
  for (const auto& module : modules(/*include_self=*/false)) {
    if (auto* layer = module->as<nn::LinearImpl>()) {
      nn::init::xavier_uniform_(layer->weight);
      nn::init::zeros_(layer->bias);
    }
  }
  const torch::Tensor& patch_weight = x_embedder->proj->weight;
  nn::init::xavier_uniform_(patch_weight.view({patch_weight.size(0), -1}));
  nn::init::zeros_(x_embedder->proj->bias);
  for (TimeEmbedder* embedder : {&t_embedder, &t_embedder_cond}) {
    for (const size_t layer : {0, 2}) {
      nn::init::normal_((*embedder)->mlp->at<nn::LinearImpl>(layer).weight, 0.0, 0.02);
    }
  }
  auto zero = [](nn::LinearImpl& layer) {
    nn::init::zeros_(layer.weight);
    nn::init::zeros_(layer.bias);
  };
  for (const auto& block : *blocks)
    zero(block->as<DitBlock>()->adaLN_modulation->at<nn::LinearImpl>(1));
  zero(final_layer->adaLN_modulation->at<nn::LinearImpl>(1));
  zero(*final_layer->linear);
}

torch::Tensor DitImpl::forward(const torch::Tensor& noisy, const torch::Tensor& c_noise,
                               const torch::Tensor& c_noise_context, const torch::Tensor& context,
                               const torch::Tensor& action, Trace* trace) {
  const torch::Tensor patches = x_embedder->forward(torch::cat({context, noisy}, 1));
  const torch::Tensor time = t_embedder->forward(c_noise);
  const torch::Tensor context_time = t_embedder_cond->forward(c_noise_context);
  torch::Tensor condition = time + context_time;
  if (action.defined()) {
    const torch::Tensor embedded = a_embedder->forward(action).flatten(1);
    Record(trace, "act_emb", embedded);
    condition = condition + embedded;
  }
  Record(trace, "patch", patches);
  Record(trace, "t_emb", time);
  Record(trace, "t_emb_cond", context_time);
  Record(trace, "cond", condition);
  torch::Tensor x = patches + pos_embed;
  for (size_t i = 0; i < blocks->size(); ++i) {
    const std::string name = "block" + std::to_string(i);
    x = blocks->ptr(i)->as<DitBlock>()->forward(x, condition, trace, name);
    Record(trace, name, x);
  }
  const torch::Tensor tokens = final_layer->forward(x, condition);
  Record(trace, "final_tokens", tokens);
  return Unpatchify(tokens);
}

torch::Tensor DitImpl::Unpatchify(const torch::Tensor& tokens) const {
  const int64_t batch = tokens.size(0), patch = options.patch_size;
  const int64_t grid = options.input_size / patch, channels = options.out_channels();
  return tokens.view({batch, grid, grid, patch, patch, channels})
      .permute({0, 5, 1, 3, 2, 4})
      .reshape({batch, channels, grid * patch, grid * patch});
}

}  // namespace gwm::released
