#include "clients/planner/model_world.h"

#include <algorithm>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace gwm::planner {
namespace {

client::SessionOptions SessionWith(uint64_t seed) {
  client::SessionOptions options;
  options.seed = seed;
  return options;
}

client::Spec SpecThatPlans(client::Client& client) {
  client::Spec spec = client.GetSpec();
  if (std::ranges::find(spec.rpcs, "Simulator.Plan") == spec.rpcs.end()) {
    throw client::Error(
        {.code = client::Code::kUnimplemented,
         .message = absl::StrCat("the model's server ('", spec.model_id,
                                 "') has no Simulator.Plan: name a gwm-server with --model")});
  }
  return spec;
}

}  // namespace

ModelWorld::ModelWorld(client::Client& client, const ModelWorldOptions& options)
    : options_(options),
      spec_(SpecThatPlans(client)),
      most_sequences_(std::max(client.GetLimits().max_imagine_branches, 1U)),
      session_(client.CreateSession(SessionWith(options.seed))) {}

int ModelWorld::context_frames() const {
  if (options_.follow == Follow::kState) return 0;
  return static_cast<int>(std::max(spec_.context_frames, 1U));
}

void ModelWorld::Anchor(RealWorld& real) {
  if (options_.follow == Follow::kState) {
    state_ = real.State();
    return;
  }
  client::ResetOptions reset;
  reset.init = real.Context();
  session_.Reset(reset);
}

absl::StatusOr<torch::Tensor> ModelWorld::Returns(const torch::Tensor& actions) {
  const torch::Tensor dense = actions.to(torch::kFloat32).contiguous();
  std::vector<torch::Tensor> parts;
  try {
    for (const torch::Tensor& part : dense.split(most_sequences_)) parts.push_back(Try(part));
  } catch (const client::Error& error) {
    return absl::UnavailableError(absl::StrCat("planning on the model: ", error.what()));
  }
  return torch::cat(parts);
}

torch::Tensor ModelWorld::Try(const torch::Tensor& actions) {
  const std::span<const float> values(actions.const_data_ptr<float>(),
                                      static_cast<size_t>(actions.numel()));
  client::PlanOptions plan;
  plan.discount = options_.discount;
  plan.state = state_;
  const client::PlanResult result =
      session_.Plan(client::Tensor::From<float>(actions.sizes().vec(), values), plan);
  imagined_steps_ += actions.size(0) * actions.size(1);
  torch::Tensor returns = torch::tensor(result.returns);
  for (size_t row = 0; row < result.success.size(); ++row) {
    if (result.success[row]) returns[static_cast<int64_t>(row)] += options_.success_bonus;
  }
  return returns;
}

}  // namespace gwm::planner
