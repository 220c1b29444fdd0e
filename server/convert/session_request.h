// Requests on sessions: checked and in plain form. Every error is INVALID_ARGUMENT / BAD_FIELD or
// BAD_TENSOR, OUT_OF_RANGE / LIMIT or UNIMPLEMENTED / UNSUPPORTED with the field's path, unless it
// says otherwise.
#ifndef GWM_SERVER_CONVERT_SESSION_REQUEST_H_
#define GWM_SERVER_CONVERT_SESSION_REQUEST_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/api/world.h"
#include "gwm/v1/simulator.pb.h"
#include "server/base/options.h"
#include "server/session/session.h"
#include "server/work/compare_work.h"
#include "server/work/imagine_rollout.h"
#include "server/work/plan.h"
#include "server/work/render_work.h"
#include "server/work/reset_work.h"
#include "server/work/step_work.h"

namespace gwm::server {

// `world`: the one that the request names. `random_seed` counts when the request has no seed.
absl::StatusOr<SessionConfig> ParseCreateSession(const v1::CreateSessionRequest& request,
                                                 WorldHandle world, const Limits& limits,
                                                 uint64_t random_seed);

struct ListArgs {
  std::string client_id;
  std::string after;  // ids greater than this
  size_t page_size = 0;
};
absl::StatusOr<ListArgs> ParseListSessions(const v1::ListSessionsRequest& request,
                                           const Limits& limits);

// The environments that a call concerns; empty means all.
absl::StatusOr<std::vector<uint32_t>> ParseEnvIds(
    const google::protobuf::RepeatedField<uint32_t>& env_ids, uint32_t num_envs);

// The call's name with a fingerprint of `request`; absent when the client gave none.
absl::StatusOr<std::optional<ReplayKey>> ParseReplayKey(const v1::RequestContext& context,
                                                        const google::protobuf::Message& request);

// The same for a Reset, which may name them by a mask.
absl::StatusOr<std::vector<uint32_t>> ParseResetIds(const v1::ResetRequest& request,
                                                    uint32_t num_envs);

// `n` is the number of environments named. The result may point into the request, which outlives
// it. An `episode` or `state` init is left to rpc/, which knows where files and states are.
absl::StatusOr<ResetArgs> ParseReset(const v1::ResetRequest& request, const SessionConfig& config,
                                     size_t n, const WorldSpec& spec);
absl::StatusOr<StepArgs> ParseStep(const v1::StepRequest& request, const SessionConfig& config,
                                   size_t n, const WorldSpec& spec, const Limits& limits);
absl::StatusOr<CompareArgs> ParseObserve(const v1::ObserveRequest& request, size_t n,
                                         const WorldSpec& spec, const Limits& limits);
absl::StatusOr<RenderArgs> ParseRender(const v1::RenderRequest& request, size_t n,
                                       const WorldSpec& spec, const Limits& limits);
// sampler: when the request names none.
absl::StatusOr<PlanArgs> ParsePlan(const v1::PlanRequest& request, const StepOptions& sampler,
                                   const WorldSpec& spec, const Limits& limits);
absl::StatusOr<ImagineArgs> ParseImagine(const v1::ImagineRequest& request,
                                         const StepOptions& sampler, const WorldSpec& spec,
                                         const Limits& limits);

}  // namespace gwm::server

#endif  // GWM_SERVER_CONVERT_SESSION_REQUEST_H_
