#include "engine/train/random.h"
#include "engine/train/stages.h"
#include "engine/train/update_loss.h"

namespace gwm {
namespace {

// A real sequence, or an imagined one with the chance that `o` gives it.
const LatentSequence& Draw(const std::vector<LatentSequence>& real,
                           const std::vector<ImaginedSequence>& imagined,
                           const RewardLossOptions& o, torch::Generator& g) {
  const auto any = [&g](const auto& x) -> const auto& {
    return x[static_cast<size_t>(DrawInt(0, static_cast<int64_t>(x.size()), g))];
  };
  if (o.imagined_share > 0 && DrawUniform(g) < o.imagined_share && !imagined.empty()) {
    return any(imagined).imagined;
  }
  return any(real);
}

}  // namespace

LossTerms RewardLoss(WorldModel& model, const std::vector<LatentSequence>& real,
                     const std::vector<ImaginedSequence>& imagined, const RewardLossOptions& o,
                     int64_t rows, torch::Generator& g) {
  std::vector<torch::Tensor> before, after, centres, action, reward, terminated, success;
  for (int64_t b = 0; b < rows; ++b) {
    const auto& s = Draw(real, imagined, o, g);
    const int64_t t = DrawInt(1, s.frames(), g);
    before.push_back(s.latents[t - 1]);
    after.push_back(s.latents[t]);
    centres.push_back(s.centres[s.centres.size(0) == 1 ? 0 : DrawInt(0, t, g)]);
    action.push_back(s.action[t]);
    reward.push_back(s.reward[t]);
    terminated.push_back(s.terminated[t]);
    success.push_back(s.success[t]);
  }
  const auto device = model.device();
  const auto stack = [&](const std::vector<torch::Tensor>& x) {
    return torch::stack(x).to(device);
  };
  const auto noisy = [&](const std::vector<torch::Tensor>& x) {
    auto z = model.Standardise(stack(x));
    return z + o.latent_noise * DrawNormal(z.sizes(), g, device);
  };
  auto z0 = noisy(before);
  auto z1 = noisy(after);
  auto out = model.reward->forward(z0, z1, stack(centres), stack(action));
  const auto& config = model.config.reward;
  const auto real_reward = stack(reward);
  auto code = TwoHot(real_reward, config.bins, config.symlog_limit);
  auto reward_loss = -(code * torch::log_softmax(out.reward_logits, -1)).sum(-1).mean();
  const auto absolute =
      (TwoHotValue(out.reward_logits, config.symlog_limit) - real_reward).abs().mean();
  auto terminated_loss =
      torch::binary_cross_entropy_with_logits(out.terminated_logits, stack(terminated));
  auto success_loss = torch::binary_cross_entropy_with_logits(out.success_logits, stack(success));
  auto total = reward_loss + o.absolute * absolute + terminated_loss + success_loss;
  return {
      {"loss", total}, {"reward", reward_loss}, {"absolute", absolute}, {"success", success_loss}};
}

absl::Status TrainReward(WorldModel& model, const std::vector<LatentSequence>& sequences,
                         LazyImagination& imagination, const TrainOptions& options,
                         const StagePaths& paths) {
  auto run = RunOf("reward", options.reward, options, paths);
  const bool imagines = options.reward_loss.imagined_share > 0;
  if (imagines) run.prepare = [&] { imagination.Make(); };
  const std::vector<ImaginedSequence> none;
  run.loss = [&](int64_t, torch::Generator& g) {
    return RewardLoss(model, sequences, imagines ? imagination.Get() : none, options.reward_loss,
                      options.reward.batch / options.reward.shards, g);
  };
  return RunStage(*model.reward, run);
}

}  // namespace gwm
