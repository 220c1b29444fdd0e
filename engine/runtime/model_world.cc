#include "engine/runtime/model_world.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "engine/base/catch_torch.h"
#include "engine/base/status.h"
#include "engine/base/tensor_convert.h"
#include "engine/model/edm.h"
#include "engine/model/pixel_frame.h"
#include "engine/model/step_noise.h"
#include "engine/runtime/pool_frames.h"
#include "engine/runtime/reset_frames.h"
#include "engine/scene/camera.h"
#include "engine/scene/render.h"

namespace gwm {
namespace {

// Rows stepped at once: beyond this the batch gains nothing on a CPU and costs memory.
constexpr size_t kMaxBatch = 64;
constexpr uint64_t kFeatureSeed = 0;  // features are a function of the state alone
constexpr float kSuccessThreshold = 0.5F;

// Figures of a row are computed row by row: over an array of rows the vectorised functions give the
// rest beyond the last full vector other bits.
float Sigmoid(float x) {
  return static_cast<float>(1.0 / (1.0 + std::exp(-static_cast<double>(x))));
}

absl::Status CheckStates(size_t count, const auto& state_of) {
  for (size_t i = 0; i < count; ++i) {
    if (state_of(i) == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat("row ", i, " has no state"));
    }
  }
  return absl::OkStatus();
}

struct StepPrediction {
  torch::Tensor next;  // [B, M, L] standardised
  RewardOutput out;
  torch::Tensor expected_error;  // [B], undefined without an error head
};

// What the model is given, row by row.
struct StepInput {
  torch::Tensor action;  // [B, A]
  torch::Tensor noise;   // [B, M, L] standard normal
  torch::Tensor age;     // [B] steps since the reset, this one included
};

StepPrediction PredictTogether(const WorldModel& model, const DynamicsState& state,
                               const StepInput& input, int64_t calls) {
  StepPrediction p;
  p.next = model.PredictNext(state, input.action, calls, input.noise);
  const auto current = state.context.select(1, state.context.size(1) - 1);
  p.out = model.reward->forward(current, p.next, state.centres, input.action);
  p.expected_error = model.ExpectedError(state, p.next, input.age);
  return p;
}

// On the CPU one row at a time: vectorised functions give the rest beyond the last full vector
// other bits, so the rows of a batch would depend on how many there are. A row's own 64 tokens fill
// the matrix products; batching gains little there.
StepPrediction Predict(const WorldModel& model, const DynamicsState& state, const StepInput& input,
                       int64_t calls) {
  if (!input.noise.is_cpu()) return PredictTogether(model, state, input, calls);
  std::vector<torch::Tensor> next, reward, terminated, success, expected_error;
  for (int64_t b = 0; b < input.noise.size(0); ++b) {
    const auto row = [b](const torch::Tensor& x) { return x.narrow(0, b, 1).clone(); };
    const DynamicsState one{row(state.context), row(state.actions), row(state.centres)};
    auto p =
        PredictTogether(model, one, {row(input.action), row(input.noise), row(input.age)}, calls);
    next.push_back(p.next);
    reward.push_back(p.out.reward_logits);
    terminated.push_back(p.out.terminated_logits);
    success.push_back(p.out.success_logits);
    if (model.error) expected_error.push_back(p.expected_error);
  }
  return {torch::cat(next),
          {torch::cat(reward), torch::cat(terminated), torch::cat(success)},
          model.error ? torch::cat(expected_error) : torch::Tensor()};
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

absl::StatusOr<std::vector<StepRow>> ModelWorld::StepRows(const std::vector<StepRequest>& rows,
                                                          int64_t calls) {
  torch::NoGradGuard no_grad;
  GWM_ASSIGN_OR_RETURN(auto slots, pool_->Acquire(rows.size()));
  std::vector<const ModelState*> states;
  std::vector<torch::Tensor> actions, noise;
  std::vector<float> age;
  for (const auto& row : rows) {
    states.push_back(&AsModelState(row.state));
    actions.push_back(torch::tensor(std::vector<float>(row.action.begin(), row.action.end())));
    noise.push_back(StepNoise(model_->config, row.noise));
    age.push_back(static_cast<float>(row.age.value_or(row.noise.step)) + 1.0F);
  }
  const auto device = model_->device();
  auto state = Gather(states);
  auto action = torch::stack(actions).to(device);
  auto [next, out, expected_error] = Predict(
      *model_, state, {action, torch::cat(noise).to(device), torch::tensor(age).to(device)}, calls);
  auto terminated = out.terminated_logits.cpu();
  auto success = out.success_logits.cpu();
  auto finite = (torch::isfinite(next).flatten(1).all(1).cpu() &
                 torch::isfinite(out.reward_logits).all(1).cpu() & torch::isfinite(terminated) &
                 torch::isfinite(success));
  if (expected_error.defined()) finite = finite & torch::isfinite(expected_error).cpu();
  auto packed = layout_.Pack(model_->Advance(state, action, next));
  std::vector<StepRow> results(rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto b = static_cast<int64_t>(i);
    if (!finite[b].item<bool>()) {
      results[i].status = absl::DataLossError("the model's output is not finite");
      continue;
    }
    pool_->slab()[slots[i]->index()].copy_(packed[b]);
    results[i].next = std::make_shared<ModelState>(std::move(slots[i]), states[i]->episode);
    const auto logits = out.reward_logits.narrow(0, b, 1);
    results[i].reward = TwoHotValue(logits, model_->reward->symlog_limit()).item<float>();
    results[i].terminated = Sigmoid(terminated[b].item<float>()) > kSuccessThreshold;
    results[i].success_probability = Sigmoid(success[b].item<float>());
    results[i].success = results[i].success_probability > kSuccessThreshold;
    if (expected_error.defined()) results[i].expected_error = expected_error[b].item<float>();
  }
  return results;
}

absl::StatusOr<std::vector<StepRow>> ModelWorld::Step(const std::vector<StepRequest>& rows,
                                                      const StepOptions& options) {
  GWM_RETURN_IF_ERROR(CheckStates(rows.size(), [&](size_t i) { return rows[i].state.get(); }));
  const int64_t calls =
      options.sampler_calls > 0 ? options.sampler_calls : spec_.default_sampler_calls;
  if (options.sampler_calls < 0 || calls > spec_.max_sampler_calls) {
    return absl::InvalidArgumentError(absl::StrCat("sampler_calls is ", options.sampler_calls,
                                                   ", allowed are 1 to ", spec_.max_sampler_calls));
  }
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto& action = rows[i].action;
    const bool fits = std::all_of(action.begin(), action.end(), [&](float a) {
      return a >= spec_.action_min && a <= spec_.action_max;  // false for not-a-number
    });
    if (static_cast<int>(action.size()) != spec_.action_dim || !fits) {
      return absl::InvalidArgumentError(absl::StrCat("action of row ", i, " must be ",
                                                     spec_.action_dim, " numbers from ",
                                                     spec_.action_min, " to ", spec_.action_max));
    }
  }
  return CatchTorch("Step", [&]() -> absl::StatusOr<std::vector<StepRow>> {
    std::vector<StepRow> results;
    for (size_t begin = 0; begin < rows.size(); begin += kMaxBatch) {
      const size_t end = std::min(rows.size(), begin + kMaxBatch);
      GWM_ASSIGN_OR_RETURN(auto part, StepRows({rows.begin() + static_cast<std::ptrdiff_t>(begin),
                                                rows.begin() + static_cast<std::ptrdiff_t>(end)},
                                               calls));
      std::move(part.begin(), part.end(), std::back_inserter(results));
    }
    return results;
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

absl::StatusOr<std::vector<HostTensor>> ModelWorld::Features(const std::vector<StatePtr>& rows) {
  GWM_RETURN_IF_ERROR(CheckStates(rows.size(), [&](size_t i) { return rows[i].get(); }));
  return CatchTorch("Features", [&]() -> absl::StatusOr<std::vector<HostTensor>> {
    torch::NoGradGuard no_grad;
    const auto device = model_->device();
    std::vector<HostTensor> out;
    for (const auto& row : rows) {
      const auto state = Gather({&AsModelState(row)});
      auto action =
          torch::zeros({1, model_->config.action_dim}, torch::TensorOptions().device(device));
      auto mask = torch::zeros({1}, torch::TensorOptions().device(device).dtype(torch::kBool));
      auto cache = model_->Prepare(state, action, mask);
      auto noise = StepNoise(model_->config, {.seed = kFeatureSeed}).to(device);
      torch::Tensor features;
      Sample(*model_->dynamics, cache, model_->config.diffusion, 1, noise, &features);
      out.push_back(ToHost(features[0]));
    }
    return out;
  });
}

}  // namespace gwm
