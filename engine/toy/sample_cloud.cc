#include "engine/toy/sample_cloud.h"

#include <span>
#include <vector>

#include "absl/status/status.h"
#include "kernels/fps.h"

namespace gwm::toy {
namespace {

HostTensor Rows(const HostTensor& tensor, std::span<const int64_t> indices) {
  HostTensor picked{tensor.dtype, tensor.shape, {}};
  picked.shape[0] = static_cast<int64_t>(indices.size());
  const size_t row_bytes = tensor.data.size() / static_cast<size_t>(tensor.shape[0]);
  for (int64_t index : indices) {
    picked.data.append(tensor.data, static_cast<size_t>(index) * row_bytes, row_bytes);
  }
  return picked;
}

}  // namespace

absl::StatusOr<GaussianCloud> SampleCloud(const GaussianCloud& cloud, int64_t count) {
  std::vector<int64_t> indices(static_cast<size_t>(count));
  kernels::FpsArgs args;
  args.points = cloud.means.values<float>().data();
  args.batch = 1;
  args.num_points = cloud.means.shape[0];
  args.num_samples = count;
  args.indices = indices.data();
  std::vector<float> scratch(static_cast<size_t>(kernels::FpsScratchFloats(args)));
  if (kernels::FarthestPointSample(args, scratch.data()) != kernels::KernelStatus::kOk) {
    return absl::InternalError("farthest point sampling failed");
  }
  return GaussianCloud{Rows(cloud.means, indices), Rows(cloud.log_scales, indices),
                       Rows(cloud.quats, indices), Rows(cloud.sh, indices),
                       Rows(cloud.opacity_logits, indices)};
}

}  // namespace gwm::toy
