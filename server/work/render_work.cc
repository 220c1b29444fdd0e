#include "server/work/render_work.h"

#include <utility>

#include "server/base/status.h"
#include "server/work/spill.h"

namespace gwm::server {

RenderWork::RenderWork(SessionCall call, RenderArgs args, Answer<Images> answer)
    : SoloWork(call.call, &*call.session, call.session->world(),
               {.stage = Stage::kRender, .rows = static_cast<int>(call.env_ids.size())}),
      call_(std::move(call)),
      args_(std::move(args)),
      answer_(std::move(answer)) {}

void RenderWork::Run(World& world, const RunTiming&) { Reply(Render(world)); }

void RenderWork::Reply(absl::StatusOr<Images> images) {
  call_.session.Release();
  answer_(std::move(images));
}

absl::StatusOr<Images> RenderWork::Render(World& world) const {
  RETURN_IF_ERROR(BringBack(world, call_));
  // The state that ended an episode can still be looked at.
  ASSIGN_OR_RETURN(const std::vector<Env> envs, ReadStates(*call_.session, call_.env_ids));
  return RenderEnvs(world, envs, args_);
}

absl::StatusOr<Images> RenderEnvs(World& world, const std::vector<Env>& envs,
                                  const RenderArgs& args) {
  std::vector<Viewed> views;
  for (const Env& env : envs) {
    views.push_back({env.state, args.cameras.empty() ? env.cameras : args.cameras});
  }
  return RenderImages(world, views, args.options);
}

}  // namespace gwm::server
