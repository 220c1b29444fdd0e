#include "server/work/compare_work.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/status/status.h"
#include "server/base/status.h"
#include "server/work/kept_result.h"
#include "server/work/spill.h"

namespace gwm::server {
namespace {

// Equal images have no PSNR; 100 dB is beyond what bytes can tell.
constexpr double kLeastError = 1e-10;

float PsnrDb(float mean_squared_error) {
  const double error = std::max(static_cast<double>(mean_squared_error), kLeastError);
  return static_cast<float>(-10 * std::log10(error));
}

}  // namespace

CompareWork::CompareWork(SessionCall call, CompareArgs args, Answer<CompareResult> answer)
    : SoloWork(call.call, &*call.session, call.session->world(),
               {.stage = Stage::kEncode, .rows = static_cast<int>(call.env_ids.size())}),
      call_(std::move(call)),
      args_(std::move(args)),
      answer_(std::move(answer)) {}

void CompareWork::Run(World& world, const RunTiming& timing) { Reply(Compare(world, timing)); }

void CompareWork::Reply(absl::StatusOr<CompareResult> result) {
  call_.session.Release();
  answer_(std::move(result));
}

absl::Status CompareWork::Measure(World& world, const std::vector<Env>& envs,
                                  CompareResult& result) const {
  for (size_t row = 0; row < envs.size(); ++row) {
    ASSIGN_OR_RETURN(const Comparison compared,
                     world.Compare(envs[row].state, args_.frames.rows[row]));
    result.latent_error.push_back(compared.latent_error);
    result.psnr_db.push_back(PsnrDb(compared.image_error));
    result.episode.push_back(envs[row].episode());
    result.step_index.push_back(envs[row].steps);
  }
  return absl::OkStatus();
}

absl::Status CompareWork::ReAnchor(World& world, std::vector<Env>& envs) const {
  std::vector<ResetRequest> requests;
  for (const RgbdFrames& frames : args_.frames.rows) {
    requests.push_back({.frames = frames, .pool_index = {}});
  }
  ASSIGN_OR_RETURN(const auto states, world.Reset(requests));
  if (states.size() != envs.size()) return absl::InternalError("states are missing");
  for (size_t row = 0; row < envs.size(); ++row) {
    envs[row].state = states[row];
    envs[row].real_step = envs[row].steps;
    ASSIGN_OR_RETURN(envs[row].cameras, world.Cameras(states[row]));
  }
  return absl::OkStatus();
}

absl::StatusOr<CompareResult> CompareWork::Compare(World& world, const RunTiming& timing) {
  ASSIGN_OR_RETURN(auto kept, FindKept<CompareResult>(*call_.session, args_.replay));
  if (kept.has_value()) return *std::move(kept);
  // The state that ended an episode can still be compared, but nothing goes on from it.
  RETURN_IF_ERROR(BringBack(world, call_));
  ASSIGN_OR_RETURN(std::vector<Env> envs, args_.re_anchor
                                              ? ReadRunning(*call_.session, call_.env_ids)
                                              : ReadStates(*call_.session, call_.env_ids));
  CompareResult result{.timing = timing};
  RETURN_IF_ERROR(Measure(world, envs, result));
  if (args_.re_anchor) RETURN_IF_ERROR(ReAnchor(world, envs));
  std::vector<Viewed> views;
  for (const Env& env : envs) views.push_back({env.state, env.cameras});
  ASSIGN_OR_RETURN(result.observations, Observe(world, views, args_.observations));
  const absl::Time now = call_.clock->Now();
  RETURN_IF_ERROR(call_.call->Alive(now, kPhaseRunning));
  result.timing.batch_rows = static_cast<uint32_t>(envs.size());
  result.busy = now - timing.started;
  absl::StatusOr<CompareResult> answer = std::move(result);
  if (args_.re_anchor) {
    RETURN_IF_ERROR(
        call_.session->Commit(call_.env_ids, std::move(envs), ForReplay(args_.replay, answer)));
  }
  return answer;
}

}  // namespace gwm::server
