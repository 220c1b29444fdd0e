#include "engine/model/config.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/base/json_fields.h"
#include "engine/base/status.h"

namespace gwm {
namespace {

// One traversal names every field once; reading, writing and rejecting unknown names all use it.
template <typename Visitor>
void VisitTokenizer(TokenizerConfig& c, Visitor&& field) {
  field("kind", c.kind);
  field("latent_dim", c.latent_dim);
  field("width", c.width);
  field("depth", c.depth);
  field("latent_noise", c.latent_noise);
  field("patch", c.patch);
  field("tokens", c.tokens);
  field("heads", c.heads);
  field("gaussians_per_token", c.gaussians_per_token);
  field("input_gaussians", c.input_gaussians);
  field("offset_extent_m", c.offset_extent_m);
  field("colour_passes", c.colour_passes);
}
template <typename Visitor>
void VisitDynamics(DynamicsConfig& c, Visitor&& field) {
  field("width", c.width);
  field("depth", c.depth);
  field("heads", c.heads);
  field("mlp_ratio", c.mlp_ratio);
  field("context_frames", c.context_frames);
  field("remember_reset", c.remember_reset);
  field("action_history", c.action_history);
  field("residual", c.residual);
  field("rope_base", c.rope_base);
  field("rope_units_per_m", c.rope_units_per_m);
}
template <typename Visitor>
void VisitDiffusion(DiffusionConfig& c, Visitor&& field) {
  field("sigma_data", c.sigma_data);
  field("sigma_min", c.sigma_min);
  field("sigma_max", c.sigma_max);
  field("rho", c.rho);
  field("calls", c.calls);
  field("max_calls", c.max_calls);
  field("heun", c.heun);
  field("mean_start", c.mean_start);
}
template <typename Visitor>
void VisitReward(RewardConfig& c, Visitor&& field) {
  field("width", c.width);
  field("token_values", c.token_values);
  field("queries", c.queries);
  field("bins", c.bins);
  field("symlog_limit", c.symlog_limit);
}
template <typename Visitor>
void VisitErrorHead(ErrorHeadConfig& c, Visitor&& field) {
  field("width", c.width);
}
template <typename Visitor>
void VisitModel(ModelConfig& c, Visitor&& field) {
  field("profile", c.profile);
  field("views", c.views);
  field("height", c.height);
  field("width", c.width);
  field("action_dim", c.action_dim);
  field("far_m", c.far_m);
  field("gaussian_size", c.gaussian_size);
  field("control_dt_s", c.control_dt_s);
  field("tasks", c.tasks);
  field("tokenizer_digest", c.tokenizer_digest);
}

}  // namespace

int64_t ModelConfig::tokens() const {
  if (tokenizer.kind == "set") return tokenizer.tokens;
  return views * (height / tokenizer.patch) * (width / tokenizer.patch);
}

absl::StatusOr<ModelConfig> ProfileConfig(const std::string& name) {
  ModelConfig config;
  config.profile = name;
  config.error_head.width = 64;
  if (name == "gwm-small") return config;
  if (name == "gwm-tiny") {
    config.views = 2;
    config.height = config.width = 32;
    config.tokenizer.latent_dim = 16;
    config.tokenizer.width = 64;
    config.tokenizer.depth = 1;
    config.tokenizer.tokens = 32;
    config.tokenizer.gaussians_per_token = 16;
    config.tokenizer.input_gaussians = 0;
    config.dynamics.width = 64;
    config.dynamics.depth = 2;
    config.dynamics.heads = 4;
    config.reward.width = 64;
    config.error_head.width = 32;
    return config;
  }
  if (name == "gwm-paper") {
    config.height = config.width = 128;
    config.views = 2;
    config.tokenizer.kind = "set";
    config.tokenizer.latent_dim = 64;
    config.tokenizer.width = 384;
    config.tokenizer.depth = 4;
    config.tokenizer.tokens = 512;
    config.tokenizer.heads = 6;
    config.tokenizer.gaussians_per_token = 4;
    config.tokenizer.input_gaussians = 2048;
    config.dynamics.width = 384;
    config.dynamics.depth = 12;
    config.dynamics.heads = 6;
    config.diffusion.calls = 3;
    return config;
  }
  return absl::NotFoundError(
      absl::StrCat("no profile '", name, "'; there are gwm-tiny, gwm-small and gwm-paper"));
}

std::string ConfigToJson(const ModelConfig& config) {
  ModelConfig copy = config;
  OrderedJson json;
  VisitModel(copy, JsonFieldWriter{json});
  VisitTokenizer(copy.tokenizer, JsonFieldWriter{json["tokenizer"]});
  VisitDynamics(copy.dynamics, JsonFieldWriter{json["dynamics"]});
  VisitDiffusion(copy.diffusion, JsonFieldWriter{json["diffusion"]});
  VisitReward(copy.reward, JsonFieldWriter{json["reward"]});
  VisitErrorHead(copy.error_head, JsonFieldWriter{json["error_head"]});
  return json.dump(2) + "\n";
}

absl::StatusOr<ModelConfig> OverrideConfig(ModelConfig config, const std::string& text) {
  const OrderedJson json = OrderedJson::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return absl::InvalidArgumentError("config: not a JSON object");
  JsonFieldReader reader{json, "", {}, {}};
  VisitModel(config, reader);
  GWM_RETURN_IF_ERROR(reader.Close({"tokenizer", "dynamics", "diffusion", "reward", "error_head"}));
  GWM_RETURN_IF_ERROR(ReadJsonGroup(json, "tokenizer", config.tokenizer,
                                    [](auto& c, auto& field) { VisitTokenizer(c, field); }));
  GWM_RETURN_IF_ERROR(ReadJsonGroup(json, "dynamics", config.dynamics,
                                    [](auto& c, auto& field) { VisitDynamics(c, field); }));
  GWM_RETURN_IF_ERROR(ReadJsonGroup(json, "diffusion", config.diffusion,
                                    [](auto& c, auto& field) { VisitDiffusion(c, field); }));
  GWM_RETURN_IF_ERROR(ReadJsonGroup(json, "reward", config.reward,
                                    [](auto& c, auto& field) { VisitReward(c, field); }));
  GWM_RETURN_IF_ERROR(ReadJsonGroup(json, "error_head", config.error_head,
                                    [](auto& c, auto& field) { VisitErrorHead(c, field); }));
  return config;
}

absl::StatusOr<ModelConfig> ConfigFromJson(const std::string& json) {
  return OverrideConfig(ModelConfig{}, json);
}

}  // namespace gwm
