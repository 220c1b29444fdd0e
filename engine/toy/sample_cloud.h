// Fewer Gaussians that still cover the scene.
#ifndef GWM_ENGINE_TOY_SAMPLE_CLOUD_H_
#define GWM_ENGINE_TOY_SAMPLE_CLOUD_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "engine/api/types.h"

namespace gwm::toy {

// The farthest point sample of the means, from the first one on. count: 1..N.
absl::StatusOr<GaussianCloud> SampleCloud(const GaussianCloud& cloud, int64_t count);

}  // namespace gwm::toy

#endif  // GWM_ENGINE_TOY_SAMPLE_CLOUD_H_
