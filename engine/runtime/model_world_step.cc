// ModelWorld::BeginStep and Advance: a step, one denoiser call at a time.
#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "engine/base/catch_torch.h"
#include "engine/base/status.h"
#include "engine/model/edm.h"
#include "engine/model/step_noise.h"
#include "engine/runtime/model_step.h"
#include "engine/runtime/model_world.h"

namespace gwm {
namespace {

// Rows denoised at once: beyond this the batch gains nothing and costs memory.
constexpr size_t kMaxBatch = 64;
constexpr float kSuccessThreshold = 0.5F;

// Figures of a row are computed row by row: over an array of rows the vectorised functions give the
// rest beyond the last full vector other bits.
float Sigmoid(float x) {
  return static_cast<float>(1.0 / (1.0 + std::exp(-static_cast<double>(x))));
}

using Rows = std::span<ModelStep* const>;

torch::Tensor CatOf(Rows rows, const auto& part) {
  std::vector<torch::Tensor> parts;
  for (const ModelStep* row : rows) parts.push_back(part(*row));
  return parts.size() == 1 ? parts.front() : torch::cat(parts);
}
torch::Tensor Actions(Rows rows) {
  return CatOf(rows, [](const ModelStep& row) { return row.action; });
}

std::vector<const ModelState*> StatesOf(Rows rows) {
  std::vector<const ModelState*> states;
  for (const ModelStep* row : rows) states.push_back(&AsModelState(row->state));
  return states;
}

// Where the sampler of each row is after one call.
std::vector<SamplerState> AfterCall(const WorldModel& model, Rows rows,
                                    const ConditionCache& cache) {
  std::vector<float> sigmas;
  for (const ModelStep* row : rows) sigmas.push_back(static_cast<float>(row->sampler.sigma()));
  const auto x = CatOf(rows, [](const ModelStep& row) { return row.sampler.x(); });
  const auto value = Denoise(*model.dynamics, x, torch::tensor(sigmas).to(x.device()), cache,
                             model.config.diffusion.sigma_data)
                         .value;
  std::vector<SamplerState> after;
  for (size_t i = 0; i < rows.size(); ++i) {
    after.push_back(rows[i]->sampler.After(value.narrow(0, static_cast<int64_t>(i), 1)));
  }
  return after;
}

}  // namespace

struct ModelWorld::Finished {
  torch::Tensor next;  // [B, M, L] standardised
  RewardOutput out;
  torch::Tensor expected_error;  // [B], undefined without an error head
};

absl::StatusOr<int64_t> ModelWorld::LevelsOf(const StepOptions& options) const {
  const int64_t levels =
      options.sampler_calls > 0 ? options.sampler_calls : spec_.default_sampler_calls;
  if (options.sampler_calls >= 0 && levels <= spec_.max_sampler_calls) return levels;
  return absl::InvalidArgumentError(absl::StrCat("sampler_calls is ", options.sampler_calls,
                                                 ", allowed are 1 to ", spec_.max_sampler_calls));
}

absl::Status ModelWorld::CheckStep(size_t i, const StepRequest& row) const {
  if (row.state == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("row ", i, " has no state"));
  }
  const bool fits = std::all_of(row.action.begin(), row.action.end(), [&](float a) {
    return a >= spec_.action_min && a <= spec_.action_max;  // false for not-a-number
  });
  if (static_cast<int>(row.action.size()) == spec_.action_dim && fits) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("action of row ", i, " must be ", spec_.action_dim,
                                                 " numbers from ", spec_.action_min, " to ",
                                                 spec_.action_max));
}

absl::StatusOr<std::vector<StepInProgressPtr>> ModelWorld::BeginStep(
    const std::vector<StepRequest>& rows, const StepOptions& options) {
  GWM_ASSIGN_OR_RETURN(const int64_t levels, LevelsOf(options));
  for (size_t i = 0; i < rows.size(); ++i) GWM_RETURN_IF_ERROR(CheckStep(i, rows[i]));
  return CatchTorch("BeginStep", [&]() -> absl::StatusOr<std::vector<StepInProgressPtr>> {
    torch::NoGradGuard no_grad;
    const auto device = model_->device();
    std::vector<StepInProgressPtr> begun;
    for (const StepRequest& row : rows) {
      const std::vector<float> action(row.action.begin(), row.action.end());
      const float age = static_cast<float>(row.age.value_or(row.noise.step)) + 1.0F;
      begun.push_back(std::make_unique<ModelStep>(
          row.state, torch::tensor(action).unsqueeze(0).to(device),
          torch::tensor(std::vector<float>{age}).to(device),
          SamplerState(model_->config.diffusion, options.sampler, levels,
                       StepNoise(model_->config, row.noise).to(device))));
    }
    return begun;
  });
}

ConditionCache ModelWorld::CachesOf(std::span<ModelStep* const> rows) {
  const bool all_new = std::none_of(rows.begin(), rows.end(),
                                    [](const ModelStep* row) { return row->cache.has_value(); });
  if (all_new) return model_->Prepare(Gather(StatesOf(rows)), Actions(rows));
  std::vector<ConditionCache> caches;
  for (ModelStep* row : rows) {
    caches.push_back(row->cache.has_value()
                         ? *row->cache
                         : model_->Prepare(Gather({&AsModelState(row->state)}), row->action));
  }
  return caches.size() == 1 ? caches.front() : CatRows(caches);
}

absl::Status ModelWorld::AdvanceTogether(std::span<ModelStep* const> rows,
                                         std::vector<Moved>& moved) {
  const ConditionCache cache = CachesOf(rows);
  const auto after = AfterCall(*model_, rows, cache);
  for (size_t i = 0; i < rows.size(); ++i) {
    Moved move{.row = rows[i], .sampler = after[i]};
    if (after[i].calls_left() > 0) {
      move.cache = rows.size() == 1 ? cache : RowOf(cache, static_cast<int64_t>(i));
    }
    moved.push_back(std::move(move));
  }
  return absl::OkStatus();
}

absl::Status ModelWorld::Advance(std::span<StepInProgress* const> rows) {
  return CatchTorch("Advance", [&]() -> absl::Status {
    torch::NoGradGuard no_grad;
    heads_time_ = absl::ZeroDuration();
    std::vector<ModelStep*> steps;
    for (StepInProgress* row : rows) steps.push_back(static_cast<ModelStep*>(row));
    // On the CPU one row at a time: vectorised functions give the rest beyond the last full vector
    // other bits, so the rows of a batch would depend on how many there are. A row's own tokens
    // fill the matrix products; batching gains little there.
    const size_t together = model_->device().is_cpu() ? 1 : kMaxBatch;
    std::vector<Moved> moved;
    for (size_t begin = 0; begin < steps.size(); begin += together) {
      const size_t count = std::min(together, steps.size() - begin);
      GWM_RETURN_IF_ERROR(AdvanceTogether(std::span(steps).subspan(begin, count), moved));
    }
    const absl::Time called_at = absl::Now();
    GWM_RETURN_IF_ERROR(FinishRows(moved, together));
    heads_time_ = absl::Now() - called_at;
    for (Moved& move : moved) {
      move.row->sampler = std::move(move.sampler);
      move.row->cache = std::move(move.cache);
      move.row->result = std::move(move.result);
    }
    return absl::OkStatus();
  });
}

absl::Status ModelWorld::FinishRows(std::vector<Moved>& moved, size_t together) {
  std::vector<Moved*> done;
  for (Moved& move : moved) {
    if (move.sampler.calls_left() == 0) done.push_back(&move);
  }
  if (done.empty()) return absl::OkStatus();
  GWM_ASSIGN_OR_RETURN(auto slots, pool_->Acquire(done.size()));
  for (size_t begin = 0; begin < done.size(); begin += together) {
    const auto part = std::span(done).subspan(begin, std::min(together, done.size() - begin));
    FinishTogether(part, std::span(slots).subspan(begin, part.size()));
  }
  return absl::OkStatus();
}

ModelWorld::Finished ModelWorld::Judge(const DynamicsState& state, const torch::Tensor& action,
                                       const torch::Tensor& age, const torch::Tensor& target) {
  const auto current = state.context.select(1, state.context.size(1) - 1);
  Finished finished;
  finished.next = model_->NextOf(current, target);
  finished.out = model_->reward->forward(current, finished.next, state.centres, action);
  finished.expected_error = model_->ExpectedError(state, finished.next, age);
  return finished;
}

void ModelWorld::FinishTogether(std::span<Moved* const> done,
                                std::span<std::unique_ptr<StatePool::Slot>> slots) {
  std::vector<ModelStep*> rows;
  std::vector<torch::Tensor> targets, ages;
  for (const Moved* move : done) {
    rows.push_back(move->row);
    targets.push_back(move->sampler.x());
    ages.push_back(move->row->age);
  }
  const auto state = Gather(StatesOf(rows));
  const auto action = Actions(rows);
  const auto [next, out, expected_error] =
      Judge(state, action, torch::cat(ages), torch::cat(targets));
  const auto terminated = out.terminated_logits.cpu();
  const auto success = out.success_logits.cpu();
  auto finite = (torch::isfinite(next).flatten(1).all(1).cpu() &
                 torch::isfinite(out.reward_logits).all(1).cpu() & torch::isfinite(terminated) &
                 torch::isfinite(success));
  if (expected_error.defined()) finite = finite & torch::isfinite(expected_error).cpu();
  const auto packed = layout_.Pack(model_->Advance(state, action, next));
  for (size_t i = 0; i < done.size(); ++i) {
    const auto b = static_cast<int64_t>(i);
    StepRow& result = done[i]->result;
    if (!finite[b].item<bool>()) {
      result.status = absl::DataLossError("the model's output is not finite");
      continue;
    }
    pool_->slab()[slots[i]->index()].copy_(packed[b]);
    result.next =
        std::make_shared<ModelState>(std::move(slots[i]), AsModelState(rows[i]->state).episode);
    const auto logits = out.reward_logits.narrow(0, b, 1);
    result.reward = TwoHotValue(logits, model_->reward->symlog_limit()).item<float>();
    result.terminated = Sigmoid(terminated[b].item<float>()) > kSuccessThreshold;
    result.success_probability = Sigmoid(success[b].item<float>());
    result.success = result.success_probability > kSuccessThreshold;
    if (expected_error.defined()) result.expected_error = expected_error[b].item<float>();
  }
}

}  // namespace gwm
