#include "server/work/start_state.h"

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "server/base/error.h"
#include "server/base/status.h"

namespace gwm::server {
namespace {

// The world's opinion of imported bytes, in the words of the protocol.
absl::Status ImportError(const absl::Status& status) {
  const absl::string_view message = status.message();
  if (absl::IsInvalidArgument(status)) {
    return MakeError(absl::StatusCode::kDataLoss, {message.data(), message.size()},
                     {.reason = std::string(kStateCorrupt)});
  }
  if (absl::IsFailedPrecondition(status)) {
    return MakeError(absl::StatusCode::kFailedPrecondition, {message.data(), message.size()},
                     {.reason = std::string(kStateMismatch)});
  }
  return status;
}

}  // namespace

absl::StatusOr<Env> Materialise(World& world, const StartState& start) {
  const Env* kept = std::get_if<Env>(&start);
  if (kept != nullptr && kept->host_state == nullptr) return *kept;
  const auto* content = std::get_if<StateContent>(&start);
  Env env = kept != nullptr ? *kept : content->env;
  env.host_state = nullptr;
  auto state = world.ImportState(kept != nullptr ? *kept->host_state : content->tensors);
  if (!state.ok()) return ImportError(state.status());
  env.state = *std::move(state);
  ASSIGN_OR_RETURN(env.cameras, world.Cameras(env.state));
  return env;
}

absl::StatusOr<StateContent> ContentOf(World& world, const Env& env, uint32_t max_episode_steps) {
  StateContent content{.model_id = world.spec().model_id,
                       .checkpoint_digest = world.spec().checkpoint_digest,
                       .env = env,
                       .max_episode_steps = max_episode_steps};
  content.env.state = nullptr;
  content.env.cameras.clear();
  ASSIGN_OR_RETURN(content.tensors, world.ExportState(env.state));
  return content;
}

}  // namespace gwm::server
