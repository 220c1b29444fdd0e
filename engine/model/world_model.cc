#include "engine/model/world_model.h"

#include "absl/strings/str_cat.h"
#include "engine/base/status.h"
#include "engine/model/edm.h"

namespace gwm {
namespace {

absl::Status CheckConfig(const ModelConfig& config) {
  const auto& d = config.dynamics;
  const auto wrong = [](const std::string& what) {
    return absl::InvalidArgumentError(absl::StrCat("config: ", what));
  };
  if (d.heads < 1 || d.width % d.heads != 0 || (d.width / d.heads) % 2 != 0) {
    return wrong(absl::StrCat("dynamics.width ", d.width, " must give each of ", d.heads,
                              " heads an even number of channels"));
  }
  if (d.context_frames < 1 || d.action_history < 1 || d.depth < 1) {
    return wrong("dynamics.context_frames, action_history and depth must be at least 1");
  }
  if (config.diffusion.calls < 1 || config.diffusion.calls > config.diffusion.max_calls) {
    return wrong(absl::StrCat("diffusion.calls is ", config.diffusion.calls,
                              "; allowed are 1 to max_calls = ", config.diffusion.max_calls));
  }
  if (config.views < 1 || config.action_dim < 1)
    return wrong("views and action_dim must be positive");
  return absl::OkStatus();
}

}  // namespace

LatentNormalizer LatentNormalizer::Identity(int64_t latent_dim) {
  return {torch::zeros({latent_dim}), torch::ones({latent_dim}), torch::ones({latent_dim})};
}

absl::StatusOr<std::unique_ptr<WorldModel>> WorldModel::Create(const ModelConfig& config,
                                                               uint64_t seed) {
  GWM_RETURN_IF_ERROR(CheckConfig(config));
  auto model = std::make_unique<WorldModel>();
  model->config = config;
  GWM_ASSIGN_OR_RETURN(model->tokenizer, MakeTokenizer(config));
  model->dynamics = std::make_shared<Dit>(config);
  model->reward = std::make_shared<RewardHead>(config);
  if (config.error_head.width > 0) model->error = std::make_shared<ErrorHead>(config);
  model->normalizer = LatentNormalizer::Identity(config.tokenizer.latent_dim);
  InitWeights(*model->tokenizer, seed, {"last.weight"});
  InitWeights(*model->dynamics, seed + 1, {"modulation", "cross_out", "final.weight"});
  InitWeights(*model->reward, seed + 2, {"reward.weight", "flags.weight"});
  if (model->error) InitWeights(*model->error, seed + 3, {});
  return model;
}

std::vector<std::pair<std::string, std::shared_ptr<torch::nn::Module>>> WorldModel::parts() const {
  std::vector<std::pair<std::string, std::shared_ptr<torch::nn::Module>>> parts = {
      {"tokenizer.", tokenizer}, {"dynamics.", dynamics}, {"reward.", reward}};
  if (error) parts.emplace_back("error.", error);
  return parts;
}

void WorldModel::To(torch::Device device) {
  for (auto& [name, module] : parts()) module->to(device);
  for (torch::Tensor* tensor : {&normalizer.mean, &normalizer.std, &normalizer.change_std}) {
    *tensor = tensor->to(device);
  }
}

void WorldModel::UseBf16() {
  for (const auto& module : dynamics->modules()) {
    if (auto* linear = module->as<RowLinearImpl>()) linear->UseBf16();
  }
}

torch::Tensor WorldModel::Standardise(const torch::Tensor& latents) const {
  return (latents - normalizer.mean) * (config.diffusion.sigma_data / normalizer.std);
}

torch::Tensor WorldModel::Destandardise(const torch::Tensor& standardised) const {
  return standardised * (normalizer.std / config.diffusion.sigma_data) + normalizer.mean;
}

torch::Tensor WorldModel::TargetOf(const torch::Tensor& current, const torch::Tensor& next) const {
  if (!config.dynamics.residual) return next;
  return (next - current) * (config.diffusion.sigma_data / normalizer.change_std);
}

torch::Tensor WorldModel::NextOf(const torch::Tensor& current, const torch::Tensor& target) const {
  if (!config.dynamics.residual) return target;
  return current + target * (normalizer.change_std / config.diffusion.sigma_data);
}

torch::Tensor WorldModel::Velocity(const torch::Tensor& context) const {
  const int64_t newest = context.size(1) - 1;
  auto current = context.select(1, newest);
  if (config.dynamics.context_frames < 2) return torch::zeros_like(current);
  auto before = context.select(1, newest - 1);
  return (current - before) * (config.diffusion.sigma_data / normalizer.change_std);
}

ConditionCache WorldModel::Prepare(const DynamicsState& state, const torch::Tensor& action,
                                   const torch::Tensor& action_mask) const {
  DenoiserCondition condition;
  condition.context = state.context;
  condition.velocity = Velocity(state.context);
  condition.actions = torch::cat({state.actions, action.unsqueeze(1)}, 1);
  condition.action_mask = action_mask;
  condition.centres = state.centres;
  return dynamics->Prepare(condition);
}

torch::Tensor WorldModel::PredictNext(const DynamicsState& state, const torch::Tensor& action,
                                      int64_t calls, const torch::Tensor& unit_noise) const {
  auto cache = Prepare(state, action);
  auto target = Sample(*dynamics, cache, config.diffusion, calls, unit_noise);
  return NextOf(cache.current, target);
}

torch::Tensor WorldModel::ExpectedError(const DynamicsState& state, const torch::Tensor& next,
                                        const torch::Tensor& age) const {
  if (!error) return {};
  const auto reset = state.context.select(1, 0);
  const auto before = state.context.select(1, state.context.size(1) - 1);
  return error->forward(reset, before, next, state.centres, age).exp().mean(-1);
}

DynamicsState WorldModel::Advance(const DynamicsState& state, const torch::Tensor& action,
                                  const torch::Tensor& next) const {
  const int64_t kept = config.dynamics.remember_reset ? 1 : 0;
  const int64_t frames = state.context.size(1);
  DynamicsState after = state;
  after.context =
      torch::cat({state.context.narrow(1, 0, kept),
                  state.context.narrow(1, kept + 1, frames - kept - 1), next.unsqueeze(1)},
                 1);
  const int64_t past = state.actions.size(1);
  if (past > 0) {
    after.actions = torch::cat({state.actions.narrow(1, 1, past - 1), action.unsqueeze(1)}, 1);
  }
  return after;
}

DynamicsState WorldModel::Begin(const torch::Tensor& history, const torch::Tensor& past_actions,
                                const torch::Tensor& centres) const {
  const int64_t wanted = config.dynamics.context_frames;
  const int64_t frames = history.size(1);
  std::vector<torch::Tensor> context;
  // The newest real frame is the one that the anchors were chosen on, so it is the one to remember.
  if (config.dynamics.remember_reset) context.push_back(history.select(1, frames - 1));
  for (int64_t i = frames - wanted; i < frames; ++i) {
    context.push_back(history.select(1, std::max<int64_t>(0, i)));
  }
  const int64_t past = config.dynamics.action_history - 1;
  const int64_t known = std::min(past, past_actions.size(1));
  auto actions =
      torch::zeros({history.size(0), past - known, config.action_dim}, history.options());
  DynamicsState state;
  state.context = torch::stack(context, 1);
  state.actions =
      torch::cat({actions, past_actions.narrow(1, past_actions.size(1) - known, known)}, 1);
  state.centres = centres;
  return state;
}

Gaussians DecodeStandardised(const WorldModel& model, const torch::Tensor& standardised,
                             const Anchors& anchors) {
  return model.tokenizer->Decode(model.Destandardise(standardised), anchors);
}

}  // namespace gwm
