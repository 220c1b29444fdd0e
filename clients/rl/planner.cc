#include "clients/rl/planner.h"

#include <limits>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "clients/rl/checks.h"

namespace gwm::rl {
namespace {

// Draws of one plan: one per iteration, then the choice of an elite and the noise of the action.
constexpr uint64_t kDrawsPerPlan = uint64_t{1} << 16;
constexpr uint64_t kChoiceDraw = kDrawsPerPlan - 2, kNoiseDraw = kDrawsPerPlan - 1;

absl::Status CheckOptions(const PlannerOptions& o) {
  const auto refuse = [](const char* what) { return absl::InvalidArgumentError(what); };
  if (o.action_dim < 1) return refuse("action_dim must be positive");
  if (o.horizon < 1) return refuse("horizon must be positive");
  if (o.elites < 1 || o.elites > o.samples) return refuse("elites must be in 1..samples");
  if (o.iterations < 1 || o.iterations > 10000) return refuse("iterations must be in 1..10000");
  if (!(o.temperature >= 0)) return refuse("temperature must not be negative");
  if (!(o.least_std >= 0 && o.least_std <= o.most_std)) {
    return refuse("least_std must be in 0..most_std");
  }
  if (!(o.momentum >= 0 && o.momentum < 1)) return refuse("momentum must be in [0, 1)");
  return absl::OkStatus();
}

}  // namespace

struct Planner::Elites {
  torch::Tensor actions;  // [elites, H, A], best first
  torch::Tensor weights;  // [elites], sum 1
  double best_return = 0;
};

absl::StatusOr<std::unique_ptr<Planner>> Planner::Create(const PlannerOptions& options) {
  const absl::Status status = CheckOptions(options);
  if (!status.ok()) return status;
  return std::unique_ptr<Planner>(new Planner(options));
}

Planner::Planner(const PlannerOptions& options) : options_(options), random_(options.seed) {
  Reset();
}

void Planner::Reset() { start_mean_ = torch::zeros({options_.horizon, options_.action_dim}); }

torch::Tensor Planner::Candidates(const Plan& plan, const torch::Tensor& proposals,
                                  uint64_t draw) const {
  const int64_t proposed = proposals.defined() ? proposals.size(0) : 0;
  const torch::Tensor noise =
      random_.Normal(RandomStream::kPlanner, plans_ * kDrawsPerPlan + draw,
                     {options_.samples - proposed, options_.horizon, options_.action_dim});
  const torch::Tensor sampled = (plan.mean + plan.std * noise).clamp(-1, 1);
  return proposed == 0 ? sampled : torch::cat({proposals.clamp(-1, 1), sampled});
}

absl::StatusOr<Planner::Elites> Planner::Evaluate(const ReturnsOf& returns_of,
                                                  const torch::Tensor& actions) const {
  absl::StatusOr<torch::Tensor> returns = returns_of(actions);
  if (!returns.ok()) return returns.status();
  const absl::Status status =
      CheckTensor(*returns, {options_.samples}, torch::kFloat32, "the callback's result");
  if (!status.ok()) return status;
  const torch::Tensor host = returns->detach().cpu();
  constexpr double kWorst = -std::numeric_limits<double>::infinity();
  const torch::Tensor ranked =
      torch::where(torch::isfinite(host), host, torch::full_like(host, kWorst));
  const auto [values, places] = ranked.topk(options_.elites);
  const double best_return = values[0].item<double>();
  if (best_return == kWorst) return absl::InvalidArgumentError("no return is finite");
  torch::Tensor weights = torch::isfinite(values).to(torch::kFloat32);
  if (options_.kind == PlannerKind::kMppi) {
    weights = (options_.temperature * (values - best_return)).exp() * weights;
  }
  return Elites{actions.index_select(0, places), weights / weights.sum(), best_return};
}

void Planner::Refit(const Elites& elites, Plan& plan) const {
  const torch::Tensor weights = elites.weights.view({-1, 1, 1});
  const torch::Tensor mean = (weights * elites.actions).sum(0);
  const torch::Tensor variance = (weights * (elites.actions - mean).square()).sum(0);
  plan.mean = options_.momentum * plan.mean + (1 - options_.momentum) * mean;
  plan.std = variance.sqrt().clamp(options_.least_std, options_.most_std);
  plan.best_return = elites.best_return;
}

torch::Tensor Planner::ChooseAction(const Elites& elites, const Plan& plan, ActMode mode) const {
  if (mode == ActMode::kEvaluate) return plan.mean[0].clone();
  const uint64_t first = plans_ * kDrawsPerPlan;
  const torch::Tensor level = random_.Uniform(RandomStream::kPlanner, first + kChoiceDraw, {1});
  const int64_t chosen = std::min<int64_t>(
      torch::searchsorted(elites.weights.cumsum(0), level, /*out_int32=*/false, /*right=*/true)
          .item<int64_t>(),
      options_.elites - 1);
  const torch::Tensor noise =
      random_.Normal(RandomStream::kPlanner, first + kNoiseDraw, {options_.action_dim});
  return (elites.actions[chosen][0] + plan.std[0] * noise).clamp(-1, 1);
}

absl::StatusOr<Plan> Planner::MakePlan(const ReturnsOf& returns_of, ActMode mode,
                                       const torch::Tensor& proposals) {
  if (proposals.defined()) {
    const absl::Status status =
        CheckFinite(proposals, {-1, options_.horizon, options_.action_dim}, "proposals");
    if (!status.ok()) return status;
    if (proposals.size(0) >= options_.samples) {
      return absl::InvalidArgumentError(absl::StrCat(proposals.size(0), " proposals leave none of ",
                                                     options_.samples, " samples to draw"));
    }
  }
  return WithoutThrowing("Planner::MakePlan", [&]() -> absl::StatusOr<Plan> {
    torch::NoGradGuard no_grad;
    Plan plan{.mean = start_mean_, .std = torch::full_like(start_mean_, options_.most_std)};
    absl::StatusOr<Elites> elites = absl::InternalError("no iteration");
    for (int64_t i = 0; i < options_.iterations; ++i) {
      elites = Evaluate(returns_of, Candidates(plan, proposals, static_cast<uint64_t>(i)));
      if (!elites.ok()) return elites.status();
      Refit(*elites, plan);
    }
    plan.action = ChooseAction(*elites, plan, mode);
    start_mean_ = torch::cat({plan.mean.slice(0, 1), torch::zeros({1, options_.action_dim})});
    ++plans_;
    return plan;
  });
}

}  // namespace gwm::rl
