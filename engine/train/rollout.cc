#include "engine/train/rollout.h"

#include "engine/model/pixel_frame.h"
#include "engine/model/step_noise.h"
#include "engine/scene/render.h"

namespace gwm {
namespace {

// Standard normal [rows, M, L] on the model's device.
torch::Tensor NoiseOfStep(const WorldModel& model, int64_t rows, int64_t step,
                          const RolloutOptions& options) {
  std::vector<torch::Tensor> noise;
  for (int64_t b = 0; b < rows; ++b) {
    noise.push_back(StepNoise(model.config, {.seed = options.seed,
                                             .env = static_cast<uint32_t>(b),
                                             .episode = options.episode,
                                             .step = static_cast<uint32_t>(step)}));
  }
  return torch::cat(noise).to(model.device());
}

// cameras_of: int64_t row -> Cameras.
template <typename CamerasOf>
RolloutImages RenderRows(const WorldModel& model, const torch::Tensor& latents,
                         const Anchors& anchors, const CamerasOf& cameras_of) {
  torch::NoGradGuard no_grad;
  const auto gaussians = DecodeStandardised(model, latents, anchors);
  std::vector<torch::Tensor> rgb, depth;
  for (int64_t b = 0; b < latents.size(0); ++b) {
    const auto image = Render(gaussians[b], cameras_of(b), StateRenderOptions(gaussians[b]));
    rgb.push_back(image.rgb);
    depth.push_back(image.depth);
  }
  return {torch::stack(rgb), torch::stack(depth)};
}

}  // namespace

RolloutStart StartFromEpisode(const WorldModel& model, const Dataset& data, size_t episode,
                              const torch::Tensor& starts, int64_t history) {
  torch::NoGradGuard no_grad;
  const auto& e = data.episodes[episode];
  RolloutStart out;
  out.anchors = model.tokenizer->ChooseAnchors(data.Scenes(episode, starts, model.config));
  std::vector<torch::Tensor> frames, actions;
  for (int64_t back = history - 1; back > 0; --back) {
    auto earlier = (starts - back).clamp_min(0);
    auto scene = data.Scenes(episode, earlier, model.config);
    frames.push_back(model.tokenizer->Encode(scene, out.anchors).mean);
  }
  frames.push_back(out.anchors.latents);
  // Actions are known without frames, so all that the model reads are given.
  const int64_t known = history > 1 ? model.config.dynamics.action_history - 1 : 0;
  for (int64_t back = known - 1; back >= 0; --back) {
    auto frame = (starts - back).clamp_min(0);
    actions.push_back(e.action.index_select(0, frame) *
                      ((starts - back) > 0).to(torch::kFloat).unsqueeze(-1));
  }
  auto past = actions.empty() ? e.action.new_zeros({starts.size(0), 0, e.action.size(1)})
                              : torch::stack(actions, 1);
  out.state = model.Begin(model.Standardise(torch::stack(frames, 1)), past, out.anchors.centres);
  return out;
}

std::vector<RolloutStep> Rollout(const WorldModel& model, const RolloutStart& start,
                                 const torch::Tensor& actions, const RolloutOptions& options) {
  torch::NoGradGuard no_grad;
  DynamicsState state = start.state;
  std::vector<RolloutStep> steps;
  for (int64_t h = 0; h < actions.size(1); ++h) {
    const auto action = actions.select(1, h);
    const auto noise = NoiseOfStep(model, actions.size(0), h, options);
    const auto next = model.PredictNext(state, action, options.calls, noise);
    const auto current = state.context.select(1, state.context.size(1) - 1);
    const auto out = model.reward->forward(current, next, state.centres, action);
    const auto age = torch::full({actions.size(0)}, static_cast<double>(h + 1), next.options());
    steps.push_back({next, TwoHotValue(out.reward_logits, model.reward->symlog_limit()),
                     torch::sigmoid(out.success_logits), model.ExpectedError(state, next, age)});
    state = model.Advance(state, action, next);
  }
  return steps;
}

torch::Tensor ActionsAfter(const EpisodeTensors& episode, const torch::Tensor& starts,
                           int64_t steps) {
  const auto index = starts.unsqueeze(1) + torch::arange(1, steps + 1);
  return episode.action.index_select(0, index.clamp_max(episode.frames() - 1).flatten())
      .reshape({starts.size(0), steps, -1});
}

RolloutImages RenderLatents(const WorldModel& model, const torch::Tensor& latents,
                            const Anchors& anchors) {
  const auto& scene = anchors.reset;
  return RenderRows(model, latents, anchors, [&](int64_t b) {
    return Cameras{scene.intrinsics[b], scene.world_from_cam[b], scene.height, scene.width};
  });
}

RolloutImages RenderLatentsFrom(const WorldModel& model, const torch::Tensor& latents,
                                const Anchors& anchors, const Cameras& cameras) {
  return RenderRows(model, latents, anchors, [&](int64_t) { return cameras; });
}

}  // namespace gwm
