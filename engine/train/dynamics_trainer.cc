#include <algorithm>

#include "engine/model/edm.h"
#include "engine/train/random.h"
#include "engine/train/stages.h"
#include "engine/train/update_loss.h"

namespace gwm {
namespace {

// Windows of B rows: history, actions and future of one current frame each. Standardised latents.
struct Window {
  DynamicsState state;    // at the current frame, from real latents
  torch::Tensor actions;  // [B, U, A] the next actions
  torch::Tensor future;   // [B, U, M, L] the real frames that they led to
};

// One row: reset frame r, current frame t >= r, `steps` future frames.
struct RowChoice {
  const LatentSequence* sequence;
  int64_t reset, current;
};

RowChoice DrawRow(const std::vector<LatentSequence>& sequences, int64_t steps,
                  torch::Generator& g) {
  const auto& s =
      sequences[static_cast<size_t>(DrawInt(0, static_cast<int64_t>(sequences.size()), g))];
  const int64_t last = std::max<int64_t>(1, s.frames() - steps);  // current < last
  const int64_t current = DrawInt(0, last, g);
  if (s.centres.size(0) == 1) return {&s, 0, current};
  // Rollouts start at their reset frame, so short distances are the common case.
  const int64_t oldest = DrawUniform(g) < 0.6 ? std::max<int64_t>(0, current - 12) : 0;
  return {&s, DrawInt(oldest, current + 1, g), current};
}

torch::Tensor ActionAt(const LatentSequence& s, int64_t frame) {
  return frame > 0 ? s.action[frame] : torch::zeros_like(s.action[0]);
}

Window DrawWindow(const WorldModel& model, const std::vector<LatentSequence>& sequences,
                  int64_t batch, int64_t steps, torch::Generator& g) {
  const auto& d = model.config.dynamics;
  std::vector<torch::Tensor> context, past, centres, actions, future;
  for (int64_t b = 0; b < batch; ++b) {
    const auto row = DrawRow(sequences, steps, g);
    const auto& s = *row.sequence;
    // A reset from a single frame repeats it and knows no past action.
    const bool single = row.current == row.reset && DrawUniform(g) < 0.3;
    const auto frame = [&](int64_t t) {
      return s.latents[single ? row.current : std::max<int64_t>(0, t)];
    };
    std::vector<torch::Tensor> frames;
    if (d.remember_reset) frames.push_back(s.latents[row.reset]);
    for (int64_t i = d.context_frames - 1; i >= 0; --i) frames.push_back(frame(row.current - i));
    context.push_back(torch::stack(frames));
    std::vector<torch::Tensor> old_actions = {s.action.new_zeros({0, s.action.size(1)})};
    for (int64_t i = d.action_history - 2; i >= 0; --i) {
      auto a = ActionAt(s, row.current - i);
      old_actions.push_back((single ? torch::zeros_like(a) : a).unsqueeze(0));
    }
    past.push_back(torch::cat(old_actions));
    centres.push_back(s.centres[s.centres.size(0) == 1 ? 0 : row.reset]);
    actions.push_back(s.action.narrow(0, row.current + 1, steps));
    future.push_back(s.latents.narrow(0, row.current + 1, steps));
  }
  const auto device = model.device();
  Window w;
  w.state.context = model.Standardise(torch::stack(context).to(device));
  w.state.actions = torch::stack(past).to(device);
  w.state.centres = torch::stack(centres).to(device);
  w.actions = torch::stack(actions).to(device);
  w.future = model.Standardise(torch::stack(future).to(device));
  return w;
}

struct NoiseLevel {
  torch::Tensor sigma;   // [B]
  torch::Tensor at_max;  // bool [B]
};

NoiseLevel DrawSigma(const DiffusionConfig& diffusion, const DynamicsLossOptions& o, int64_t batch,
                     torch::Generator& g, torch::Device device) {
  auto log_sigma = o.noise_mean + o.noise_std * torch::randn({batch}, g, torch::kFloat);
  auto sigma = log_sigma.exp().clamp(diffusion.sigma_min, diffusion.sigma_max);
  auto at_max = torch::rand({batch}, g, torch::kFloat) < o.at_sigma_max;
  sigma = torch::where(at_max, torch::full({}, diffusion.sigma_max, torch::kFloat), sigma);
  return {sigma.to(device), at_max.to(device)};
}

// Unit noise [B, M, L]. Rows that the sampler starts from zero get the noise that cancels their
// target.
torch::Tensor NoiseOf(const torch::Tensor& target, const NoiseLevel& level,
                      const DiffusionConfig& diffusion, torch::Generator& g) {
  auto noise = DrawNormal(target.sizes(), g, target.device());
  if (!diffusion.mean_start) return noise;
  return torch::where(level.at_max.reshape({-1, 1, 1}), -target / diffusion.sigma_max, noise);
}

// The recent frames of every row moved by one offset; the remembered reset frame stays real.
torch::Tensor Drifted(const torch::Tensor& context, const DynamicsConfig& dynamics, double std,
                      torch::Generator& g) {
  const int64_t recent = dynamics.context_frames;
  auto shape = context.sizes().vec();
  shape[1] = 1;
  auto offset = std * DrawNormal(shape, g, context.device());
  auto moved = context.narrow(1, context.size(1) - recent, recent) + offset;
  return torch::cat({context.narrow(1, 0, context.size(1) - recent), moved}, 1);
}

}  // namespace

int64_t LeastFrames(const TrainOptions& options) { return options.dynamics_loss.unroll + 2; }

LossTerms DynamicsLoss(WorldModel& model, const std::vector<LatentSequence>& sequences,
                       const TrainOptions& options, int64_t rows, torch::Generator& g) {
  const auto& o = options.dynamics_loss;
  const auto& diffusion = model.config.diffusion;
  const int64_t own = o.unroll > 0 ? DrawInt(0, o.unroll + 1, g) : 0;
  auto w = DrawWindow(model, sequences, rows, own + 1, g);
  const auto device = model.device();
  for (int64_t u = 0; u < own; ++u) {
    torch::NoGradGuard no_grad;
    auto noise = DrawNormal(w.future.select(1, u).sizes(), g, device);
    auto next = model.PredictNext(w.state, w.actions.select(1, u), 1, noise);
    w.state = model.Advance(w.state, w.actions.select(1, u), next);
  }
  auto current = w.state.context.select(1, w.state.context.size(1) - 1);
  auto target = model.TargetOf(current, w.future.select(1, own));
  if (o.context_noise > 0) {
    w.state.context = Drifted(w.state.context, model.config.dynamics, o.context_noise, g);
  }
  const int64_t batch = target.size(0);
  auto mask = torch::rand({batch}, g, torch::kFloat).to(device) >= o.action_dropout;
  auto cache = model.Prepare(w.state, w.actions.select(1, own), mask);
  const auto level = DrawSigma(diffusion, o, batch, g, device);
  const auto noise = NoiseOf(target, level, diffusion, g);
  auto change =
      target.square().mean(-1, /*keepdim=*/true) / (diffusion.sigma_data * diffusion.sigma_data);
  auto weight = 1.0 + o.changed_token_weight * torch::tanh(change);
  auto loss = DenoisingLoss(*model.dynamics, target, level.sigma, noise, weight, cache,
                            diffusion.sigma_data);
  return {{"loss", loss}};
}

absl::Status TrainDynamics(WorldModel& model, const std::vector<LatentSequence>& sequences,
                           const TrainOptions& options, const StagePaths& paths) {
  for (const auto& s : sequences) {
    if (s.frames() < LeastFrames(options)) {
      return absl::InvalidArgumentError(
          "training dynamics: an episode has fewer frames than unroll + 2");
    }
  }
  auto run = RunOf("dynamics", options.dynamics, options, paths);
  run.loss = [&](int64_t, torch::Generator& g) {
    return DynamicsLoss(model, sequences, options, options.dynamics.batch / options.dynamics.shards,
                        g);
  };
  return RunStage(*model.dynamics, run);
}

}  // namespace gwm
