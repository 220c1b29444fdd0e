// Gradient steps of a policy: AdamW, a learning-rate schedule, averaged weights, and exact
// continuation. Which batches, how many and when to evaluate is the caller's affair.
#ifndef GWM_CLIENTS_POLICIES_FITTER_H_
#define GWM_CLIENTS_POLICIES_FITTER_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "clients/base/state_file.h"
#include "clients/policies/learning_rate.h"
#include "clients/policies/trained_policy.h"
#include "clients/policies/weight_average.h"

namespace gwm::policies {

// Defaults: diffusion policy's.
struct FitOptions {
  LearningRateSchedule learning_rate;  // total_steps must be set for a rate that decays
  double beta1 = 0.95;
  double beta2 = 0.999;
  // Of matrices and convolutions; biases, norms and position tables do not decay.
  double weight_decay = 1e-6;
  double most_gradient_norm = 0;  // gradients are scaled down to it; 0: never
  AverageDecay average;
  uint64_t seed = 0;  // of the noise of losses
};

// robomimic's for BC-Transformer: a constant rate after the warm-up, weight decay 0.01.
FitOptions BcTransformerFitOptions();

struct FitMetrics {
  double loss = 0;
  double gradient_norm = 0;  // before scaling
  double learning_rate = 0;
  double average_decay = 0;
};

// Thread-compatible. Same policy, options and batches: same bits on one thread.
class Fitter {
 public:
  // `policy` is trained in place and must outlive the fitter; its normalizers are fitted already.
  // InvalidArgument names the option that is out of range.
  static absl::StatusOr<std::unique_ptr<Fitter>> Create(TrainedPolicy& policy,
                                                        const FitOptions& options);

  // One step. InvalidArgument for a batch of another shape; FailedPrecondition when the loss or a
  // gradient is not finite. After an error nothing has changed.
  absl::StatusOr<FitMetrics> Step(const ChunkBatch& batch);
  // Steps done.
  int64_t steps() const { return steps_; }
  // The policy with averaged weights: the one to evaluate and to save.
  TrainedPolicy& average() { return *average_; }

  // Both policies, moments and the count of steps, in one file. See WriteStateFile.
  absl::Status Save(const std::string& path) const;
  // NotFound; InvalidArgument for a damaged file and for one of another policy; then nothing has
  // changed.
  absl::Status Load(const std::string& path);

 private:
  Fitter(TrainedPolicy& policy, const FitOptions& options, std::unique_ptr<TrainedPolicy> average);

  void SetLearningRate(double rate);
  torch::optim::AdamWParamState& StateOf(const torch::Tensor& parameter) const;
  // Every moment by its name in files.
  std::map<std::string, torch::Tensor> Moments() const;
  absl::Status CheckState(const clients::StateFile& state, int64_t* steps) const;

  TrainedPolicy& policy_;
  FitOptions options_;
  std::unique_ptr<TrainedPolicy> average_;
  std::unique_ptr<torch::optim::AdamW> adam_;
  int64_t steps_ = 0;
};

}  // namespace gwm::policies

#endif  // GWM_CLIENTS_POLICIES_FITTER_H_
