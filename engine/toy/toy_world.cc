#include "engine/toy/toy_world.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/io/sha256.h"
#include "engine/toy/sample_cloud.h"

namespace gwm::toy {
namespace {

constexpr char kStateName[] = "state";
// Raised whenever a task's dynamics, rewards or pictures change: states and digests of another
// version are those of another world.
constexpr int kVersion = 1;

struct ToyState final : WorldState {
  ToyState(std::vector<float> entries, std::shared_ptr<std::atomic<int64_t>> count)
      : values(std::move(entries)), live(std::move(count)) {
    ++*live;
  }
  ~ToyState() override { --*live; }

  const std::vector<float> values;  // [S]
  const std::shared_ptr<std::atomic<int64_t>> live;
};

std::span<const float> Values(const StatePtr& state) {
  return static_cast<const ToyState&>(*state).values;
}

struct ToyStep final : StepInProgress {
  explicit ToyStep(const StepRequest& row)
      : state(row.state), action(row.action.begin(), row.action.end()) {}
  int calls_left() const override { return done ? 0 : 1; }
  StepRow TakeResult() override { return std::move(result); }

  const StatePtr state;
  const std::vector<float> action;
  bool done = false;
  StepRow result;
};

HostTensor Row(const std::vector<float>& values) {
  return HostTensor::From<float>({1, static_cast<int64_t>(values.size())}, std::span(values));
}

// Onto [-1, 1] and back.
std::vector<float> ToLatents(const TaskSpec& task, std::span<const float> state) {
  std::vector<float> latents(state.size());
  for (size_t i = 0; i < state.size(); ++i) {
    const float least = task.least_state[i], greatest = task.greatest_state[i];
    latents[i] = 2 * (state[i] - least) / (greatest - least) - 1;
  }
  return latents;
}
std::vector<float> FromLatents(const TaskSpec& task, std::span<const float> latents) {
  std::vector<float> state(latents.size());
  for (size_t i = 0; i < latents.size(); ++i) {
    const float least = task.least_state[i], greatest = task.greatest_state[i];
    state[i] = std::clamp(least + (latents[i] + 1) / 2 * (greatest - least), least, greatest);
  }
  return state;
}

bool IsState(const TaskSpec& task, std::span<const float> values) {
  for (size_t i = 0; i < values.size(); ++i) {
    // Not a number compares false.
    if (!(values[i] >= task.least_state[i] && values[i] <= task.greatest_state[i])) return false;
  }
  return true;
}

WorldSpec SpecOf(const Task& task, int64_t pool_bytes) {
  const TaskSpec& toy = task.spec();
  const auto entries = static_cast<int>(toy.least_state.size());
  WorldSpec spec;
  spec.model_id = absl::StrCat("toy-", toy.name);
  spec.checkpoint_digest = io::Sha256Hex(absl::StrCat(spec.model_id, " ", kVersion));
  spec.device = "cpu";
  spec.precision = "fp32";
  spec.action_dim = toy.action_dim;
  spec.tokens = 1;
  spec.latent_dim = spec.feature_dim = entries;
  spec.state_bytes = static_cast<int64_t>(sizeof(ToyState)) + entries * 4;
  spec.pool_states = pool_bytes / spec.state_bytes;
  spec.reset_pool_size = ToyWorld::kStarts;
  spec.gaussians = static_cast<int64_t>(task.Draw(task.Start(0)).size());
  spec.cameras = {TopCamera()};
  spec.height = spec.cameras[0].height;
  spec.width = spec.cameras[0].width;
  spec.control_dt_s = toy.control_dt_s;
  spec.tasks = {toy.name};
  return spec;
}

absl::Status FramesError() {
  return absl::UnimplementedError(
      "a toy world cannot be reset from frames; an entry of the pool or a state is allowed");
}

}  // namespace

ToyWorld::ToyWorld(std::unique_ptr<Task> task, int64_t pool_bytes)
    : task_(std::move(task)), spec_(SpecOf(*task_, pool_bytes)) {}

absl::Status ToyWorld::CheckRoom(size_t states) const {
  if (*live_ + static_cast<int64_t>(states) <= spec_.pool_states) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("the state pool is full: ", spec_.pool_states, " states fit"));
}

StatePtr ToyWorld::Make(std::vector<float> values) {
  return std::make_shared<ToyState>(std::move(values), live_);
}

absl::StatusOr<std::vector<StatePtr>> ToyWorld::Reset(const std::vector<ResetRequest>& rows) {
  if (absl::Status room = CheckRoom(rows.size()); !room.ok()) return room;
  std::vector<StatePtr> states;
  for (const ResetRequest& row : rows) {
    if (!row.pool_index.has_value()) return FramesError();
    if (*row.pool_index < 0 || *row.pool_index >= kStarts) {
      return absl::InvalidArgumentError(
          absl::StrCat("pool_index: ", *row.pool_index, "; 0 to ", kStarts - 1, " is allowed"));
    }
    states.push_back(Make(task_->Start(static_cast<uint32_t>(*row.pool_index))));
  }
  return states;
}

absl::StatusOr<std::vector<StepInProgressPtr>> ToyWorld::BeginStep(
    const std::vector<StepRequest>& rows, const StepOptions&) {
  std::vector<StepInProgressPtr> begun;
  for (const StepRequest& row : rows) {
    if (row.action.size() != static_cast<size_t>(spec_.action_dim)) {
      return absl::InvalidArgumentError(absl::StrCat("action: ", row.action.size(), " entries; ",
                                                     spec_.action_dim, " are allowed"));
    }
    for (float entry : row.action) {
      if (!(entry >= spec_.action_min && entry <= spec_.action_max)) {
        return absl::InvalidArgumentError(absl::StrCat("action: ", entry, "; ", spec_.action_min,
                                                       " to ", spec_.action_max, " is allowed"));
      }
    }
    begun.push_back(std::make_unique<ToyStep>(row));
  }
  return begun;
}

absl::Status ToyWorld::Advance(std::span<StepInProgress* const> rows) {
  if (absl::Status room = CheckRoom(rows.size()); !room.ok()) return room;
  for (StepInProgress* row : rows) {
    auto& step = static_cast<ToyStep&>(*row);
    Transition made = task_->Step(Values(step.state), step.action);
    step.result = {.next = Make(std::move(made.next)),
                   .reward = made.reward,
                   .terminated = made.ended,
                   .success = made.success,
                   .success_probability = made.success ? 1.0F : 0.0F};
    step.done = true;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<RenderedView>> ToyWorld::Render(const std::vector<RenderRequest>& rows,
                                                           const RenderOptions& options) {
  std::vector<RenderedView> views;
  for (const RenderRequest& row : rows) {
    views.push_back(task_->Draw(Values(row.state)).Render(row.camera, options));
  }
  return views;
}

absl::StatusOr<std::vector<Camera>> ToyWorld::Cameras(const StatePtr&) { return spec_.cameras; }

absl::StatusOr<GaussianCloud> ToyWorld::Gaussians(const StatePtr& state) {
  return task_->Draw(Values(state)).Cloud();
}

absl::StatusOr<GaussianCloud> ToyWorld::SampleGaussians(const StatePtr& state, int64_t count) {
  if (count < 1 || count > spec_.gaussians) {
    return absl::InvalidArgumentError(
        absl::StrCat("count is ", count, ", allowed are 1 to ", spec_.gaussians));
  }
  return SampleCloud(task_->Draw(Values(state)).Cloud(), count);
}

absl::StatusOr<LatentTokens> ToyWorld::Latents(const StatePtr& state) {
  return LatentTokens{Row(ToLatents(task_->spec(), Values(state))), Row({0, 0, 0})};
}

absl::StatusOr<StatePtr> ToyWorld::WithLatents(const StatePtr&, const TensorView& latents) {
  if (absl::Status room = CheckRoom(1); !room.ok()) return room;
  const bool fits = latents.dtype == DType::kF32 && latents.elements() == spec_.latent_dim;
  if (!fits ||
      !std::ranges::all_of(latents.values<float>(), [](float v) { return std::isfinite(v); })) {
    return absl::InvalidArgumentError(
        absl::StrCat("latents: finite f32 [1, ", spec_.latent_dim, "] are allowed"));
  }
  return Make(FromLatents(task_->spec(), latents.values<float>()));
}

absl::StatusOr<StateTensors> ToyWorld::ExportState(const StatePtr& state) {
  const auto values = Values(state);
  StateTensors tensors;
  tensors[kStateName] = HostTensor::From<float>({static_cast<int64_t>(values.size())}, values);
  return tensors;
}

absl::StatusOr<StatePtr> ToyWorld::ImportState(const StateTensors& tensors) {
  if (absl::Status room = CheckRoom(1); !room.ok()) return room;
  const auto found = tensors.find(kStateName);
  const std::vector<int64_t> shape = {spec_.latent_dim};
  if (tensors.size() != 1 || found == tensors.end() || found->second.dtype != DType::kF32 ||
      found->second.shape != shape || !IsState(task_->spec(), found->second.values<float>())) {
    return absl::InvalidArgumentError(absl::StrCat("state: one tensor, f32 [", spec_.latent_dim,
                                                   "] within the bounds of the task, is allowed"));
  }
  const auto values = found->second.values<float>();
  return Make({values.begin(), values.end()});
}

absl::StatusOr<Comparison> ToyWorld::Compare(const StatePtr&, const RgbdFrames&) {
  return FramesError();
}

absl::StatusOr<std::vector<HostTensor>> ToyWorld::Features(const std::vector<StatePtr>& rows) {
  std::vector<HostTensor> features;
  for (const StatePtr& row : rows) features.push_back(Row(ToLatents(task_->spec(), Values(row))));
  return features;
}

}  // namespace gwm::toy
