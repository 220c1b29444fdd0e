#include "engine/train/options.h"

#include "engine/base/json_fields.h"
#include "engine/base/status.h"

namespace gwm {
namespace {

template <typename Visitor>
void VisitStage(StageOptions& s, Visitor&& field) {
  field("steps", s.steps);
  field("batch", s.batch);
  field("shards", s.shards);
  field("learning_rate", s.learning_rate);
  field("weight_decay", s.weight_decay);
  field("warmup_steps", s.warmup_steps);
  field("final_rate", s.final_rate);
  field("clip_norm", s.clip_norm);
  field("ema_decay", s.ema_decay);
}
template <typename Visitor>
void VisitVaeLoss(VaeLossOptions& o, Visitor&& field) {
  field("kl", o.kl);
  field("changed_weight", o.changed_weight);
  field("depth", o.depth);
  field("rendered", o.rendered);
  field("rendered_rows", o.rendered_rows);
  field("chamfer", o.chamfer);
  field("matched", o.matched);
  field("frames_per_reset", o.frames_per_reset);
}
template <typename Visitor>
void VisitDynamicsLoss(DynamicsLossOptions& o, Visitor&& field) {
  field("noise_mean", o.noise_mean);
  field("noise_std", o.noise_std);
  field("at_sigma_max", o.at_sigma_max);
  field("changed_token_weight", o.changed_token_weight);
  field("context_noise", o.context_noise);
  field("unroll", o.unroll);
  field("action_dropout", o.action_dropout);
}
template <typename Visitor>
void VisitRewardLoss(RewardLossOptions& o, Visitor&& field) {
  field("latent_noise", o.latent_noise);
  field("imagined_share", o.imagined_share);
  field("absolute", o.absolute);
}
template <typename Visitor>
void VisitTop(TrainOptions& o, Visitor&& field) {
  field("seed", o.seed);
  field("bf16_checkpoint", o.bf16_checkpoint);
  field("log_every", o.log_every);
  field("save_every", o.save_every);
  field("imagined_steps", o.imagined_steps);
}

}  // namespace

absl::StatusOr<TrainOptions> OverrideTrainOptions(TrainOptions options, const std::string& text) {
  const OrderedJson json = OrderedJson::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return absl::InvalidArgumentError("config: not a JSON object");
  JsonFieldReader reader{json, "", {}, {}};
  VisitTop(options, reader);
  GWM_RETURN_IF_ERROR(reader.Close(
      {"vae", "dynamics", "reward", "error", "vae_loss", "dynamics_loss", "reward_loss"}));
  const auto stage = [](auto& group, auto& field) { VisitStage(group, field); };
  GWM_RETURN_IF_ERROR(ReadJsonGroup(json, "vae", options.vae, stage));
  GWM_RETURN_IF_ERROR(ReadJsonGroup(json, "dynamics", options.dynamics, stage));
  GWM_RETURN_IF_ERROR(ReadJsonGroup(json, "reward", options.reward, stage));
  GWM_RETURN_IF_ERROR(ReadJsonGroup(json, "error", options.error, stage));
  GWM_RETURN_IF_ERROR(ReadJsonGroup(json, "vae_loss", options.vae_loss,
                                    [](auto& g, auto& field) { VisitVaeLoss(g, field); }));
  GWM_RETURN_IF_ERROR(ReadJsonGroup(json, "dynamics_loss", options.dynamics_loss,
                                    [](auto& g, auto& field) { VisitDynamicsLoss(g, field); }));
  GWM_RETURN_IF_ERROR(ReadJsonGroup(json, "reward_loss", options.reward_loss,
                                    [](auto& g, auto& field) { VisitRewardLoss(g, field); }));
  return options;
}

std::string TrainOptionsToJson(const TrainOptions& options) {
  TrainOptions copy = options;
  OrderedJson json;
  VisitTop(copy, JsonFieldWriter{json});
  VisitStage(copy.vae, JsonFieldWriter{json["vae"]});
  VisitStage(copy.dynamics, JsonFieldWriter{json["dynamics"]});
  VisitStage(copy.reward, JsonFieldWriter{json["reward"]});
  VisitStage(copy.error, JsonFieldWriter{json["error"]});
  VisitVaeLoss(copy.vae_loss, JsonFieldWriter{json["vae_loss"]});
  VisitDynamicsLoss(copy.dynamics_loss, JsonFieldWriter{json["dynamics_loss"]});
  VisitRewardLoss(copy.reward_loss, JsonFieldWriter{json["reward_loss"]});
  return json.dump(2) + "\n";
}

}  // namespace gwm
