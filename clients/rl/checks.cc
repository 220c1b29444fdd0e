#include "clients/rl/checks.h"

namespace gwm::rl {

absl::Status CheckBatch(const Batch& batch, const std::vector<int64_t>& observation_shape,
                        torch::ScalarType observation_type, int64_t action_dim) {
  const int64_t rows = batch.size();
  if (rows < 1) return absl::InvalidArgumentError("the batch has no rows");
  std::vector<int64_t> shape = {rows};
  shape.insert(shape.end(), observation_shape.begin(), observation_shape.end());
  const auto check_observation = [&](const torch::Tensor& tensor, std::string_view name) {
    return observation_type == torch::kFloat32 ? CheckFinite(tensor, shape, name)
                                               : CheckTensor(tensor, shape, observation_type, name);
  };
  for (const absl::Status& status : {check_observation(batch.observation, "observation"),
                                     check_observation(batch.next_observation, "next_observation"),
                                     CheckFinite(batch.action, {rows, action_dim}, "action"),
                                     CheckFinite(batch.reward, {rows}, "reward"),
                                     CheckFinite(batch.discount, {rows}, "discount")}) {
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace gwm::rl
