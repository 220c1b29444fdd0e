#include "engine/runtime/model_world.h"

#include "absl/strings/str_cat.h"
#include "engine/base/catch_torch.h"
#include "engine/base/status.h"
#include "engine/base/tensor_convert.h"
#include "engine/model/edm.h"
#include "engine/model/pixel_frame.h"
#include "engine/model/set_points.h"
#include "engine/model/step_noise.h"
#include "engine/runtime/pool_frames.h"
#include "engine/runtime/reset_frames.h"
#include "engine/scene/camera.h"
#include "engine/scene/render.h"

namespace gwm {
namespace {

constexpr uint64_t kFeatureSeed = 0;  // features are a function of the state alone
// Rows of one network evaluation: beyond this the batch gains nothing and costs memory.
constexpr size_t kMaxFeatureRows = 64;

absl::Status CheckStates(size_t count, const auto& state_of) {
  for (size_t i = 0; i < count; ++i) {
    if (state_of(i) == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat("row ", i, " has no state"));
    }
  }
  return absl::OkStatus();
}

int64_t AnchorBytes(const Anchors& anchors) {
  int64_t bytes = 0;
  const auto& g = anchors.reset.gaussians;
  for (const torch::Tensor* t : {&anchors.centres, &anchors.latents, &g.means, &g.log_scales,
                                 &g.quats, &g.sh, &g.opacity_logits}) {
    bytes += static_cast<int64_t>(t->nbytes());
  }
  for (const auto& t : anchors.cache) bytes += static_cast<int64_t>(t.nbytes());
  return bytes;
}

}  // namespace

ModelWorld::ModelWorld(LoadedCheckpoint checkpoint, io::TensorFile reset_pool)
    : model_(std::move(checkpoint.model)),
      reset_pool_(std::move(reset_pool)),
      layout_(model_->config) {}

absl::StatusOr<std::unique_ptr<ModelWorld>> ModelWorld::Create(LoadedCheckpoint checkpoint,
                                                               io::TensorFile reset_pool,
                                                               const Options& options) {
  const std::string digest = checkpoint.digest;
  std::unique_ptr<ModelWorld> world(new ModelWorld(std::move(checkpoint), std::move(reset_pool)));
  GWM_RETURN_IF_ERROR(
      CatchTorch("opening the world", [&]() { return world->FillSpec(digest, options); }));
  return world;
}

absl::Status ModelWorld::FillSpec(const std::string& digest, const Options& options) {
  const auto& c = model_->config;
  spec_.model_id = c.profile;
  spec_.checkpoint_digest = digest;
  spec_.device = options.device_name;
  spec_.precision = PrecisionName(options.compute.precision);
  spec_.compute = options.compute.why;
  spec_.action_dim = static_cast<int>(c.action_dim);
  spec_.context_frames = static_cast<int>(ResetHistory(c));
  spec_.views = static_cast<int>(c.views);
  spec_.height = static_cast<int>(c.height);
  spec_.width = static_cast<int>(c.width);
  spec_.tokens = static_cast<int>(c.tokens());
  spec_.latent_dim = static_cast<int>(c.tokenizer.latent_dim);
  spec_.feature_dim = static_cast<int>(c.dynamics.width);
  spec_.default_sampler_calls = static_cast<int>(c.diffusion.calls);
  spec_.max_sampler_calls = static_cast<int>(c.diffusion.max_calls);
  spec_.sampler = c.diffusion.heun ? SamplerKind::kHeun : SamplerKind::kEuler;
  spec_.control_dt_s = c.control_dt_s;
  spec_.training_horizon = 20;
  spec_.tasks = c.tasks;
  spec_.tells_expected_error = model_->error != nullptr;
  GWM_ASSIGN_OR_RETURN(spec_.reset_pool_size, CountPoolFrames(reset_pool_, c));
  // One made-up frame tells the sizes of a state, whichever tokenizer it is.
  torch::NoGradGuard no_grad;
  auto pixels = torch::full({1, c.views, 4, c.height, c.width}, 0.5, model_->device());
  auto intrinsics = torch::eye(3).repeat({1, c.views, 1, 1}) *
                    torch::tensor({static_cast<float>(c.width), static_cast<float>(c.width), 1.0F});
  auto poses = torch::eye(4).repeat({1, c.views, 1, 1});
  auto probe = model_->tokenizer->ChooseAnchors(SceneFromPixels(
      pixels, intrinsics.to(model_->device()), poses.to(model_->device()), c.gaussian_size));
  spec_.gaussians = DecodeStandardised(*model_, model_->Standardise(probe.latents), probe).count();
  const int64_t frame_bytes = c.views * (c.height * c.width * 5 + (9 + 16) * 4);
  spec_.state_bytes = layout_.floats() * 4 + AnchorBytes(probe) + frame_bytes;
  spec_.pool_states = options.pool_bytes / spec_.state_bytes;
  if (spec_.pool_states < 2) {
    return absl::InvalidArgumentError(absl::StrCat("pool_bytes is ", options.pool_bytes,
                                                   "; stepping needs two states of ",
                                                   spec_.state_bytes));
  }
  pool_ = StatePool::Create(spec_.pool_states, layout_.floats(), model_->device());
  if (spec_.reset_pool_size > 0) {
    const auto frames = PoolFrames(reset_pool_, 0);
    for (int v = 0; v < spec_.views; ++v) {
      Camera camera{.width = spec_.width, .height = spec_.height};
      std::copy_n(frames.intrinsics.values<float>().data() + 9 * v, 9, camera.intrinsics.begin());
      std::copy_n(frames.world_from_cam.values<float>().data() + 16 * v, 16,
                  camera.world_from_cam.begin());
      spec_.cameras.push_back(camera);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<StatePtr> ModelWorld::Store(const torch::Tensor& row,
                                           std::shared_ptr<const Episode> episode) {
  GWM_ASSIGN_OR_RETURN(auto slots, pool_->Acquire(1));
  pool_->slab()[slots[0]->index()].copy_(row);
  return StatePtr(std::make_shared<ModelState>(std::move(slots[0]), std::move(episode)));
}

DynamicsState ModelWorld::Gather(const std::vector<const ModelState*>& rows) {
  std::vector<int64_t> index;
  for (const ModelState* row : rows) index.push_back(row->slot->index());
  auto where = torch::tensor(index, torch::kLong).to(model_->device());
  return layout_.Unpack(pool_->slab().index_select(0, where));
}

absl::StatusOr<StatePtr> ModelWorld::ResetOne(const ResetRequest& row) {
  if (row.frames.has_value() == row.pool_index.has_value()) {
    return absl::InvalidArgumentError("reset: give either frames or a pool entry");
  }
  PooledFrames pooled;
  RgbdFrames frames;
  if (row.pool_index.has_value()) {
    if (*row.pool_index < 0 || *row.pool_index >= spec_.reset_pool_size) {
      return absl::InvalidArgumentError(absl::StrCat(
          "reset: pool entry ", *row.pool_index, ", allowed are 0 to ", spec_.reset_pool_size - 1));
    }
    pooled = PoolFrames(reset_pool_, *row.pool_index);
    frames = pooled.view();
  } else {
    frames = *row.frames;
  }
  const auto& c = model_->config;
  GWM_ASSIGN_OR_RETURN(auto real, ReadResetFrames(frames, c));
  torch::NoGradGuard no_grad;
  for (auto& scene : real.scenes) scene = SceneTo(scene, model_->device());
  auto episode = std::make_shared<Episode>(
      Episode{StartFrame::NewestOf(frames), model_->tokenizer->ChooseAnchors(real.scenes.back())});
  const Anchors& anchors = episode->anchors;
  std::vector<torch::Tensor> history;
  for (size_t i = 0; i + 1 < real.scenes.size(); ++i) {
    history.push_back(model_->tokenizer->Encode(real.scenes[i], anchors).mean);
  }
  history.push_back(anchors.latents);
  auto state = model_->Begin(model_->Standardise(torch::stack(history, 1)),
                             real.past_actions.to(model_->device()), anchors.centres);
  return Store(layout_.Pack(state).squeeze(0), std::move(episode));
}

absl::StatusOr<std::vector<StatePtr>> ModelWorld::Reset(const std::vector<ResetRequest>& rows) {
  return CatchTorch("Reset", [&]() -> absl::StatusOr<std::vector<StatePtr>> {
    std::vector<StatePtr> states;
    for (const auto& row : rows) {
      GWM_ASSIGN_OR_RETURN(auto state, ResetOne(row));
      states.push_back(std::move(state));
    }
    return states;
  });
}

gwm::Gaussians ModelWorld::DecodeState(const ModelState& state) {
  torch::NoGradGuard no_grad;
  const auto dynamics = Gather({&state});
  auto latents = dynamics.context.select(1, dynamics.context.size(1) - 1);
  return DecodeStandardised(*model_, latents, state.episode->anchors)[0];
}

absl::StatusOr<std::vector<RenderedView>> ModelWorld::Render(const std::vector<RenderRequest>& rows,
                                                             const RenderOptions& options) {
  GWM_RETURN_IF_ERROR(CheckStates(rows.size(), [&](size_t i) { return rows[i].state.get(); }));
  return CatchTorch("Render", [&]() -> absl::StatusOr<std::vector<RenderedView>> {
    torch::NoGradGuard no_grad;
    std::vector<RenderedView> views;
    gwm::Gaussians gaussians;
    for (size_t i = 0; i < rows.size(); ++i) {
      // Several cameras on one state come as neighbouring rows: decode once.
      if (i == 0 || rows[i].state != rows[i - 1].state)
        gaussians = DecodeState(AsModelState(rows[i].state));
      const auto cameras = CamerasFrom({&rows[i].camera, 1}, model_->device());
      auto image = gwm::Render(gaussians, cameras, StateRenderOptions(gaussians));
      RenderedView view;
      if ((options.outputs & kRenderRgb) != 0) {
        view.rgb =
            ToHost(options.rgb_dtype == DType::kU8 ? ToU8(image.rgb[0]) : image.rgb[0].clamp(0, 1));
      }
      if ((options.outputs & kRenderDepth) != 0) view.depth = ToHost(image.depth[0]);
      if ((options.outputs & kRenderAlpha) != 0) view.alpha = ToHost(image.alpha[0]);
      views.push_back(std::move(view));
    }
    return views;
  });
}

absl::StatusOr<std::vector<Camera>> ModelWorld::Cameras(const StatePtr& state) {
  GWM_RETURN_IF_ERROR(CheckStates(1, [&](size_t) { return state.get(); }));
  return CatchTorch("Cameras", [&]() -> absl::StatusOr<std::vector<Camera>> {
    const auto& scene = AsModelState(state).episode->anchors.reset;
    const gwm::Cameras cameras{scene.intrinsics[0].cpu(), scene.world_from_cam[0].cpu(),
                               scene.height, scene.width};
    std::vector<Camera> out;
    for (int64_t v = 0; v < cameras.count(); ++v) out.push_back(CameraAt(cameras, v));
    return out;
  });
}

absl::StatusOr<GaussianCloud> ModelWorld::Gaussians(const StatePtr& state) {
  GWM_RETURN_IF_ERROR(CheckStates(1, [&](size_t) { return state.get(); }));
  return CatchTorch("Gaussians", [&]() -> absl::StatusOr<GaussianCloud> {
    return ToCloud(DecodeState(AsModelState(state)));
  });
}

absl::StatusOr<GaussianCloud> ModelWorld::SampleGaussians(const StatePtr& state, int64_t count) {
  GWM_RETURN_IF_ERROR(CheckStates(1, [&](size_t) { return state.get(); }));
  if (count < 1 || count > spec_.gaussians) {
    return absl::InvalidArgumentError(
        absl::StrCat("count is ", count, ", allowed are 1 to ", spec_.gaussians));
  }
  return CatchTorch("SampleGaussians", [&]() -> absl::StatusOr<GaussianCloud> {
    torch::NoGradGuard no_grad;
    const gwm::Gaussians all = DecodeState(AsModelState(state));
    return ToCloud(all.Index(SampleFarthest(all.means.unsqueeze(0), count)[0]));
  });
}

absl::StatusOr<LatentTokens> ModelWorld::Latents(const StatePtr& state) {
  GWM_RETURN_IF_ERROR(CheckStates(1, [&](size_t) { return state.get(); }));
  return CatchTorch("Latents", [&]() -> absl::StatusOr<LatentTokens> {
    const auto dynamics = Gather({&AsModelState(state)});
    return LatentTokens{ToHost(dynamics.context[0][dynamics.context.size(1) - 1]),
                        ToHost(dynamics.centres[0])};
  });
}

absl::StatusOr<StatePtr> ModelWorld::WithLatents(const StatePtr& state, const TensorView& latents) {
  GWM_RETURN_IF_ERROR(CheckStates(1, [&](size_t) { return state.get(); }));
  return CatchTorch("WithLatents", [&]() -> absl::StatusOr<StatePtr> {
    const bool fits = latents.dtype == DType::kF32 && latents.shape.size() == 2 &&
                      latents.shape[0] == spec_.tokens && latents.shape[1] == spec_.latent_dim;
    if (!fits) {
      return absl::InvalidArgumentError(
          absl::StrCat("latents must be f32 [", spec_.tokens, ", ", spec_.latent_dim, "]"));
    }
    auto values = ToTorch(latents, model_->device());
    if (!torch::isfinite(values).all().item<bool>()) {
      return absl::InvalidArgumentError("latents hold a number that is not finite");
    }
    auto dynamics = Gather({&AsModelState(state)});
    dynamics.context[0][dynamics.context.size(1) - 1].copy_(values);
    return Store(layout_.Pack(dynamics).squeeze(0), AsModelState(state).episode);
  });
}

torch::Tensor ModelWorld::HiddenTokens(const std::vector<const ModelState*>& rows) {
  const auto count = static_cast<int64_t>(rows.size());
  const auto options = torch::TensorOptions().device(model_->device());
  const auto cache =
      model_->Prepare(Gather(rows), torch::zeros({count, model_->config.action_dim}, options),
                      torch::zeros({count}, options.dtype(torch::kBool)));
  const auto noise = StepNoise(model_->config, {.seed = kFeatureSeed}).to(model_->device());
  torch::Tensor features;
  Sample(*model_->dynamics, cache, model_->config.diffusion, 1, noise.expand({count, -1, -1}),
         &features);
  return features;
}

absl::StatusOr<std::vector<HostTensor>> ModelWorld::Features(const std::vector<StatePtr>& rows) {
  GWM_RETURN_IF_ERROR(CheckStates(rows.size(), [&](size_t i) { return rows[i].get(); }));
  return CatchTorch("Features", [&]() -> absl::StatusOr<std::vector<HostTensor>> {
    torch::NoGradGuard no_grad;
    // A matrix product of another size may be summed in another order on a GPU.
    const size_t together = model_->device().is_cpu() ? kMaxFeatureRows : 1;
    std::vector<HostTensor> out;
    for (size_t begin = 0; begin < rows.size(); begin += together) {
      std::vector<const ModelState*> batch;
      for (size_t i = begin; i < std::min(rows.size(), begin + together); ++i) {
        batch.push_back(&AsModelState(rows[i]));
      }
      const auto features = HiddenTokens(batch);
      for (int64_t i = 0; i < features.size(0); ++i) out.push_back(ToHost(features[i]));
    }
    return out;
  });
}

}  // namespace gwm
