#include "server/work/session_call.h"

#include <string_view>

#include "absl/strings/str_cat.h"
#include "server/base/error.h"
#include "server/base/status.h"

namespace gwm::server {
namespace {

const char* WhyNot(EnvPhase phase) {
  switch (phase) {
    case EnvPhase::kNeedsReset:
      return " was never reset";
    case EnvPhase::kDone:
      return " is done";
    case EnvPhase::kFailed:
      return " failed";
    case EnvPhase::kRunning:
      break;
  }
  return "";
}

absl::Status NotRunning(uint32_t env_id, EnvPhase phase) {
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   absl::StrCat("environment ", env_id, WhyNot(phase), ": it needs a Reset"),
                   {.reason = std::string(kNeedsReset), .field = "env_ids"});
}

}  // namespace

absl::StatusOr<std::vector<Env>> ReadStates(const Session& session,
                                            const std::vector<uint32_t>& env_ids) {
  ASSIGN_OR_RETURN(std::vector<Env> envs, session.Read(env_ids));
  for (size_t row = 0; row < envs.size(); ++row) {
    if (envs[row].state != nullptr) continue;
    return MakeError(absl::StatusCode::kFailedPrecondition,
                     absl::StrCat("environment ", env_ids[row], " has no state: it needs a Reset"),
                     {.reason = std::string(kNeedsReset), .field = "env_ids"});
  }
  return envs;
}

absl::StatusOr<std::vector<Env>> ReadRunning(const Session& session,
                                             const std::vector<uint32_t>& env_ids) {
  ASSIGN_OR_RETURN(std::vector<Env> envs, session.Read(env_ids));
  for (size_t row = 0; row < envs.size(); ++row) {
    if (envs[row].phase != EnvPhase::kRunning) return NotRunning(env_ids[row], envs[row].phase);
  }
  return envs;
}

absl::StatusOr<std::vector<Env>> ReadForStep(const Session& session,
                                             const std::vector<uint32_t>& env_ids,
                                             const std::vector<uint64_t>& expected_step) {
  ASSIGN_OR_RETURN(std::vector<Env> envs, session.Read(env_ids));
  for (size_t row = 0; row < expected_step.size(); ++row) {
    if (envs[row].steps == expected_step[row]) continue;
    return StepConflict(absl::StrCat("expected_step[", row, "]"),
                        absl::StrCat(expected_step[row], ", but environment ", env_ids[row],
                                     " has made ", envs[row].steps, " steps"));
  }
  const bool resets = session.config().auto_reset == AutoReset::kNextStep;
  for (size_t row = 0; row < envs.size(); ++row) {
    const EnvPhase phase = envs[row].phase;
    const bool ended = phase == EnvPhase::kDone || phase == EnvPhase::kFailed;
    if (phase == EnvPhase::kRunning || (resets && ended)) continue;
    return NotRunning(env_ids[row], phase);
  }
  return envs;
}

}  // namespace gwm::server
