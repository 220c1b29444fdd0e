// Results of session calls in wire form. Tensors are moved, not copied.
#ifndef GWM_SERVER_CONVERT_SESSION_REPLY_H_
#define GWM_SERVER_CONVERT_SESSION_REPLY_H_

#include <string>
#include <string_view>

#include "engine/api/world.h"
#include "gwm/v1/simulator.pb.h"
#include "server/session/session.h"
#include "server/work/compare_work.h"
#include "server/work/fork_work.h"
#include "server/work/imagine_rollout.h"
#include "server/work/plan.h"
#include "server/work/reset_work.h"
#include "server/work/step_work.h"

namespace gwm::server {

// FailedPrecondition / CLOSED when the session was closed meanwhile.
absl::Status FillSession(const Session& session, const std::string& instance_id, v1::Session& out);
void FillRenewal(const Session& session, absl::Time now, v1::RenewSessionReply& out);
void FillSummary(const Session& session, v1::SessionSummary& out);
void FillReset(ResetResult result, v1::ResetReply& out);
void FillStep(StepResult result, v1::StepReply& out);
// state_key: seals final states; empty: no seal.
void FillChunk(ImagineResult result, std::string_view state_key, v1::ImagineChunk& out);
void FillObserve(CompareResult result, v1::ObserveReply& out);
void FillPlan(const PlanResult& result, v1::PlanReply& out);
void FillFork(const ForkResult& result, const std::string& instance_id, v1::ForkReply& out);

}  // namespace gwm::server

#endif  // GWM_SERVER_CONVERT_SESSION_REPLY_H_
