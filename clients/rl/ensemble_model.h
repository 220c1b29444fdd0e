// The dynamics model of the original MBPO (arXiv 1906.08253; settings of jannerm/mbpo): an ensemble
// that predicts the change of the observation and the reward. A baseline for learned world models.
#ifndef GWM_CLIENTS_RL_ENSEMBLE_MODEL_H_
#define GWM_CLIENTS_RL_ENSEMBLE_MODEL_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "clients/rl/batch.h"
#include "clients/rl/ensemble_network.h"
#include "clients/rl/learner_state.h"

namespace gwm::rl {

struct EnsembleOptions {
  int64_t observation_dim = 0;
  int64_t action_dim = 0;
  int64_t networks = 7;
  int64_t elites = 5;  // networks that predict: those of the smallest error on held-out rows
  int64_t hidden_width = 200;  // four hidden layers
  double learning_rate = 1e-3;
  int64_t batch_rows = 256;
  double holdout_share = 0.2;
  int64_t most_holdout_rows = 5000;
  int64_t patience_epochs = 5;      // a fit ends after more epochs without an improvement
  double least_improvement = 0.01;  // share of the best held-out error of a network
  int64_t most_epochs = 0;          // 0: patience alone ends a fit
  uint64_t seed = 0;
};

struct EnsembleFit {
  int64_t epochs = 0;
  std::vector<double> holdout_errors;  // of each network: mean squared error of reward and change
  std::vector<int64_t> elites;         // best first
};

struct Prediction {
  torch::Tensor next_observation;  // [B, D] f32
  torch::Tensor reward;            // [B] f32
};

// Runs on the CPU. Thread-compatible.
class EnsembleModel {
 public:
  // InvalidArgument names the option that is out of range.
  static absl::StatusOr<std::unique_ptr<EnsembleModel>> Create(const EnsembleOptions& options);

  // Goes on from the current weights, on transitions over one step ([N, D] observations; discount
  // is not read). Keeps the weights of each network's best epoch. InvalidArgument for other shapes
  // or fewer than two rows on either side of the split.
  absl::StatusOr<EnsembleFit> Fit(const Batch& transitions);

  // One elite per row, drawn by `counter`, and a draw from its Gaussian: a pure function of the
  // weights, the seed and `counter`. observation [B, D], action [B, A].
  absl::StatusOr<Prediction> Sample(const torch::Tensor& observation, const torch::Tensor& action,
                                    uint64_t counter);
  // The mean over the elites' means, without a draw.
  absl::StatusOr<Prediction> Mean(const torch::Tensor& observation, const torch::Tensor& action);

  // Best first; all networks in order before the first fit.
  std::vector<int64_t> elites() const;

  // As Agent::Save and Agent::Load.
  absl::Status Save(const std::string& path) const;
  absl::Status Load(const std::string& path);

 private:
  struct Split;
  explicit EnsembleModel(const EnsembleOptions& options);

  Split MakeSplit(const Batch& transitions) const;
  void FitScale(const torch::Tensor& inputs);
  torch::Tensor Standardised(const torch::Tensor& inputs) const;
  void TrainEpoch(const Split& split, int64_t epoch);
  torch::Tensor HoldoutErrors(const Split& split);  // [E] f64
  // Both shapes right? Then the elites' Gaussians of [reward, change]: [elites, B, 1 + D].
  absl::StatusOr<Gaussians> PredictElites(const torch::Tensor& observation,
                                          const torch::Tensor& action);

  EnsembleOptions options_;
  CounterRandom random_;
  EnsembleNetwork network_;
  torch::Tensor input_mean_;  // [D + A]
  torch::Tensor input_std_;   // [D + A]
  torch::Tensor elites_;      // [elites] i64
  std::unique_ptr<torch::optim::Adam> adam_;
  uint64_t fits_ = 0;  // counter of draws
  LearnerState state_;
};

}  // namespace gwm::rl

#endif  // GWM_CLIENTS_RL_ENSEMBLE_MODEL_H_
