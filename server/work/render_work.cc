#include "server/work/render_work.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/error.h"
#include "server/base/status.h"

namespace gwm::server {

RenderWork::RenderWork(SessionCall call, RenderArgs args, Answer<Images> answer)
    : Work(call.call, &*call.session),
      call_(std::move(call)),
      args_(std::move(args)),
      answer_(std::move(answer)) {}

void RenderWork::Run(World& world, const RunTiming&) { Reply(Render(world)); }

void RenderWork::Reply(absl::StatusOr<Images> images) {
  call_.session.Release();
  answer_(std::move(images));
}

absl::StatusOr<Images> RenderWork::Render(World& world) const {
  ASSIGN_OR_RETURN(std::vector<Env> envs, call_.session->Read(call_.env_ids));
  std::vector<Viewed> views;
  for (size_t row = 0; row < envs.size(); ++row) {
    // The state that ended an episode can still be looked at.
    if (envs[row].state == nullptr) {
      return MakeError(absl::StatusCode::kFailedPrecondition,
                       absl::StrCat("environment ", call_.env_ids[row],
                                    " has no state to render: it needs a Reset"),
                       {.reason = std::string(kNeedsReset), .field = "env_ids"});
    }
    views.push_back({envs[row].state, args_.cameras.empty() ? envs[row].cameras : args_.cameras});
  }
  return RenderImages(world, views, args_.options);
}

}  // namespace gwm::server
