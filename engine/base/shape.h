// Shape comments that are checked: the first line of each public function that takes tensors.
//
//   CheckShape(means, {batch, kAny, 3}, "means");       // exactly three dimensions
//   CheckTrailing(means, {kAny, 3}, "means");           // [..., N, 3]
#ifndef GWM_ENGINE_BASE_SHAPE_H_
#define GWM_ENGINE_BASE_SHAPE_H_

#include <torch/torch.h>

#include <initializer_list>
#include <string>
#include <string_view>

namespace gwm {

// Stands for "any size" in the functions below.
inline constexpr int64_t kAny = -1;

// "Float [2, 5, 3]", or "undefined": for messages.
std::string Describe(const torch::Tensor& tensor);

// Throw c10::ValueError (InvalidArgument behind CatchTorch): "means is Float [2, 5], expected [2,
// *, 3]".
void CheckShape(const torch::Tensor& tensor, std::initializer_list<int64_t> dims,
                std::string_view name);
// Only the last dimensions must match; any number of leading ones is fine.
void CheckTrailing(const torch::Tensor& tensor, std::initializer_list<int64_t> dims,
                   std::string_view name);
void CheckDType(const torch::Tensor& tensor, torch::ScalarType dtype, std::string_view name);

}  // namespace gwm

#endif  // GWM_ENGINE_BASE_SHAPE_H_
