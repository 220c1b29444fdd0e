#include "server/convert/latency.h"

#include "server/convert/duration.h"

namespace gwm::server {

void FillLatency(const CallLatency& latency, v1::StepTiming& out) {
  const auto stage = [&](LatencyStage which) {
    return ToProto(latency.stages[static_cast<size_t>(which)]);
  };
  *out.mutable_queue() = stage(LatencyStage::kQueue);
  *out.mutable_encode() = stage(LatencyStage::kEncode);
  *out.mutable_dynamics() = stage(LatencyStage::kDynamics);
  *out.mutable_reward() = stage(LatencyStage::kReward);
  *out.mutable_render() = stage(LatencyStage::kRender);
  *out.mutable_pack() = stage(LatencyStage::kPack);
  *out.mutable_total() = ToProto(latency.total);
}

}  // namespace gwm::server
