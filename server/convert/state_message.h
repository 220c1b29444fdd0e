// States, forks: wire <-> plain types. Errors as in session_request.h.
#ifndef GWM_SERVER_CONVERT_STATE_MESSAGE_H_
#define GWM_SERVER_CONVERT_STATE_MESSAGE_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "engine/api/world.h"
#include "gwm/v1/simulator.pb.h"
#include "server/base/options.h"
#include "server/session/state_blob.h"
#include "server/work/fork_work.h"
#include "server/work/state_work.h"

namespace gwm::server {

// Bytes of a state, checked up to what only the world can tell. OutOfRange / LIMIT above
// max_state_blob_bytes; else as DecodeState.
absl::StatusOr<StateContent> ParseStateBlob(const std::string& blob, const std::string& field,
                                            const Limits& limits, std::string_view key);

// The session's part of "<session id>/<number>"; all of it when there is no such part.
std::string SessionOfState(const std::string& state_id);

absl::StatusOr<ForkArgs> ParseFork(const v1::ForkRequest& request, const Limits& limits);

v1::EnvStatus ToProto(const Env& env);

// key: seals blobs; empty: no seal.
void FillExport(ExportResult result, std::string_view key, v1::ExportStateReply& out);
void FillImport(ExportResult result, v1::ImportStateReply& out);

}  // namespace gwm::server

#endif  // GWM_SERVER_CONVERT_STATE_MESSAGE_H_
