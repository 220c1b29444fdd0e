// What every work on a session carries.
#ifndef GWM_SERVER_WORK_SESSION_CALL_H_
#define GWM_SERVER_WORK_SESSION_CALL_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/base/clock.h"
#include "server/schedule/call_handle.h"
#include "server/session/session_table.h"

namespace gwm::server {

struct SessionCall {
  std::shared_ptr<CallHandle> call;  // shared with the RPC's reactor
  SessionUse session;
  std::vector<uint32_t> env_ids;  // unique, below num_envs, not empty
  const Clock* clock = nullptr;   // these outlive every call
  SessionTable* table = nullptr;
};

// Answers a call once; later answers (a refusal after an exception, say) are dropped.
template <typename Result>
class Answer {
 public:
  using Callback = std::function<void(absl::StatusOr<Result>)>;
  explicit Answer(Callback callback) : callback_(std::move(callback)) {}

  void operator()(absl::StatusOr<Result> result) {
    if (auto callback = std::exchange(callback_, nullptr)) callback(std::move(result));
  }

 private:
  Callback callback_;
};

// The named environments, all of them running. FailedPrecondition / NEEDS_RESET names the first
// that is not, or CLOSED.
absl::StatusOr<std::vector<Env>> ReadRunning(const Session& session,
                                             const std::vector<uint32_t>& env_ids);
// The named environments, all of them with a state: running, or done. FailedPrecondition /
// NEEDS_RESET names the first without one, or CLOSED.
absl::StatusOr<std::vector<Env>> ReadStates(const Session& session,
                                            const std::vector<uint32_t>& env_ids);
// As ReadRunning; before that, Aborted / STEP_CONFLICT unless each environment has made as many
// steps as `expected_step` says. Empty: not checked.
// Sessions that reset at the next step may also have environments whose episode ended or that
// failed.
absl::StatusOr<std::vector<Env>> ReadForStep(const Session& session,
                                             const std::vector<uint32_t>& env_ids,
                                             const std::vector<uint64_t>& expected_step);

}  // namespace gwm::server

#endif  // GWM_SERVER_WORK_SESSION_CALL_H_
