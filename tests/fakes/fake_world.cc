#include "tests/fakes/fake_world.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "absl/status/status.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"

namespace gwm::fakes {
namespace {

struct FakeState : WorldState {
  explicit FakeState(std::shared_ptr<FakeWorldControls> c) : controls(std::move(c)) {
    ++controls->live_states;
  }
  ~FakeState() override { --controls->live_states; }

  std::shared_ptr<FakeWorldControls> controls;
  float x[2] = {0, 0};
  uint64_t hash = 0;
  Camera camera;
};

struct FakeStep : StepInProgress {
  FakeStep(const StepRequest& row, const StepOptions& step_options)
      : action(row.action.begin(), row.action.end()), request(row), options(step_options) {
    request.action = action;
    if (options.sampler_calls == 0) options.sampler_calls = FakeSpec().default_sampler_calls;
    left = DenoiserCalls(options.sampler, options.sampler_calls);
  }
  int calls_left() const override { return left; }
  StepRow TakeResult() override { return std::move(result); }

  const std::vector<float> action;
  StepRequest request;
  StepOptions options;
  int left = 0;
  StepRow result;
};

const FakeState& Of(const StatePtr& state) { return static_cast<const FakeState&>(*state); }

uint64_t Mix(uint64_t hash, uint64_t value) {
  hash ^= value + 0x9e3779b97f4a7c15 + (hash << 6) + (hash >> 2);
  return hash * 0xff51afd7ed558ccd;
}

Camera DefaultCamera(int width, int height) {
  Camera camera{.width = width, .height = height};
  camera.intrinsics = {5, 0, 3, 0, 5, 2, 0, 0, 1};
  camera.world_from_cam = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
  return camera;
}

uint8_t Shade(float value) {
  return static_cast<uint8_t>(std::clamp(128 + 10 * value, 0.0f, 255.0f));
}

class FakeWorld : public World {
 public:
  explicit FakeWorld(std::shared_ptr<FakeWorldControls> controls)
      : controls_(std::move(controls)), spec_(FakeSpec()) {
    spec_.pool_states = controls_->pool_states;
    spec_.tells_expected_error = controls_->error_head;
    spec_.model_id = controls_->model_id;
    spec_.checkpoint_digest = controls_->digest;
    spec_.width = static_cast<int>(controls_->width);
    spec_.height = static_cast<int>(controls_->height);
    spec_.gaussians = controls_->gaussians;
    spec_.cameras = {DefaultCamera(spec_.width, spec_.height)};
  }

  const WorldSpec& spec() const override { return spec_; }

  absl::StatusOr<std::vector<StatePtr>> Reset(const std::vector<ResetRequest>& rows) override {
    if (controls_->lost) return absl::UnavailableError("lost on demand");
    if (!HasRoom(rows.size())) return PoolFull();
    if (controls_->on_call) controls_->on_call("reset");
    std::vector<StatePtr> states;
    for (const ResetRequest& row : rows) {
      auto state = std::make_shared<FakeState>(controls_);
      state->camera = spec_.cameras.front();
      if (row.frames.has_value()) {
        StartFrom(*row.frames, *state);
      } else {
        state->x[0] = static_cast<float>(*row.pool_index);
      }
      states.push_back(std::move(state));
    }
    return states;
  }

  absl::StatusOr<std::vector<StepInProgressPtr>> BeginStep(const std::vector<StepRequest>& rows,
                                                           const StepOptions& options) override {
    std::vector<StepInProgressPtr> begun;
    for (const StepRequest& row : rows) {
      begun.push_back(std::make_unique<FakeStep>(row, options));
    }
    return begun;
  }

  absl::Status Advance(std::span<StepInProgress* const> rows) override {
    if (controls_->hang_after_steps > 0 && --controls_->hang_after_steps == 0) {
      controls_->gate.Close();
    }
    controls_->gate.Pass();
    if (controls_->lose_after_steps > 0 && --controls_->lose_after_steps == 0) {
      controls_->lost = true;
    }
    if (controls_->lost) return absl::UnavailableError("lost on demand");
    SpendTime(static_cast<int64_t>(rows.size()));
    controls_->AddBatch(static_cast<int>(rows.size()));
    if (controls_->on_advance) controls_->on_advance(static_cast<int>(rows.size()));
    if (controls_->throw_in_step.exchange(false)) throw std::runtime_error("thrown on demand");
    size_t ending = 0;
    for (const StepInProgress* row : rows) {
      if (static_cast<const FakeStep*>(row)->request.action[0] == kThrowAction) {
        throw std::runtime_error("thrown for this row");
      }
      ending += row->calls_left() == 1 ? 1 : 0;
    }
    if (static_cast<int64_t>(rows.size()) > controls_->max_step_rows || !HasRoom(ending)) {
      return PoolFull();
    }
    for (StepInProgress* row : rows) {
      auto& step = static_cast<FakeStep&>(*row);
      if (--step.left == 0) step.result = StepOne(step.request, step.options);
    }
    return absl::OkStatus();
  }

  absl::Duration HeadsTime() const override { return controls_->heads_time; }

  absl::StatusOr<std::vector<RenderedView>> Render(const std::vector<RenderRequest>& rows,
                                                   const RenderOptions& options) override {
    if (controls_->on_call) controls_->on_call("render");
    if (controls_->fail_render) return absl::InternalError("render failed on demand");
    std::vector<RenderedView> views;
    for (const RenderRequest& row : rows) views.push_back(RenderOne(row, options));
    controls_->renders.Add(static_cast<int64_t>(rows.size()));
    return views;
  }

  absl::StatusOr<std::vector<Camera>> Cameras(const StatePtr& state) override {
    return std::vector<Camera>{Of(state).camera};
  }

  absl::StatusOr<GaussianCloud> Gaussians(const StatePtr& state) override {
    GaussianCloud cloud;
    const FakeState& s = Of(state);
    const std::vector<float> means = {s.x[0], s.x[1], 0};
    cloud.means = HostTensor::From<float>({1, 3}, std::span(means));
    cloud.log_scales = HostTensor::Zeros(DType::kF32, {1, 3});
    cloud.quats = HostTensor::Zeros(DType::kF32, {1, 4});
    cloud.sh = HostTensor::Zeros(DType::kF32, {1, 1, 3});
    cloud.opacity_logits = HostTensor::Zeros(DType::kF32, {1});
    return cloud;
  }

  absl::StatusOr<GaussianCloud> SampleGaussians(const StatePtr& state, int64_t) override {
    return Gaussians(state);  // there is one
  }

  absl::StatusOr<LatentTokens> Latents(const StatePtr& state) override {
    LatentTokens tokens{HostTensor::Zeros(DType::kF32, {3, 4}),
                        HostTensor::Zeros(DType::kF32, {3, 3})};
    const FakeState& s = Of(state);
    auto values = tokens.latents.mutable_values<float>();
    values[0] = s.x[0];
    values[1] = s.x[1];
    for (int i = 0; i < 4; ++i) values[2 + i] = static_cast<float>((s.hash >> (16 * i)) & 0xffff);
    return tokens;
  }

  absl::StatusOr<StatePtr> WithLatents(const StatePtr& state, const TensorView& latents) override {
    if (!HasRoom(1)) return PoolFull();
    auto copy = std::make_shared<FakeState>(controls_);
    copy->camera = Of(state).camera;
    copy->x[0] = latents.values<float>()[0];
    copy->x[1] = latents.values<float>()[1];
    return StatePtr(std::move(copy));
  }

  absl::StatusOr<StateTensors> ExportState(const StatePtr& state) override {
    const FakeState& s = Of(state);
    StateTensors tensors;
    tensors["x"] = HostTensor::From<float>({2}, std::span<const float>(s.x));
    tensors["hash"] = HostTensor::From<uint64_t>({1}, std::span(&s.hash, 1));
    tensors["pose"] =
        HostTensor::From<float>({16}, std::span<const float>(s.camera.world_from_cam));
    return tensors;
  }

  absl::StatusOr<StatePtr> ImportState(const StateTensors& tensors) override {
    if (!HasRoom(1)) return PoolFull();
    const auto x = tensors.find("x"), hash = tensors.find("hash"), pose = tensors.find("pose");
    if (tensors.size() != 3 || x == tensors.end() || hash == tensors.end() ||
        pose == tensors.end() || x->second.data.size() != 8 || hash->second.data.size() != 8 ||
        pose->second.data.size() != 64) {
      return absl::InvalidArgumentError("state: x, hash and pose are expected");
    }
    auto state = std::make_shared<FakeState>(controls_);
    std::copy_n(x->second.values<float>().begin(), 2, state->x);
    state->hash = hash->second.values<uint64_t>()[0];
    state->camera = spec_.cameras.front();
    std::copy_n(pose->second.values<float>().begin(), 16, state->camera.world_from_cam.begin());
    return StatePtr(std::move(state));
  }

  absl::StatusOr<Comparison> Compare(const StatePtr& state, const RgbdFrames& frames) override {
    FakeState real(controls_);
    StartFrom(frames, real);
    const float dx = Of(state).x[0] - real.x[0], dy = Of(state).x[1] - real.x[1];
    const float squared = dx * dx + dy * dy;
    return Comparison{.latent_error = squared, .image_error = squared / 100};
  }

  absl::StatusOr<std::vector<HostTensor>> Features(const std::vector<StatePtr>& rows) override {
    std::vector<HostTensor> out;
    for (const StatePtr& state : rows) {
      out.push_back(HostTensor::Zeros(DType::kF32, {3, 5}));
      out.back().mutable_values<float>()[0] = Of(state).x[0];
    }
    return out;
  }

 private:
  bool HasRoom(size_t rows) const {
    return controls_->live_states + static_cast<int64_t>(rows) <= controls_->pool_states;
  }
  static absl::Status PoolFull() { return absl::ResourceExhaustedError("the state pool is full"); }

  void StartFrom(const RgbdFrames& frames, FakeState& state) const {
    const auto rgb = frames.rgb.values<uint8_t>();
    const size_t newest = rgb.size() / static_cast<size_t>(frames.rgb.shape[0]) *
                          static_cast<size_t>(frames.rgb.shape[0] - 1);
    state.x[0] = static_cast<float>(rgb[newest]) / 255;
    state.x[1] = static_cast<float>(frames.rgb.shape[0] - 1);
    if (frames.actions.has_value()) {
      for (float a : frames.actions->values<float>()) state.x[1] += a;
    }
    const auto k = frames.intrinsics.values<float>();
    const auto pose = frames.world_from_cam.values<float>();
    std::copy_n(k.begin(), 9, state.camera.intrinsics.begin());
    std::copy_n(pose.begin(), 16, state.camera.world_from_cam.begin());
  }

  void SpendTime(int64_t rows) const {
    const int64_t us = controls_->step_us + rows * controls_->row_us;
    absl::Notification never;
    if (us > 0) never.WaitForNotificationWithTimeout(absl::Microseconds(us));
    const auto leak = static_cast<size_t>(controls_->leak_bytes);
    if (leak > 0) new std::string(leak, 'x');  // never deleted: that is the point
  }

  StepRow StepOne(const StepRequest& row, const StepOptions& options) const {
    if (row.action[0] == kPoisonAction) {
      return {.status = absl::DataLossError("the row is not finite")};
    }
    controls_->last_age = row.age.value_or(row.noise.step);
    const FakeState& before = Of(row.state);
    auto after = std::make_shared<FakeState>(controls_);
    after->camera = before.camera;
    after->hash = before.hash;
    for (uint64_t part : {row.noise.seed, uint64_t{row.noise.env}, uint64_t{row.noise.episode},
                          uint64_t{row.noise.step}, static_cast<uint64_t>(options.sampler_calls),
                          static_cast<uint64_t>(options.sampler == SamplerKind::kHeun)}) {
      after->hash = Mix(after->hash, part);
    }
    StepRow out;
    for (int i = 0; i < 2; ++i) {
      after->x[i] = before.x[i] + row.action[static_cast<size_t>(i)];
      out.reward += row.action[static_cast<size_t>(i)];
    }
    out.terminated = std::abs(after->x[0]) >= 10;
    out.success = after->x[1] >= 1;
    out.success_probability = out.success ? 1 : 0;
    if (spec_.tells_expected_error) out.expected_error = std::abs(after->x[0]) / 10;
    out.next = std::move(after);
    return out;
  }

  static RenderedView RenderOne(const RenderRequest& row, const RenderOptions& options) {
    const FakeState& s = Of(row.state);
    const int64_t h = row.camera.height, w = row.camera.width;
    RenderedView view;
    if (options.outputs & kRenderRgb) {
      const uint8_t colour[3] = {Shade(s.x[0]), Shade(s.x[1]), static_cast<uint8_t>(s.hash & 0xff)};
      view.rgb = HostTensor::Zeros(options.rgb_dtype, {h, w, 3});
      for (int64_t i = 0; i < w * 3; ++i) {
        const uint8_t value = colour[i % 3];
        if (options.rgb_dtype == DType::kU8) {
          view.rgb.data[static_cast<size_t>(i)] = static_cast<char>(value);
        } else {
          view.rgb.mutable_values<float>()[static_cast<size_t>(i)] =
              static_cast<float>(value) / 255;
        }
      }
      const size_t row_bytes = view.rgb.data.size() / static_cast<size_t>(h);
      for (size_t at = row_bytes; at < view.rgb.data.size(); at += row_bytes) {
        std::memcpy(&view.rgb.data[at], view.rgb.data.data(), row_bytes);
      }
    }
    if (options.outputs & kRenderDepth) view.depth = Filled(h, w, 1 + s.x[0]);
    if (options.outputs & kRenderAlpha) view.alpha = Filled(h, w, 1);
    return view;
  }

  static HostTensor Filled(int64_t h, int64_t w, float value) {
    HostTensor out = HostTensor::Zeros(DType::kF32, {h, w});
    for (float& v : out.mutable_values<float>()) v = value;
    return out;
  }

  std::shared_ptr<FakeWorldControls> controls_;
  WorldSpec spec_;
};

}  // namespace

WorldSpec FakeSpec() {
  WorldSpec spec;
  spec.model_id = "fake";
  spec.checkpoint_digest = "0123abcd";
  spec.device = "cpu";
  spec.precision = "fp32";
  spec.action_dim = 2;
  spec.context_frames = 2;
  spec.views = 1;
  spec.height = 4;
  spec.width = 6;
  spec.tokens = 3;
  spec.latent_dim = 4;
  spec.feature_dim = 5;
  spec.default_sampler_calls = 2;
  spec.max_sampler_calls = 4;
  spec.state_bytes = 100;
  spec.pool_states = 64;
  spec.reset_pool_size = 5;
  spec.gaussians = 1;
  spec.cameras = {DefaultCamera(spec.width, spec.height)};
  spec.control_dt_s = 0.025;
  spec.training_horizon = 20;
  spec.tasks = {"toy"};
  spec.tells_expected_error = true;
  return spec;
}

std::unique_ptr<World> MakeFakeWorld(std::shared_ptr<FakeWorldControls> controls) {
  return std::make_unique<FakeWorld>(std::move(controls));
}

}  // namespace gwm::fakes
