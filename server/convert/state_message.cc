#include "server/convert/state_message.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/error.h"
#include "server/base/status.h"
#include "server/convert/session_request.h"

namespace gwm::server {
namespace {

v1::EnvStatus::Phase PhaseToProto(EnvPhase phase) {
  switch (phase) {
    case EnvPhase::kNeedsReset:
      return v1::EnvStatus::PHASE_NEEDS_RESET;
    case EnvPhase::kRunning:
      return v1::EnvStatus::PHASE_RUNNING;
    case EnvPhase::kDone:
      return v1::EnvStatus::PHASE_DONE;
    case EnvPhase::kFailed:
      return v1::EnvStatus::PHASE_FAILED;
  }
  return v1::EnvStatus::PHASE_UNSPECIFIED;
}

}  // namespace

absl::StatusOr<StateContent> ParseStateBlob(const std::string& blob, const std::string& field,
                                            const Limits& limits, std::string_view key) {
  if (blob.size() > limits.max_state_blob_bytes) {
    return BeyondLimit(field, absl::StrCat(blob.size(), " bytes; up to max_state_blob_bytes = ",
                                           limits.max_state_blob_bytes, " are allowed"));
  }
  return DecodeState(blob, key, field);
}

std::string SessionOfState(const std::string& state_id) {
  return state_id.substr(0, state_id.find('/'));
}

absl::StatusOr<ForkArgs> ParseFork(const v1::ForkRequest& request, const Limits& limits) {
  ForkArgs args{.count = std::max<uint32_t>(request.count(), 1),
                .into_same_session = request.into_same_session(),
                .max_envs_per_session = limits.max_envs_per_session};
  ASSIGN_OR_RETURN(args.replay, ParseReplayKey(request.context(), request));
  switch (request.seed_mode()) {
    case v1::ForkRequest::SEED_MODE_UNSPECIFIED:
    case v1::ForkRequest::SEED_MODE_KEEP:
      return args;
    case v1::ForkRequest::SEED_MODE_SPLIT:
      args.seed = ForkSeed::kSplit;
      return args;
    default:
      return BadField("seed_mode",
                      absl::StrCat(static_cast<int>(request.seed_mode()),
                                   "; SEED_MODE_KEEP and SEED_MODE_SPLIT are allowed"));
  }
}

v1::EnvStatus ToProto(const Env& env) {
  v1::EnvStatus out;
  out.set_phase(PhaseToProto(env.phase));
  out.set_episode(env.episode());
  out.set_step_index(env.steps);
  return out;
}

void FillExport(ExportResult result, std::string_view key, v1::ExportStateReply& out) {
  *out.mutable_status() = ToProto(result.content.env);
  if (result.state_id.empty()) {
    out.mutable_state()->set_blob(EncodeState(result.content, key));
  } else {
    out.mutable_state()->set_state_id(std::move(result.state_id));
  }
}

void FillImport(ExportResult result, v1::ImportStateReply& out) {
  *out.mutable_status() = ToProto(result.content.env);
  out.set_state_id(std::move(result.state_id));
}

}  // namespace gwm::server
