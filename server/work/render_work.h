// Render: images of the present states.
#ifndef GWM_SERVER_WORK_RENDER_WORK_H_
#define GWM_SERVER_WORK_RENDER_WORK_H_

#include <vector>

#include "server/schedule/work.h"
#include "server/work/images.h"
#include "server/work/session_call.h"

namespace gwm::server {

struct RenderArgs {
  std::vector<Camera> cameras;  // empty: each environment's own
  ImageOptions options;
};

// Device thread. All of them have a state.
absl::StatusOr<Images> RenderEnvs(World& world, const std::vector<Env>& envs,
                                  const RenderArgs& args);

class RenderWork : public SoloWork {
 public:
  RenderWork(SessionCall call, RenderArgs args, Answer<Images> answer);

  void Run(World& world, const RunTiming& timing) override;
  void Refuse(const absl::Status& status) override { Reply(status); }

 private:
  void Reply(absl::StatusOr<Images> images);
  absl::StatusOr<Images> Render(World& world) const;

  SessionCall call_;
  RenderArgs args_;
  Answer<Images> answer_;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_WORK_RENDER_WORK_H_
