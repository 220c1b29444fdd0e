// Open-loop rollouts of a world model from real frames, and their images.
#ifndef GWM_ENGINE_TRAIN_ROLLOUT_H_
#define GWM_ENGINE_TRAIN_ROLLOUT_H_

#include <vector>

#include "engine/data/dataset.h"
#include "engine/model/world_model.h"
#include "engine/scene/camera.h"

namespace gwm {

// B environments started from real frames of one episode.
struct RolloutStart {
  Anchors anchors;
  DynamicsState state;
};

// Starts at frames `starts` (i64 [B]) of an episode, each with as many earlier frames as the
// model's context takes and the episode has. history = 1 starts from the single frame.
RolloutStart StartFromEpisode(const WorldModel& model, const Dataset& data, size_t episode,
                              const torch::Tensor& starts, int64_t history);

// [B, steps, A]: the actions after each start; beyond the episode's end the last one is repeated.
torch::Tensor ActionsAfter(const EpisodeTensors& episode, const torch::Tensor& starts,
                           int64_t steps);

struct RolloutStep {
  torch::Tensor latents;              // [B, M, L] standardised
  torch::Tensor reward;               // [B]
  torch::Tensor success_probability;  // [B]
  torch::Tensor expected_error;       // [B], WorldModel::ExpectedError; undefined without the head
};
struct RolloutOptions {
  int64_t calls = 1;  // of the denoiser per step
  uint64_t seed = 0;
  uint32_t episode = 0;
};
// actions: [B, H, A]. Noise of row b, step h: the stream (seed, env = b, episode, step = h). H
// steps.
std::vector<RolloutStep> Rollout(const WorldModel& model, const RolloutStart& start,
                                 const torch::Tensor& actions, const RolloutOptions& options);

struct RolloutImages {
  torch::Tensor rgb;    // f32 [B, V, H, W, 3]
  torch::Tensor depth;  // f32 [B, V, H, W] m
};
// Rendered from the decoded Gaussians at the cameras of the reset frames.
RolloutImages RenderLatents(const WorldModel& model, const torch::Tensor& latents,
                            const Anchors& anchors);
// The same from cameras that all rows share.
RolloutImages RenderLatentsFrom(const WorldModel& model, const torch::Tensor& latents,
                                const Anchors& anchors, const Cameras& cameras);

}  // namespace gwm

#endif  // GWM_ENGINE_TRAIN_ROLLOUT_H_
