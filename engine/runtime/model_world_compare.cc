// ModelWorld::Compare: a state beside what really happened.
#include <cmath>

#include "engine/base/catch_torch.h"
#include "engine/base/status.h"
#include "engine/base/tensor_convert.h"
#include "engine/model/pixel_frame.h"
#include "engine/runtime/model_world.h"
#include "engine/runtime/reset_frames.h"
#include "engine/runtime/start_frame.h"
#include "engine/scene/render.h"

namespace gwm {

absl::StatusOr<Comparison> ModelWorld::Compare(const StatePtr& state, const RgbdFrames& frames) {
  if (state == nullptr) return absl::InvalidArgumentError("compare: no state");
  return CatchTorch("Compare", [&]() -> absl::StatusOr<Comparison> {
    torch::NoGradGuard no_grad;
    GWM_ASSIGN_OR_RETURN(const auto real, ReadResetFrames(frames, model_->config));
    const auto scene = SceneTo(real.scenes.back(), model_->device());
    const auto& own = AsModelState(state);
    const auto dynamics = Gather({&own});
    const auto imagined = dynamics.context.select(1, dynamics.context.size(1) - 1);
    // At the anchors of the state, so that the tokens of both correspond.
    const auto actual =
        model_->Standardise(model_->tokenizer->Encode(scene, own.episode->anchors).mean);
    const auto gaussians = DecodeState(own);
    const gwm::Cameras cameras{scene.intrinsics[0], scene.world_from_cam[0], scene.height,
                               scene.width};
    const auto image = gwm::Render(gaussians, cameras, StateRenderOptions(gaussians)).rgb;
    const auto seen = ToTorch(StartFrame::NewestOf(frames).rgb, model_->device())[0] / 255.0F;
    // Standardised latents vary by sigma_data; the error head learns the same share.
    const double sigma = model_->config.diffusion.sigma_data;
    const Comparison out{
        .latent_error = ((imagined - actual) / sigma).square().mean().item<float>(),
        .image_error = (image.clamp(0, 1) - seen).square().mean().item<float>()};
    if (!std::isfinite(out.latent_error) || !std::isfinite(out.image_error)) {
      return absl::DataLossError("the state, or what is encoded of the frame, is not finite");
    }
    return out;
  });
}

}  // namespace gwm
