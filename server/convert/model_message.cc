#include "server/convert/model_message.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/base/error.h"
#include "server/convert/duration.h"

namespace gwm::server {
namespace {

v1::Model::State StateToProto(ModelState state) {
  switch (state) {
    case ModelState::kLoading:
      return v1::Model::STATE_LOADING;
    case ModelState::kReady:
      return v1::Model::STATE_READY;
    case ModelState::kDraining:
      return v1::Model::STATE_DRAINING;
    case ModelState::kFailed:
      return v1::Model::STATE_FAILED;
    case ModelState::kUnloaded:
      return v1::Model::STATE_UNLOADED;
  }
  return v1::Model::STATE_UNSPECIFIED;
}

}  // namespace

LoadArgs ParseLoad(const v1::LoadModelRequest& request) {
  return {.checkpoint = request.checkpoint(),
          .expected_digest = request.expected_digest(),
          .set_default = request.set_default()};
}

absl::StatusOr<UnloadArgs> ParseUnload(const v1::UnloadModelRequest& request) {
  UnloadArgs args{.checkpoint_digest = request.checkpoint_digest(),
                  .drain = request.drain(),
                  .grace = std::nullopt};
  if (args.checkpoint_digest.empty()) {
    return BadField("checkpoint_digest", "missing; the version to unload is asked for");
  }
  if (!request.has_grace()) return args;
  if (!args.drain) return BadField("grace", "only allowed with drain");
  args.grace = FromProto(request.grace());
  if (!args.grace.has_value() || *args.grace < absl::ZeroDuration()) {
    return BadField("grace", "a duration of 0 or more is allowed");
  }
  return args;
}

absl::StatusOr<uint32_t> ParseWarmUp(const v1::WarmUpRequest& request, const Limits& limits) {
  if (request.rows() > limits.max_batch_rows) {
    return BeyondLimit("rows", absl::StrCat(request.rows(), "; up to max_batch_rows = ",
                                            limits.max_batch_rows, " are allowed"));
  }
  return std::max<uint32_t>(request.rows(), 1);
}

v1::Model ToProto(const Model& model) {
  v1::Model out;
  out.set_model_id(model.model_id);
  out.set_checkpoint_digest(model.checkpoint_digest);
  out.set_checkpoint(model.checkpoint);
  out.set_state(StateToProto(model.state));
  out.set_is_default(model.is_default);
  out.set_sessions(model.sessions);
  out.set_state_bytes(model.state_bytes);
  out.set_state_pool_bytes(model.state_pool_bytes);
  out.set_checkpoint_bytes(model.checkpoint_bytes);
  *out.mutable_load_time() = ToProto(model.load_time);
  *out.mutable_changed_at() = ToProto(model.changed_at);
  if (model.unload_at != absl::InfiniteFuture()) {
    *out.mutable_unload_at() = ToProto(model.unload_at);
  }
  out.set_error(model.error);
  out.set_device(model.device);
  return out;
}

void FillWarmUp(const WarmUpTimes& times, v1::WarmUpReply& out) {
  *out.mutable_reset() = ToProto(times.reset);
  *out.mutable_step() = ToProto(times.step);
  *out.mutable_render() = ToProto(times.render);
}

}  // namespace gwm::server
