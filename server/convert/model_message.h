// Models: wire <-> plain types. Errors as in session_request.h.
#ifndef GWM_SERVER_CONVERT_MODEL_MESSAGE_H_
#define GWM_SERVER_CONVERT_MODEL_MESSAGE_H_

#include "absl/status/statusor.h"
#include "gwm/v1/models.pb.h"
#include "server/base/options.h"
#include "server/models/model_registry.h"

namespace gwm::server {

LoadArgs ParseLoad(const v1::LoadModelRequest& request);
absl::StatusOr<UnloadArgs> ParseUnload(const v1::UnloadModelRequest& request);
// The rows to warm up with.
absl::StatusOr<uint32_t> ParseWarmUp(const v1::WarmUpRequest& request, const Limits& limits);

v1::Model ToProto(const Model& model);
void FillWarmUp(const WarmUpTimes& times, v1::WarmUpReply& out);

}  // namespace gwm::server

#endif  // GWM_SERVER_CONVERT_MODEL_MESSAGE_H_
