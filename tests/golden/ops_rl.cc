// Reinforcement learning: DrQ-v2's networks and augmentation, returns, discrete regression.
#include <string>

#include "clients/rl/drqv2_networks.h"
#include "clients/rl/random_shift.h"
#include "clients/rl/returns.h"
#include "clients/rl/schedule.h"
#include "clients/rl/squashed_gaussian.h"
#include "clients/rl/truncated_normal.h"
#include "clients/rl/two_hot.h"
#include "tests/golden/ops.h"

namespace gwm::golden {
namespace {

// Parameters are named as in the case; each must be there.
void LoadParameters(const Case& golden, const std::string& prefix, torch::nn::Module& module) {
  torch::NoGradGuard no_grad;
  for (auto& item : module.named_parameters()) item.value().copy_(golden.Get(prefix + item.key()));
}

void RunEncoder(Case& golden) {
  const torch::Tensor image = golden.Get("in.image");
  rl::PixelEncoder encoder(image.size(1));
  LoadParameters(golden, "w.", *encoder);
  torch::NoGradGuard no_grad;
  golden.Check("out.features", encoder->forward(image), golden.tolerance().General({1e-4, 5e-4}));
}

// Rows are the case's schedule texts, columns its steps.
torch::Tensor Schedules(const Case& golden) {
  const auto texts = golden.Param<std::vector<std::string>>("schedule_rows");
  const auto steps = golden.Param<std::vector<int64_t>>("schedule_steps");
  torch::Tensor values = torch::zeros(
      {static_cast<int64_t>(texts.size()), static_cast<int64_t>(steps.size())}, torch::kFloat64);
  for (size_t row = 0; row < texts.size(); ++row) {
    const absl::StatusOr<rl::Schedule> schedule = rl::Schedule::Parse(texts[row]);
    if (!schedule.ok()) throw std::runtime_error(schedule.status().ToString());
    for (size_t i = 0; i < steps.size(); ++i) {
      values[static_cast<int64_t>(row)][static_cast<int64_t>(i)] = schedule->At(steps[i]);
    }
  }
  return values;
}

void RunActorCritic(Case& golden) {
  const torch::Tensor features = golden.Get("in.features"), action = golden.Get("in.action");
  const auto trunk = golden.Param<int64_t>("feature_dim"),
             hidden = golden.Param<int64_t>("hidden_dim");
  rl::DrQv2Actor actor(features.size(1), action.size(1), trunk, hidden);
  rl::DrQv2Critic critic(features.size(1), action.size(1), trunk, hidden);
  LoadParameters(golden, "w.actor.", *actor);
  LoadParameters(golden, "w.critic.", *critic);
  torch::NoGradGuard no_grad;
  const Tolerance tolerance = golden.tolerance().General({2e-5, 1e-4});
  const auto std = golden.Param<double>("std"), clip = golden.Param<double>("clip");
  const torch::Tensor mean = actor->forward(features);
  golden.Check("out.mu", mean, tolerance);
  golden.Check("out.sample_clip0.3",
               rl::SampleTruncatedNormal(mean, std, golden.Get("in.eps_clipped"), clip), tolerance);
  golden.Check("out.sample_noclip",
               rl::SampleTruncatedNormal(mean, std, golden.Get("in.eps_free"), std::nullopt),
               tolerance);
  golden.Check("out.log_prob_of_action", rl::NormalLogProb(action, mean, std), tolerance);
  const auto values = critic->forward(features, action);
  golden.Check("out.q1", values[0], tolerance);
  golden.Check("out.q2", values[1], tolerance);
  golden.Check("out.schedule", Schedules(golden), tolerance);
}

void RunRandomShift(Case& golden) {
  golden.Check("out.shifted",
               rl::ShiftImages(golden.Get("in.image"), golden.Get("in.shift_xy"),
                               golden.Param<int64_t>("pad")),
               golden.tolerance().General({2e-2, 0}));
}

void RunReturns(Case& golden) {
  const Tolerance tolerance = golden.tolerance().General({2e-5, 1e-4});
  const auto gamma = golden.Param<double>("gamma"), lambda = golden.Param<double>("lmbda");
  const rl::Trajectories steps{golden.Get("in.reward"), golden.Get("in.value"),
                               golden.Get("in.terminated"), golden.Get("in.truncated")};
  const torch::Tensor returns = rl::LambdaReturn(steps, gamma, lambda);
  golden.Check("out.gae", rl::GeneralisedAdvantage(steps, gamma, lambda), tolerance);
  golden.Check("out.gae_value_target", returns, tolerance);
  golden.Check("out.td_lambda_return", returns, tolerance);
  rl::Trajectories endless = steps;
  endless.terminated = endless.truncated = torch::zeros_like(steps.reward);
  golden.Check("out.gae_no_done", rl::GeneralisedAdvantage(endless, gamma, lambda), tolerance);
  // Stable-Baselines3 knows terminations alone, DIAMOND clips rewards to their signs.
  rl::Trajectories uncut = steps;
  uncut.truncated = torch::zeros_like(steps.reward);
  golden.Check("out.sb3_advantages", rl::GeneralisedAdvantage(uncut, gamma, lambda), tolerance);
  golden.Check("out.sb3_returns", rl::LambdaReturn(uncut, gamma, lambda), tolerance);
  rl::Trajectories signs = steps;
  signs.reward = steps.reward.sign();
  golden.Check("out.diamond_lambda_return", rl::LambdaReturn(signs, gamma, lambda), tolerance);
}

void RunTdmpc2Math(Case& golden) {
  const Tolerance tolerance = golden.tolerance().General({2e-5, 1e-4});
  const rl::TwoHotBins bins{golden.Param<double>("vmin"), golden.Param<double>("vmax"),
                            golden.Param<int64_t>("num_bins")};
  const torch::Tensor x = golden.Get("in.x"), logits = golden.Get("in.logits");
  golden.Check("out.symlog", rl::Symlog(x), tolerance);
  golden.Check("out.symexp_of_symlog", rl::Symexp(rl::Symlog(x)), tolerance);
  golden.Check("out.two_hot", rl::TwoHot(x, bins), tolerance);
  golden.Check("out.two_hot_inv", rl::TwoHotMean(logits, bins), tolerance);
  golden.Check("out.soft_ce", rl::TwoHotCrossEntropy(logits, x, bins), tolerance);
  golden.Check("out.simnorm",
               rl::SimNorm(golden.Get("in.simnorm"), golden.Param<int64_t>("simnorm_dim")),
               tolerance);
  const torch::Tensor noise = golden.Get("in.eps"), mean = golden.Get("in.mu");
  const torch::Tensor log_std =
      rl::BoundLogStd(golden.Get("in.log_std"), golden.Param<double>("log_std_low"),
                      golden.Param<double>("log_std_dif"));
  golden.Check("out.log_std_map", log_std, tolerance);
  const torch::Tensor log_prob = rl::GaussianLogProb(noise, golden.Get("in.log_std"));
  golden.Check("out.gaussian_logprob", log_prob, tolerance);
  const rl::SquashedAction squashed =
      rl::Squash(mean, mean + noise * golden.Get("in.log_std").exp(), log_prob);
  golden.Check("out.squash_mu", squashed.mean, tolerance);
  golden.Check("out.squash_pi", squashed.action, tolerance);
  golden.Check("out.squash_logp", squashed.log_prob, tolerance);
}

}  // namespace

std::vector<Op> RlOps() {
  return {{"drq_encoder", RunEncoder},
          {"drq_actor_critic", RunActorCritic},
          {"drq_random_shift", RunRandomShift},
          {"returns", RunReturns},
          {"tdmpc2_math", RunTdmpc2Math}};
}

}  // namespace gwm::golden
