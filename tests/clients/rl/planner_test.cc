#include "clients/rl/planner.h"

#include "tests/clients/rl/test_support.h"

namespace gwm::rl {
namespace {

constexpr int64_t kHorizon = 4;

// Best sequence of a quadratic, inside the box of actions. [H, A]
torch::Tensor Optimum() {
  return torch::tensor({{0.3f, -0.6f}, {0.1f, 0.5f}, {-0.8f, 0.0f}, {0.7f, 0.2f}});
}

torch::Tensor Quadratic(const torch::Tensor& actions) {
  return -(actions - Optimum()).square().sum({1, 2});
}

PlannerOptions MakeOptions(PlannerKind kind) {
  return {.kind = kind,
          .action_dim = 2,
          .horizon = kHorizon,
          .samples = 256,
          .elites = 32,
          .iterations = 10,
          .least_std = 0.01,
          .seed = 3};
}

std::unique_ptr<Planner> MakePlanner(const PlannerOptions& options) {
  absl::StatusOr<std::unique_ptr<Planner>> planner = Planner::Create(options);
  EXPECT_TRUE(planner.ok()) << planner.status();
  return *std::move(planner);
}

class PlannerKindTest : public ::testing::TestWithParam<PlannerKind> {};

TEST_P(PlannerKindTest, FindsTheOptimumOfAQuadratic) {
  const auto planner = MakePlanner(MakeOptions(GetParam()));
  const auto plan = planner->MakePlan(Quadratic, ActMode::kEvaluate);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_LT((plan->mean - Optimum()).abs().max().item<double>(), 0.05);
  EXPECT_TRUE(SameBits(plan->action, plan->mean[0]));
  EXPECT_GT(plan->best_return, -0.02);
}

TEST_P(PlannerKindTest, StaysInsideTheBoxWhenTheOptimumIsOutside) {
  const auto planner = MakePlanner(MakeOptions(GetParam()));
  const auto plan = planner->MakePlan(
      [](const torch::Tensor& actions) {
        return actions.sum({1, 2});
      },
      ActMode::kExplore);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_GT(plan->mean.min().item<double>(), 0.9);
  EXPECT_LE(plan->action.max().item<double>(), 1);
}

INSTANTIATE_TEST_SUITE_P(Kinds, PlannerKindTest,
                         ::testing::Values(PlannerKind::kMppi, PlannerKind::kCem),
                         [](const auto& info) {
                           return info.param == PlannerKind::kMppi ? "Mppi" : "Cem";
                         });

TEST(PlannerTest, StartsFromItsLastPlanMovedByOneStep) {
  PlannerOptions options = MakeOptions(PlannerKind::kMppi);
  options.iterations = 1;
  options.most_std = 0.001;  // one iteration shows where it starts
  options.least_std = 0.001;
  const auto planner = MakePlanner(options);
  const torch::Tensor proposal = Optimum().unsqueeze(0);
  const auto only_proposal = [&](const torch::Tensor& actions) {
    return -1e6 * (actions - Optimum()).square().sum({1, 2});
  };
  ASSERT_TRUE(planner->MakePlan(only_proposal, ActMode::kEvaluate, proposal).ok());
  const auto flat = [](const torch::Tensor& actions) { return torch::zeros({actions.size(0)}); };
  const auto next = planner->MakePlan(flat, ActMode::kEvaluate);
  ASSERT_TRUE(next.ok());
  const torch::Tensor moved = torch::cat({Optimum().slice(0, 1), torch::zeros({1, 2})});
  EXPECT_LT((next->mean - moved).abs().max().item<double>(), 0.01);
  planner->Reset();
  const auto fresh = planner->MakePlan(flat, ActMode::kEvaluate);
  EXPECT_LT(fresh->mean.abs().max().item<double>(), 0.01);
}

TEST(PlannerTest, TheSameSeedPlansTheSame) {
  const PlannerOptions options = MakeOptions(PlannerKind::kMppi);
  const auto first = MakePlanner(options), second = MakePlanner(options);
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(SameBits(first->MakePlan(Quadratic, ActMode::kExplore)->action,
                         second->MakePlan(Quadratic, ActMode::kExplore)->action));
  }
}

TEST(PlannerTest, MomentumKeepsAShareOfTheFormerMean) {
  PlannerOptions options = MakeOptions(PlannerKind::kCem);
  options.iterations = 1;
  const auto free = MakePlanner(options)->MakePlan(Quadratic, ActMode::kEvaluate);
  options.momentum = 0.75;
  const auto slow = MakePlanner(options)->MakePlan(Quadratic, ActMode::kEvaluate);
  EXPECT_TRUE(torch::allclose(slow->mean, 0.25 * free->mean, 1e-5, 1e-6));
}

TEST(PlannerTest, SequencesWithoutAFiniteReturnAreTheWorst) {
  const auto planner = MakePlanner(MakeOptions(PlannerKind::kMppi));
  const auto plan = planner->MakePlan(
      [](const torch::Tensor& actions) {
        const torch::Tensor returns = Quadratic(actions);
        return torch::where(actions.select(1, 0).select(1, 0) > 0.4, torch::full_like(returns, NAN),
                            returns);
      },
      ActMode::kEvaluate);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_LT((plan->mean - Optimum()).abs().max().item<double>(), 0.05);
}

TEST(PlannerTest, ErrorsOfTheCallbackEndThePlanAndChangeNothing) {
  const PlannerOptions options = MakeOptions(PlannerKind::kMppi);
  const auto planner = MakePlanner(options), untouched = MakePlanner(options);
  const auto code = [&](const ReturnsOf& returns_of, const torch::Tensor& proposals = {}) {
    return planner->MakePlan(returns_of, ActMode::kExplore, proposals).status().code();
  };
  EXPECT_EQ(code([](const torch::Tensor&) -> absl::StatusOr<torch::Tensor> {
              return absl::UnavailableError("the simulator is gone");
            }),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(code([](const torch::Tensor&) { return torch::zeros({3}); }),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code([](const torch::Tensor& a) { return torch::full({a.size(0)}, NAN); }),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code([](const torch::Tensor& a) { return a.mm(a).sum(); }),
            absl::StatusCode::kInternal);
  EXPECT_EQ(code(Quadratic, torch::zeros({1, 2, 2})), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(Quadratic, torch::zeros({256, kHorizon, 2})), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(SameBits(planner->MakePlan(Quadratic, ActMode::kExplore)->action,
                       untouched->MakePlan(Quadratic, ActMode::kExplore)->action));
}

TEST(PlannerTest, RefusesOptionsOutOfRange) {
  const auto refuses = [](auto change) {
    PlannerOptions options = MakeOptions(PlannerKind::kMppi);
    change(options);
    return absl::IsInvalidArgument(Planner::Create(options).status());
  };
  EXPECT_TRUE(refuses([](PlannerOptions& o) { o.action_dim = 0; }));
  EXPECT_TRUE(refuses([](PlannerOptions& o) { o.horizon = 0; }));
  EXPECT_TRUE(refuses([](PlannerOptions& o) { o.elites = 257; }));
  EXPECT_TRUE(refuses([](PlannerOptions& o) { o.iterations = 0; }));
  EXPECT_TRUE(refuses([](PlannerOptions& o) { o.least_std = 3; }));
  EXPECT_TRUE(refuses([](PlannerOptions& o) { o.momentum = 1; }));
}

}  // namespace
}  // namespace gwm::rl
