#include "clients/rl/checks.h"

namespace gwm::rl {
namespace {

bool Fits(at::IntArrayRef actual, const std::vector<int64_t>& wanted) {
  if (actual.size() != wanted.size()) return false;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] >= 0 && actual[i] != wanted[i]) return false;
  }
  return true;
}

}  // namespace

std::string ShapeText(at::IntArrayRef shape) {
  std::string text = "[";
  for (const int64_t size : shape) absl::StrAppend(&text, text.size() > 1 ? ", " : "", size);
  return text + "]";
}

absl::Status CheckTensor(const torch::Tensor& tensor, const std::vector<int64_t>& shape,
                         torch::ScalarType type, std::string_view name) {
  const std::string label(name);
  if (!tensor.defined()) return absl::InvalidArgumentError(label + " is missing");
  if (!Fits(tensor.sizes(), shape) || tensor.scalar_type() != type) {
    return absl::InvalidArgumentError(absl::StrCat(
        label, " is ", c10::toString(tensor.scalar_type()), " ", ShapeText(tensor.sizes()),
        ", expected ", c10::toString(type), " ", ShapeText(shape), " (-1: any size)"));
  }
  return absl::OkStatus();
}

absl::Status CheckFinite(const torch::Tensor& tensor, const std::vector<int64_t>& shape,
                         std::string_view name) {
  absl::Status status = CheckTensor(tensor, shape, torch::kFloat32, name);
  if (status.ok() && !torch::isfinite(tensor).all().item<bool>()) {
    status = absl::InvalidArgumentError(std::string(name) + " has an entry that is not finite");
  }
  return status;
}

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
