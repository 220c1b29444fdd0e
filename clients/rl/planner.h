// Planning by sampled action sequences: MPPI as in TD-MPC2 (arXiv 2310.16828, settings of
// nicklashansen/tdmpc2), and the cross-entropy method (CEM). The planner knows neither the model
// nor where it runs: it asks for the returns of action sequences.
#ifndef GWM_CLIENTS_RL_PLANNER_H_
#define GWM_CLIENTS_RL_PLANNER_H_

#include <torch/torch.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "clients/rl/agent.h"
#include "clients/rl/counter_random.h"

namespace gwm::rl {

enum class PlannerKind {
  kMppi,  // elites weigh exp(temperature (return - best return))
  kCem,   // elites weigh the same
};

struct PlannerOptions {
  PlannerKind kind = PlannerKind::kMppi;
  int64_t action_dim = 0;
  int64_t horizon = 3;    // steps
  int64_t samples = 512;  // sequences per iteration, proposals included
  int64_t elites = 64;
  int64_t iterations = 6;
  double temperature = 0.5;  // inverse: larger follows the best sequence more closely
  double least_std = 0.05;
  double most_std = 2;  // also the one of the first iteration
  double momentum = 0;  // share of the former mean that an iteration keeps, in [0, 1)
  uint64_t seed = 0;
};

// Returns of K action sequences [K, H, A] f32 in [-1, 1], from the state that the caller plans in.
// -> [K] f32; an entry that is not finite counts as the worst. A status ends the planning.
using ReturnsOf = std::function<absl::StatusOr<torch::Tensor>(torch::Tensor actions)>;

struct Plan {
  torch::Tensor action;    // [A] f32 in [-1, 1]: what to do now
  torch::Tensor mean;      // [H, A]
  torch::Tensor std;       // [H, A]
  double best_return = 0;  // of all sequences of the last iteration
};

// Keeps the mean of its last plan, moved by one step, as the start of the next one.
// Thread-compatible.
class Planner {
 public:
  // InvalidArgument names the option that is out of range.
  static absl::StatusOr<std::unique_ptr<Planner>> Create(const PlannerOptions& options);

  // Forgets the last plan: call it where an episode starts.
  void Reset();

  // kEvaluate: the first action of the mean. kExplore: the first action of an elite, drawn by its
  // weight, plus noise of the plan's std. `proposals` [P, H, A], P < samples: sequences that stay
  // among the candidates, such as a policy's; may be undefined. InvalidArgument for wrong shapes,
  // also of what `returns_of` gives, and when no return is finite; what `returns_of` reports. After
  // an error the planner is as before.
  absl::StatusOr<Plan> MakePlan(const ReturnsOf& returns_of, ActMode mode,
                                const torch::Tensor& proposals = {});

 private:
  struct Elites;
  explicit Planner(const PlannerOptions& options);

  absl::StatusOr<Elites> Evaluate(const ReturnsOf& returns_of, const torch::Tensor& actions) const;
  torch::Tensor Candidates(const Plan& plan, const torch::Tensor& proposals, uint64_t draw) const;
  void Refit(const Elites& elites, Plan& plan) const;
  torch::Tensor ChooseAction(const Elites& elites, const Plan& plan, ActMode mode) const;

  PlannerOptions options_;
  CounterRandom random_;
  torch::Tensor start_mean_;  // [H, A]
  uint64_t plans_ = 0;        // counter of draws
};

}  // namespace gwm::rl

#endif  // GWM_CLIENTS_RL_PLANNER_H_
