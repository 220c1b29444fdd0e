// A policy that learns from demonstrations: a head, the normalizers of its inputs and outputs, and
// the folder that holds them.
//
//   policy = *TrainedPolicy::Create(config);
//   policy->FitNormalizers(observations, actions);
//   fitter = *Fitter::Create(*policy, options);  ... fitter->Step(batch) ...
//   fitter->average().Save(folder);
#ifndef GWM_CLIENTS_POLICIES_TRAINED_POLICY_H_
#define GWM_CLIENTS_POLICIES_TRAINED_POLICY_H_

#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "clients/policies/chunk_head.h"
#include "clients/policies/chunk_policy.h"
#include "clients/policies/normalizer.h"
#include "clients/policies/policy_config.h"

namespace gwm::policies {

class TrainedPolicy : public ChunkPolicy {
 public:
  // With the initial weights of config.seed and normalizers that change nothing. InvalidArgument
  // names the field of the config that is out of range.
  static absl::StatusOr<std::unique_ptr<TrainedPolicy>> Create(const PolicyConfig& config,
                                                               torch::Device device = torch::kCPU);
  // Reads what Save wrote. NotFound; InvalidArgument names the field of config.json or the tensor
  // of model.safetensors that is wrong.
  static absl::StatusOr<std::unique_ptr<TrainedPolicy>> Load(const std::string& folder,
                                                             torch::Device device = torch::kCPU);
  // Writes config.json and model.safetensors, both or neither; other files of the folder stay.
  absl::Status Save(const std::string& folder) const;
  // A copy that shares nothing.
  absl::StatusOr<std::unique_ptr<TrainedPolicy>> Clone() const;

  // Fits the kinds of normalizers that the config names to rows of data: observations [N, D],
  // actions [M, A]. Call it before the first step of training. InvalidArgument for other shapes,
  // without rows, and for entries that are not finite; then nothing has changed.
  absl::Status FitNormalizers(const torch::Tensor& observations, const torch::Tensor& actions);

  const ChunkSpec& spec() const override { return config_.spec; }
  NoiseShape ActNoise() const override { return head_->ActNoise(); }
  // Internal when the network's actions are not finite.
  absl::StatusOr<torch::Tensor> Act(const torch::Tensor& observation,
                                    const ChunkNoise& noise) override;

  // What Loss wants of `noise`.
  NoiseShape LossNoise() const { return head_->LossNoise(); }
  // The training loss of a batch in the units of demonstrations: a scalar with its graph.
  // InvalidArgument names the tensor of another shape, or with an entry that is not finite.
  absl::StatusOr<torch::Tensor> Loss(const ChunkBatch& batch, const ChunkNoise& noise);

  const PolicyConfig& config() const { return config_; }
  torch::nn::Module& network() { return head_->network(); }
  const torch::nn::Module& network() const { return head_->network(); }

  // Weights ("model.<name>") and normalizers ("normalizer.<of>.<part>") by their names in files.
  // They share memory with the policy.
  std::map<std::string, torch::Tensor> Tensors() const;
  // Copies tensors of those names into the policy. InvalidArgument names one that is missing, of
  // another shape, or that the policy does not have; then nothing has changed.
  absl::Status SetTensors(const std::map<std::string, torch::Tensor>& tensors);

 private:
  TrainedPolicy(const PolicyConfig& config, torch::Device device);

  ChunkNoise OnDevice(const ChunkNoise& noise) const;

  PolicyConfig config_;
  torch::Device device_;
  std::unique_ptr<ChunkHead> head_;
  Normalizer observation_normalizer_, action_normalizer_;
};

}  // namespace gwm::policies

#endif  // GWM_CLIENTS_POLICIES_TRAINED_POLICY_H_
