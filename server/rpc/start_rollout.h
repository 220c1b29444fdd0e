// Imagine and Plan begin alike: at an environment of a session, or at a state by itself.
#ifndef GWM_SERVER_RPC_START_ROLLOUT_H_
#define GWM_SERVER_RPC_START_ROLLOUT_H_

#include <functional>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "server/base/error.h"
#include "server/base/options.h"
#include "server/base/status.h"
#include "server/convert/sampler.h"
#include "server/rpc/find_state.h"

namespace gwm::server {

// What a verb does with the place that its request names.
template <typename Request, typename Args>
struct RolloutVerb {
  // The request on a world, with the sampler that holds when it names none.
  absl::StatusOr<Args> (*parse)(const Request&, const StepOptions&, const WorldSpec&,
                                const Limits&);
  std::function<absl::Status(RolloutStart, const Args&)> roll;
  std::function<void(const absl::Status&)> fail;  // roll's error, or that of finding the start
};

// Errors as FindEnv, FindState and verb.parse; `state` and `session_id` exclude each other. The
// verb goes on at once, or on the device thread.
template <typename Request, typename Args>
absl::Status StartRollout(const RpcDeps& deps, const Request& request,
                          const std::shared_ptr<CallHandle>& call,
                          RolloutVerb<Request, Args> verb) {
  const auto rolling = [&verb](Args args) {
    return [args = std::move(args), verb](absl::StatusOr<RolloutStart> start) {
      const absl::Status begun = start.ok() ? verb.roll(*std::move(start), args) : start.status();
      if (!begun.ok()) verb.fail(begun);
    };
  };
  if (!request.has_state()) {
    ASSIGN_OR_RETURN(SessionCall target,
                     FindEnv(deps, call, request.session_id(), request.env_id()));
    const SessionConfig& config = target.session->config();
    ASSIGN_OR_RETURN(Args args,
                     verb.parse(request, config.sampler, config.world->spec(), deps.limits));
    WithRunning(deps, std::move(target), rolling(std::move(args)));
    return absl::OkStatus();
  }
  if (!request.session_id().empty()) {
    return BadField("state", "only allowed without session_id");
  }
  ASSIGN_OR_RETURN(FoundState found, FindState(deps, request.state(), "state"));
  const WorldSpec& spec = found.world->spec();
  ASSIGN_OR_RETURN(Args args, verb.parse(request, DefaultSampler(spec), spec, deps.limits));
  WithState(deps, call, std::move(found), rolling(std::move(args)));
  return absl::OkStatus();
}

}  // namespace gwm::server

#endif  // GWM_SERVER_RPC_START_ROLLOUT_H_
