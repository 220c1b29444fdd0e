#include "tests/engine/train/trained_toy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/base/memory.h"
#include "engine/model/step_noise.h"
#include "engine/scene/image_metrics.h"
#include "engine/train/stages.h"
#include "tests/engine/io/test_support.h"
#include "tests/fakes/toy_scenes.h"

namespace gwm::testing {
namespace {

constexpr int64_t kMoving = 8;

ModelConfig TinyConfig(const std::string& tokenizer) {
  ModelConfig config = ProfileConfig("gwm-tiny").value();
  config.tokenizer.kind = tokenizer;
  // 32 pixels are few for the 0.5 px of the profile: real frames as such Gaussians render at 27.5
  // dB themselves, at 0.3 px they reach 33.9 dB.
  config.gaussian_size = 0.3;
  if (tokenizer == "set") {
    config.tokenizer.input_gaussians = 512;  // of 2048: most of the encoder's time
    config.tokenizer.latent_noise = 0.03;
  }
  return config;
}

TrainOptions ToyRecipe(const std::string& tokenizer) {
  TrainOptions o;
  o.seed = 1;
  o.vae = {.steps = tokenizer == "set" ? 1400 : 900,
           .batch = 8,
           .shards = tokenizer == "set" ? 2 : 1,
           .learning_rate = 3e-3,
           .weight_decay = 0,
           .warmup_steps = 20,
           .ema_decay = 0.98};
  o.dynamics = {
      .steps = 600, .batch = 32, .learning_rate = 2e-3, .warmup_steps = 20, .ema_decay = 0.99};
  o.reward = {
      .steps = 450, .batch = 32, .learning_rate = 2e-3, .warmup_steps = 20, .ema_decay = 0.98};
  o.error = {
      .steps = 300, .batch = 32, .learning_rate = 2e-3, .warmup_steps = 20, .ema_decay = 0.98};
  // One call from the sampler's first noise level is what the figures measure.
  o.dynamics_loss = {.at_sigma_max = 1, .context_noise = 0.02, .unroll = 0, .action_dropout = 0};
  if (tokenizer == "set") {
    o.vae_loss.changed_weight = 1;
    o.dynamics.steps = 700;
    o.dynamics.shards = 2;
  }
  return o;
}

torch::Tensor RealImages(const EpisodeTensors& e, const torch::Tensor& frames) {
  return e.rgb.index_select(0, frames).to(torch::kFloat) / 255;
}

double MeanSquare(const torch::Tensor& x) { return x.square().mean().item<double>(); }

}  // namespace

TrainedToy::TrainedToy(const std::string& tokenizer) {
  KeepFreedMemory();
  data_ = ToyDataset(kMoving, {.seed = 100});
  for (auto& still : ToyDataset(2, {.seed = 200, .still = true}).episodes)
    data_.episodes.push_back(still);
  const io::ScratchFolder scratch;
  const StagePaths paths{.state_dir = scratch.path(), .log_dir = "", .quiet = true};
  const TrainOptions recipe = ToyRecipe(tokenizer);
  const auto check = [](const absl::Status& status) {
    TORCH_CHECK(status.ok(), status.ToString());
  };
  model = WorldModel::Create(TinyConfig(tokenizer), 3).value();
  check(TrainTokenizer(*model, data_, recipe, paths));
  sequences_ = EncodeDataset(*model, data_);
  model->normalizer = MeasureLatents(sequences_, model->config.diffusion.sigma_data);
  untrained = WorldModel::Create(model->config, 3).value();
  untrained->tokenizer = model->tokenizer;
  untrained->normalizer = model->normalizer;
  check(TrainDynamics(*model, sequences_, recipe, paths));
  LazyImagination imagination(*model, sequences_, /*steps=*/4, recipe.seed, /*quiet=*/true);
  check(TrainReward(*model, sequences_, imagination, recipe, paths));
  check(TrainError(*model, imagination, recipe, paths));
}

ImageScore TrainedToy::TokenizerScore() const {
  torch::NoGradGuard no_grad;
  double error = 0, repeat = 0;
  for (size_t i = 0; i < 4; ++i) {
    const auto frames = torch::arange(data_.episodes[i].frames());
    const auto first = torch::zeros_like(frames);
    const auto anchors = model->tokenizer->ChooseAnchors(data_.Scenes(i, first, model->config));
    const auto latents =
        model->tokenizer->Encode(data_.Scenes(i, frames, model->config), anchors).mean;
    const auto real = RealImages(data_.episodes[i], frames);
    error += MeanSquare(RenderLatents(*model, model->Standardise(latents), anchors).rgb - real);
    repeat += MeanSquare(real.narrow(0, 0, 1) - real);
  }
  return {PsnrOf(error / 4), PsnrOf(repeat / 4)};
}

LatentScore TrainedToy::OneStep(const WorldModel& world) const {
  torch::NoGradGuard no_grad;
  std::vector<const LatentSequence*> moving;
  for (const auto& s : sequences_) {
    if (s.frames() > 3 && s.action.abs().sum().item<float>() > 0) moving.push_back(&s);
  }
  double error = 0, wrong = 0, count = 0;
  for (size_t i = 0; i < moving.size(); ++i) {
    const auto& s = *moving[i];
    const auto& other = *moving[(i + 1) % moving.size()];
    const int64_t n = std::min(s.frames(), other.frames()) - 2;  // current frames 1..n
    const auto z = world.Standardise(s.latents);
    auto state = world.Begin(torch::stack({z.narrow(0, 0, n), z.narrow(0, 1, n)}, 1),
                             s.action.narrow(0, 1, n).unsqueeze(1),
                             s.centres.narrow(0, 0, 1).expand({n, -1, -1}));
    if (world.config.dynamics.remember_reset) state.context.select(1, 0).copy_(z[0]);
    const auto noise = torch::cat(
        std::vector<torch::Tensor>(static_cast<size_t>(n), StepNoise(world.config, {.seed = 5})));
    const auto score = [&](const torch::Tensor& actions) {
      return (world.PredictNext(state, actions, 1, noise) - z.narrow(0, 2, n))
          .square()
          .sum()
          .item<double>();
    };
    error += score(s.action.narrow(0, 2, n));
    wrong += score(other.action.narrow(0, 2, n));
    count += static_cast<double>(z.narrow(0, 2, n).numel());
  }
  return {error / count, wrong / count};
}

ImageScore TrainedToy::FourSteps() const {
  double error = 0, repeat = 0;
  for (size_t i = 0; i < kMoving; ++i) {
    const auto& e = data_.episodes[i];
    const auto starts = torch::tensor({0, 4}, torch::kLong);
    const auto start = StartFromEpisode(*model, data_, i, starts, 1);
    std::vector<torch::Tensor> actions;
    for (int64_t h = 1; h <= 4; ++h) actions.push_back(e.action.index_select(0, starts + h));
    const auto steps = Rollout(*model, start, torch::stack(actions, 1), {.seed = 5});
    const auto real = RealImages(e, starts + 4);
    error += MeanSquare(RenderLatents(*model, steps[3].latents, start.anchors).rgb - real);
    repeat += MeanSquare(RealImages(e, starts) - real);
  }
  return {PsnrOf(error / kMoving), PsnrOf(repeat / kMoving)};
}

std::vector<double> TrainedToy::StillLuminance() const {
  const auto start = StartFromEpisode(*model, data_, kMoving, torch::zeros({1}, torch::kLong), 1);
  const auto mean = [&](const torch::Tensor& latents) {
    return RenderLatents(*model, latents, start.anchors).rgb.mean().item<double>();
  };
  const double first = mean(model->Standardise(start.anchors.latents));
  std::vector<double> relative;
  for (const auto& step :
       Rollout(*model, start, torch::zeros({1, 30, kToyActionDim}), {.seed = 5})) {
    relative.push_back(mean(step.latents) / first);
  }
  return relative;
}

TrainedToy::RewardTable TrainedToy::Rewards(int64_t shift) const {
  torch::NoGradGuard no_grad;
  RewardTable table;
  for (const auto& s : sequences_) {
    const bool moving = s.action.abs().sum().item<float>() > 0;
    const int64_t n = s.frames() - 1 - shift;
    if (!moving || n < 1) continue;
    const auto z = model->Standardise(s.latents);
    const auto out = model->reward->forward(z.narrow(0, shift, n), z.narrow(0, shift + 1, n),
                                            s.centres.narrow(0, 0, 1).expand({n, -1, -1}),
                                            s.action.narrow(0, shift + 1, n));
    const auto reward = TwoHotValue(out.reward_logits, model->reward->symlog_limit());
    const auto terminated = torch::sigmoid(out.terminated_logits);
    for (int64_t t = 0; t < n; ++t) {
      table.predicted.push_back(reward[t].item<float>());
      table.truth.push_back(s.reward[t + 1].item<float>());
      table.terminated_probability.push_back(terminated[t].item<float>());
      table.terminated.push_back(s.terminated[t + 1].item<float>() > 0.5F);
    }
  }
  return table;
}

double Correlation(const std::vector<float>& a, const std::vector<float>& b) {
  const auto x = torch::tensor(a).to(torch::kDouble), y = torch::tensor(b).to(torch::kDouble);
  const auto dx = x - x.mean(), dy = y - y.mean();
  return ((dx * dy).sum() / (dx.square().sum() * dy.square().sum()).sqrt()).item<double>();
}

}  // namespace gwm::testing
