#include "server/work/imagine_rollout.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "server/base/error.h"
#include "server/base/status.h"
#include "server/work/step_work.h"

namespace gwm::server {
namespace {

// Branch b draws from the stream of environment (b << kBranchShift) + env: branch 0 is the
// session's own stream. Limits keep env ids below 2^16 (kBranchShift) and branches below 2^16.
constexpr int kBranchShift = 16;

}  // namespace

// Holds the rollout: a stream that ends early lets go of it only when its last work is gone.
class ImagineRollout::StepOfAll : public StepWork {
 public:
  explicit StepOfAll(std::shared_ptr<ImagineRollout> rollout)
      : StepWork(rollout->call_, nullptr, rollout->world_, rollout->Shape()),
        rollout_(std::move(rollout)) {}

  absl::StatusOr<std::vector<StepRequest>> Begin() override { return rollout_->Rows(); }
  void Complete(World& world, std::span<StepRow> results, const RunTiming&) override {
    rollout_->Absorb(world, results);
  }
  void Refuse(const absl::Status& status) override { rollout_->Answer(status); }

 private:
  std::shared_ptr<ImagineRollout> rollout_;
};

absl::StatusOr<std::shared_ptr<ImagineRollout>> ImagineRollout::Create(
    std::shared_ptr<CallHandle> call, RolloutStart start, ImagineArgs args, DeviceThread* device,
    OnChunk on_chunk) {
  if (start.env.phase != EnvPhase::kRunning) {
    return MakeError(absl::StatusCode::kFailedPrecondition,
                     "the state to start from is the end of an episode",
                     {.reason = std::string(kNeedsReset), .field = "state"});
  }
  if (args.seed.has_value()) start.env.seed = *args.seed;
  return std::shared_ptr<ImagineRollout>(
      new ImagineRollout(std::move(call), std::move(start), args, device, std::move(on_chunk)));
}

ImagineRollout::ImagineRollout(std::shared_ptr<CallHandle> call, RolloutStart start,
                               ImagineArgs args, DeviceThread* device, OnChunk on_chunk)
    : call_(std::move(call)),
      world_(std::move(start.world)),
      session_(std::move(start.session)),
      args_(args),
      device_(device),
      on_chunk_(std::move(on_chunk)),
      start_(std::move(start.env)),
      max_episode_steps_(start.max_episode_steps),
      branches_(args_.branches, Branch{.state = start_.state}) {
  start_.state = nullptr;
}

int ImagineRollout::live() const {
  return static_cast<int>(
      std::count_if(branches_.begin(), branches_.end(), [](const Branch& b) { return !b.done; }));
}

void ImagineRollout::RequestChunk() {
  awaited_ = true;
  if (t_ > 0) call_->latency().Start(device_->clock().Now());
  SubmitStep();
}

void ImagineRollout::Answer(absl::StatusOr<ImagineResult> result) {
  if (!std::exchange(awaited_, false)) return;
  if (!result.ok() || result->last) LetGo();
  if (result.ok()) result->latency = call_->latency().Close(device_->clock().Now());
  on_chunk_(std::move(result));
}

void ImagineRollout::LetGo() {
  session_.reset();
  branches_.clear();
}

StepShape ImagineRollout::Shape() const {
  const bool shows = args_.outputs != 0 && chunk_.size() + 1 == args_.stride;
  return {.rows = live(),
          .sampler = args_.sampler,
          .shown = shows ? live() : 0,
          .repeats = static_cast<int>(args_.steps - t_)};
}

void ImagineRollout::SubmitStep() {
  device_->Submit(std::make_unique<StepOfAll>(shared_from_this()),
                  t_ == 0 ? Admission::kIfRoom : Admission::kAlways);
}

std::vector<StepRequest> ImagineRollout::Rows() const {
  const size_t action_dim = args_.actions.size() / (size_t{args_.action_rows} * args_.steps);
  std::vector<StepRequest> rows;
  for (uint32_t b = 0; b < args_.branches; ++b) {
    if (branches_[b].done) continue;
    const size_t action_row = args_.action_rows == 1 ? 0 : b;
    const Env env = BranchEnv(b);
    rows.push_back(
        {.state = branches_[b].state,
         .action = args_.actions.subspan((action_row * args_.steps + t_) * action_dim, action_dim),
         .noise = NextNoise(env),
         .age = env.age()});
  }
  return rows;
}

void ImagineRollout::Absorb(World& world, std::span<StepRow> rows) {
  std::vector<StepRow> step(args_.branches);  // a branch that is done keeps reward 0
  computed_rows_ += rows.size();
  auto next = rows.begin();
  for (uint32_t b = 0; b < args_.branches; ++b) {
    Branch& branch = branches_[b];
    step[b].expected_error = branch.expected_error;
    if (branch.done) continue;
    if (next->status.ok()) {
      branch.state = std::move(next->next);
      branch.done = branch.terminated = next->terminated;
      branch.steps = t_ + 1;
      branch.expected_error = next->expected_error.value_or(0);
      step[b] = *next;  // without its state: a chunk in the making holds none
    } else {
      branch.status = next->status;
      branch.done = true;
    }
    ++next;
  }
  chunk_.push_back(std::move(step));
  ++t_;
  if (t_ < args_.steps && live() > 0 && chunk_.size() < args_.stride) {
    SubmitStep();
  } else {
    Deliver(world);
  }
}

Env ImagineRollout::BranchEnv(uint32_t b) const {
  Env env = start_;
  env.state = branches_[b].state;
  if (!args_.common_noise) env.noise_env += b << kBranchShift;
  env.steps += branches_[b].steps;
  if (branches_[b].terminated) env.phase = EnvPhase::kDone;
  return env;
}

absl::StatusOr<std::vector<StateContent>> ImagineRollout::FinalStates(World& world) const {
  std::vector<StateContent> states;
  for (uint32_t b = 0; b < args_.branches; ++b) {
    ASSIGN_OR_RETURN(StateContent content, ContentOf(world, BranchEnv(b), max_episode_steps_));
    states.push_back(std::move(content));
  }
  return states;
}

void ImagineRollout::TakeChunk(bool expected_errors, ImagineResult& result) {
  for (uint32_t b = 0; b < args_.branches; ++b) {
    for (const auto& step : chunk_) {
      result.reward.push_back(step[b].reward);
      result.terminated.push_back(step[b].terminated);
      result.success.push_back(step[b].success);
      if (expected_errors) result.expected_error.push_back(step[b].expected_error.value_or(0));
    }
    result.done.push_back(branches_[b].done);
    result.branch_status.push_back(branches_[b].status);
  }
  chunk_.clear();
}

void ImagineRollout::Deliver(World& world) {
  ImagineResult result{.t = t_,
                       .steps = static_cast<uint32_t>(chunk_.size()),
                       .computed_rows = std::exchange(computed_rows_, 0),
                       .sampler_calls = static_cast<uint32_t>(
                           DenoiserCalls(args_.sampler.sampler, args_.sampler.sampler_calls)),
                       .last = t_ == args_.steps || live() == 0};
  std::vector<Viewed> views;
  for (const Branch& branch : branches_) {
    views.push_back(
        {branch.state, args_.camera.has_value() ? std::vector{*args_.camera} : start_.cameras});
  }
  TakeChunk(world.spec().tells_expected_error, result);
  if (result.last && args_.final_states) {
    auto states = FinalStates(world);
    if (!states.ok()) return Answer(states.status());
    result.final_states = *std::move(states);
  }
  auto observations = Observe(world, views, args_.outputs);
  views.clear();
  if (!observations.ok()) {
    Answer(observations.status());
    return;
  }
  result.observations = *std::move(observations);
  Answer(std::move(result));
}

}  // namespace gwm::server
