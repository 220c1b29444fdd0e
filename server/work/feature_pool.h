// Hidden tokens in the shapes that policies take. Plain arithmetic on the host: the same for every
// kind of world and device, row by row.
#ifndef GWM_SERVER_WORK_FEATURE_POOL_H_
#define GWM_SERVER_WORK_FEATURE_POOL_H_

#include "absl/status/statusor.h"
#include "engine/io/host_tensor.h"

namespace gwm::server {

// Defined in gwm/v1/perception.proto (FeaturePooling).
enum class FeaturePooling { kTokens, kMean, kAttention };

inline constexpr int64_t kAttentionQueries = 8;
// Entry j of query i: +1 or -1.
float QueryEntry(int64_t i, int64_t j);

// tokens: f32 [M, D], M and D at least 1 -> f32 [M, D], [D] or [8, D]. Internal for other tokens.
absl::StatusOr<HostTensor> PoolTokens(HostTensor tokens, FeaturePooling pooling);

// f32 -> f32, f16 or bf16, rounded to nearest, ties to even. Magnitudes above 65504 become 65504 in
// f16; not-a-number stays that.
HostTensor RoundTo(HostTensor values, DType dtype);

}  // namespace gwm::server

#endif  // GWM_SERVER_WORK_FEATURE_POOL_H_
