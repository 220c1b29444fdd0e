#include "clients/policies/head_factory.h"

namespace gwm::policies {
namespace {

std::shared_ptr<Denoiser> MakeDenoiser(const PolicyConfig& config) {
  const ChunkSpec& spec = config.spec;
  if (config.denoiser == DenoiserKind::kUnet) {
    return ConditionalUnet1d(spec.action_dim, spec.observation_steps * spec.observation_dim,
                             config.unet)
        .ptr();
  }
  return TransformerForDiffusion(spec.action_dim, spec.horizon, spec.observation_dim,
                                 spec.observation_steps, config.transformer)
      .ptr();
}

std::unique_ptr<ChunkHead> MakeUndrawn(const PolicyConfig& config) {
  switch (config.head) {
    case HeadKind::kMse:
      return std::make_unique<MseHead>(config.spec, config.mlp);
    case HeadKind::kGmm:
      return std::make_unique<GmmHead>(config.spec, config.gmm);
    case HeadKind::kDiffusion:
      return std::make_unique<DiffusionHead>(MakeDenoiser(config), config.diffusion);
    case HeadKind::kFlow:
      break;
  }
  return std::make_unique<FlowHead>(MakeDenoiser(config), config.flow);
}

}  // namespace

std::unique_ptr<ChunkHead> MakeHead(const PolicyConfig& config) {
  std::unique_ptr<ChunkHead> head = MakeUndrawn(config);
  DrawWeights(head->network(), CounterRandom(config.seed));
  return head;
}

}  // namespace gwm::policies
