// Linear maps between the units of demonstrations and those of networks, per dimension.
#ifndef GWM_CLIENTS_POLICIES_NORMALIZER_H_
#define GWM_CLIENTS_POLICIES_NORMALIZER_H_

#include <torch/torch.h>

#include "absl/status/statusor.h"

namespace gwm::policies {

enum class NormalizerKind {
  kIdentity,
  kMinMax,   // to [-1, 1]; a dimension that never changes becomes 0
  kMeanStd,  // to mean 0, standard deviation 1; a dimension that never changes becomes 0
};

// normalised = scale * x + offset. Source: real-stanford/diffusion_policy
// model/common/normalizer.py (a range, or a deviation, below 1e-4 counts as none).
struct Normalizer {
  torch::Tensor scale;   // [D] f32, never zero
  torch::Tensor offset;  // [D] f32

  static Normalizer Identity(int64_t dim);
  // From rows of data [N, D]. InvalidArgument without rows and for entries that are not finite.
  static absl::StatusOr<Normalizer> Fit(NormalizerKind kind, const torch::Tensor& rows);

  // [..., D] -> [..., D]
  torch::Tensor Apply(const torch::Tensor& x) const { return x * scale + offset; }
  torch::Tensor Invert(const torch::Tensor& x) const { return (x - offset) / scale; }
};

}  // namespace gwm::policies

#endif  // GWM_CLIENTS_POLICIES_NORMALIZER_H_
