// The parts of a Gaussian World Model in one object: tokenizer, dynamics, reward head, error head
// and the statistics between them.
#ifndef GWM_ENGINE_MODEL_WORLD_MODEL_H_
#define GWM_ENGINE_MODEL_WORLD_MODEL_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/model/dit.h"
#include "engine/model/error_head.h"
#include "engine/model/reward_head.h"
#include "engine/model/tokenizer.h"

namespace gwm {

// Statistics of the latents over the training episodes. f32 [L] each.
struct LatentNormalizer {
  torch::Tensor mean;
  torch::Tensor std;
  torch::Tensor change_std;  // of one step's change, in standardised units

  static LatentNormalizer Identity(int64_t latent_dim);
};

// What one step of the dynamics needs of an environment. Standardised latents.
struct DynamicsState {
  torch::Tensor
      context;  // [B, C, M, L], oldest first; with remember_reset the reset frame comes first
  torch::Tensor actions;  // [B, K - 1, A] the newest past actions, oldest first
  torch::Tensor centres;  // [B, M, 3]
};

class WorldModel {
 public:
  // All weights drawn from `seed`; the denoiser's output is exactly zero (adaLN-zero).
  static absl::StatusOr<std::unique_ptr<WorldModel>> Create(const ModelConfig& config,
                                                            uint64_t seed);

  ModelConfig config;
  std::shared_ptr<Tokenizer> tokenizer;
  std::shared_ptr<Dit> dynamics;
  std::shared_ptr<RewardHead> reward;
  std::shared_ptr<ErrorHead> error;  // null without one (ErrorHeadConfig)
  LatentNormalizer normalizer;

  // "tokenizer.", "dynamics.", "reward." and "error." with their modules: the naming of
  // checkpoints.
  std::vector<std::pair<std::string, std::shared_ptr<torch::nn::Module>>> parts() const;
  void To(torch::Device device);
  torch::Device device() const { return normalizer.mean.device(); }
  // The denoiser's matrix products without gradients are in bf16 from now on. After To, and after
  // the last change of the weights.
  void UseBf16();

  // Latents <-> units of mean 0 and std sigma_data, [..., L].
  torch::Tensor Standardise(const torch::Tensor& latents) const;
  torch::Tensor Destandardise(const torch::Tensor& standardised) const;
  // The denoiser's target for a transition, and its inverse. Standardised latents [B, M, L].
  torch::Tensor TargetOf(const torch::Tensor& current, const torch::Tensor& next) const;
  torch::Tensor NextOf(const torch::Tensor& current, const torch::Tensor& target) const;

  // Change of the newest context frame since the one before, in the scale of the residual target;
  // zero in models that see one frame. context: [B, C, M, L] -> [B, M, L].
  torch::Tensor Velocity(const torch::Tensor& context) const;
  // Condition of the denoiser for `state` under `action` [B, A]; mask as in DenoiserCondition.
  ConditionCache Prepare(const DynamicsState& state, const torch::Tensor& action,
                         const torch::Tensor& action_mask = {}) const;
  // Next standardised latents [B, M, L]. unit_noise: [B, M, L].
  torch::Tensor PredictNext(const DynamicsState& state, const torch::Tensor& action, int64_t calls,
                            const torch::Tensor& unit_noise) const;
  // Expected squared error of the imagined state `next` that `state` leads to, mean over tokens, as
  // a share of the latents' variance; undefined without an error head. age: [B] steps since the
  // reset, this one included -> [B]
  torch::Tensor ExpectedError(const DynamicsState& state, const torch::Tensor& next,
                              const torch::Tensor& age) const;
  // The state after `action` led to `next`.
  DynamicsState Advance(const DynamicsState& state, const torch::Tensor& action,
                        const torch::Tensor& next) const;
  // A fresh state from real latents: history [B, T, M, L] standardised, oldest first, T >= 1 (the
  // first frame is repeated when the history is short, the oldest are dropped when long); past
  // actions [B, T-1, A] led to frames 1..T-1.
  DynamicsState Begin(const torch::Tensor& history, const torch::Tensor& past_actions,
                      const torch::Tensor& centres) const;
};

// {scenes, latents [B, M, L] (not standardised)} -> Gaussians: shorthand for
// tokenizer->Decode(Destandardise(...)).
Gaussians DecodeStandardised(const WorldModel& model, const torch::Tensor& standardised,
                             const Anchors& anchors);

}  // namespace gwm

#endif  // GWM_ENGINE_MODEL_WORLD_MODEL_H_
