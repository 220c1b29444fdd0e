// Perception requests: checked and in plain form. Errors as in session_request.h.
#ifndef GWM_SERVER_CONVERT_PERCEPTION_REQUEST_H_
#define GWM_SERVER_CONVERT_PERCEPTION_REQUEST_H_

#include "absl/status/statusor.h"
#include "engine/api/world.h"
#include "gwm/v1/perception.pb.h"
#include "server/base/options.h"
#include "server/work/perception_work.h"

namespace gwm::server {

// 1 to max_perception_rows worlds each. The results point into the request, which outlives them.
absl::StatusOr<EncodeArgs> ParseEncode(const v1::EncodeRequest& request, const WorldSpec& spec,
                                       const Limits& limits);
absl::StatusOr<FeatureArgs> ParseFeatures(const v1::FeaturesRequest& request, const WorldSpec& spec,
                                          const Limits& limits);
absl::StatusOr<DecodeArgs> ParseDecode(const v1::DecodeRequest& request, const WorldSpec& spec,
                                       const Limits& limits);

}  // namespace gwm::server

#endif  // GWM_SERVER_CONVERT_PERCEPTION_REQUEST_H_
