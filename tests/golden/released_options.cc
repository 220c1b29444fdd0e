#include "tests/golden/released_options.h"

#include <stdexcept>

#include "engine/model/released/state_dict.h"

namespace gwm::golden {
namespace {

// Overwrites `value` with params[key] when the case has it.
template <typename T>
void Read(const nlohmann::json& params, const char* key, T& value) {
  const auto found = params.find(key);
  if (found != params.end() && !found->is_null()) value = found->template get<T>();
}

}  // namespace

released::DitOptions DitOptionsOf(const nlohmann::json& params) {
  released::DitOptions options;
  Read(params, "input_size", options.input_size);
  Read(params, "patch_size", options.patch_size);
  Read(params, "context_length", options.context_length);
  int64_t channels = options.in_channels / 3;
  Read(params, "channels", channels);
  options.in_channels = channels * (options.context_length + 1);
  Read(params, "in_channels", options.in_channels);
  Read(params, "hidden_size", options.hidden_size);
  Read(params, "depth", options.depth);
  Read(params, "num_heads", options.num_heads);
  Read(params, "mlp_ratio", options.mlp_ratio);
  Read(params, "action_dim", options.action_dim);
  Read(params, "learn_sigma", options.learn_sigma);
  Read(params, "frequency_embedding_size", options.frequency_embedding_size);
  Read(params, "norm_eps", options.norm_eps);
  return options;
}

released::DenoiserOptions DenoiserOptionsOf(const nlohmann::json& params) {
  released::DenoiserOptions options;
  options.dit = DitOptionsOf(params);
  Read(params, "sigma_data", options.sigma_data);
  Read(params, "sigma_offset_noise", options.sigma_offset_noise);
  Read(params, "sigma_loc", options.sigma_loc);
  Read(params, "sigma_scale", options.sigma_scale);
  Read(params, "sigma_min", options.sigma_min);
  Read(params, "sigma_max", options.sigma_max);
  bool quantize = true;
  Read(params, "quantize", quantize);
  options.wrap = quantize ? released::OutputWrap::kQuantized : released::OutputWrap::kRaw;
  return options;
}

released::SetVaeOptions VaeOptionsOf(const nlohmann::json& params) {
  released::SetVaeOptions options;
  Read(params, "depth", options.depth);
  Read(params, "dim", options.dim);
  options.queries_dim = options.dim;
  Read(params, "queries_dim", options.queries_dim);
  Read(params, "output_dim", options.output_dim);
  Read(params, "heads", options.heads);
  Read(params, "dim_head", options.dim_head);
  Read(params, "latent_dim", options.latent_dim);
  Read(params, "point_embed_hidden", options.embed_bands);
  Read(params, "decoder_ff", options.decoder_ff);
  bool deterministic = true;
  Read(params, "deterministic", deterministic);
  std::string variant;
  Read(params, "variant", variant);
  if (variant.starts_with("kl") || (variant.empty() && !deterministic)) {
    options.bottleneck = released::Bottleneck::kGaussian;
  }
  return options;
}

released::RewardModelOptions RewardOptionsOf(const nlohmann::json& params) {
  released::RewardModelOptions options;
  Read(params, "img_channels", options.img_channels);
  Read(params, "img_size", options.img_size);
  Read(params, "action_dim", options.action_dim);
  Read(params, "cond_channels", options.cond_channels);
  Read(params, "lstm_dim", options.lstm_dim);
  Read(params, "channels", options.channels);
  Read(params, "depths", options.depths);
  Read(params, "group_size", options.group_size);
  Read(params, "attn_head_dim", options.attention_head_dim);
  Read(params, "gn_eps", options.norm_eps);
  options.attention.assign(options.channels.size(), false);
  const auto flags = params.find("attn_depths");
  for (size_t i = 0; flags != params.end() && i < flags->size(); ++i) {
    const nlohmann::json& flag = flags->at(i);
    options.attention.at(i) = flag.is_boolean() ? flag.get<bool>() : flag.get<int>() != 0;
  }
  return options;
}

void LoadWeights(const Case& golden, const std::string& prefix, torch::nn::Module& module) {
  const absl::Status status = released::LoadStateDict(golden.WithPrefix(prefix), module);
  if (!status.ok()) throw std::invalid_argument(std::string(status.message()));
}

std::map<std::string, torch::Tensor> ParameterLeaves(const torch::nn::Module& module,
                                                     const std::string& prefix) {
  std::map<std::string, torch::Tensor> leaves;
  for (const auto& item : module.named_parameters()) leaves[prefix + item.key()] = item.value();
  return leaves;
}

torch::Tensor WeightedMean(const Case& golden, const torch::Tensor& y) {
  return (y * golden.Get("in.loss_weight")).mean();
}

}  // namespace gwm::golden
