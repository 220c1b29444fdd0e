#include "server/work/stack.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace gwm::server {

absl::StatusOr<HostTensor> StackRows(const std::vector<const HostTensor*>& rows) {
  const auto first =
      std::find_if(rows.begin(), rows.end(), [](auto* row) { return row != nullptr; });
  if (first == rows.end()) return absl::InternalError("no row to stack");
  const HostTensor& model = **first;
  HostTensor stacked{model.dtype, {static_cast<int64_t>(rows.size())}, {}};
  stacked.shape.insert(stacked.shape.end(), model.shape.begin(), model.shape.end());
  stacked.data.reserve(rows.size() * model.data.size());
  for (const HostTensor* row : rows) {
    if (row == nullptr) {
      stacked.data.append(model.data.size(), '\0');
      continue;
    }
    if (row->dtype != model.dtype || row->shape != model.shape) {
      return absl::InternalError(
          absl::StrCat("rows differ: ", DescribeTensor(model), " and ", DescribeTensor(*row)));
    }
    stacked.data.append(row->data);
  }
  return stacked;
}

HostTensor SplitLeading(HostTensor tensor, int64_t a, int64_t b) {
  tensor.shape.front() = a;
  tensor.shape.insert(tensor.shape.begin() + 1, b);
  return tensor;
}

}  // namespace gwm::server
