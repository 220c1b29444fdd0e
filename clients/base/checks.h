// Checks of a caller's tensors, as statuses that name the tensor and both shapes.
#ifndef GWM_CLIENTS_BASE_CHECKS_H_
#define GWM_CLIENTS_BASE_CHECKS_H_

#include <torch/torch.h>

#include <exception>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace gwm::clients {

// "[2, 3]"
std::string ShapeText(at::IntArrayRef shape);

// InvalidArgument unless `tensor` is defined, has that shape (-1: any size) and that type.
absl::Status CheckTensor(const torch::Tensor& tensor, const std::vector<int64_t>& shape,
                         torch::ScalarType type, std::string_view name);
// The same, and InvalidArgument for an entry that is NaN or infinite.
absl::Status CheckFinite(const torch::Tensor& tensor, const std::vector<int64_t>& shape,
                         std::string_view name);

// Runs `body`, which returns absl::Status or absl::StatusOr<T>. What Torch throws in spite of the
// checks (memory, a lost device) becomes Internal with the first line of its message.
template <typename Body>
std::invoke_result_t<Body> WithoutThrowing(std::string_view what, Body&& body) {
  try {
    return std::forward<Body>(body)();
  } catch (const std::exception& error) {
    const std::string_view text = error.what();
    return absl::InternalError(
        absl::StrCat(std::string(what), ": ", std::string(text.substr(0, text.find('\n')))));
  }
}

}  // namespace gwm::clients

#endif  // GWM_CLIENTS_BASE_CHECKS_H_
