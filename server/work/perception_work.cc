#include "server/work/perception_work.h"

#include <utility>

#include "absl/status/status.h"
#include "server/base/status.h"
#include "server/work/stack.h"

namespace gwm::server {
namespace {

absl::StatusOr<std::vector<StatePtr>> StatesOf(World& world, const FramesBatch& frames) {
  std::vector<ResetRequest> requests;
  for (const RgbdFrames& row : frames.rows) requests.push_back({.frames = row});
  ASSIGN_OR_RETURN(auto states, world.Reset(requests));
  if (states.size() != frames.rows.size()) return absl::InternalError("states are missing");
  return states;
}

absl::StatusOr<HostTensor> Stack(const std::vector<HostTensor>& rows) {
  std::vector<const HostTensor*> pointers;
  pointers.reserve(rows.size());
  for (const HostTensor& row : rows) pointers.push_back(&row);
  return StackRows(pointers);
}

}  // namespace

absl::StatusOr<EncodeResult> Encode(World& world, const EncodeArgs& args) {
  ASSIGN_OR_RETURN(const auto states, StatesOf(world, args.frames));
  EncodeResult result;
  std::vector<HostTensor> latents;
  std::vector<HostTensor> centres;
  for (const StatePtr& state : states) {
    ASSIGN_OR_RETURN(LatentTokens tokens, world.Latents(state));
    latents.push_back(std::move(tokens.latents));
    centres.push_back(std::move(tokens.centres));
    if (args.gaussian_count == 0) continue;
    ASSIGN_OR_RETURN(result.gaussians.emplace_back(),
                     world.SampleGaussians(state, args.gaussian_count));
  }
  ASSIGN_OR_RETURN(result.latents, Stack(latents));
  ASSIGN_OR_RETURN(result.centres, Stack(centres));
  return result;
}

absl::StatusOr<FeatureResult> Features(World& world, const FeatureArgs& args) {
  ASSIGN_OR_RETURN(const auto states, StatesOf(world, args.frames));
  ASSIGN_OR_RETURN(std::vector<HostTensor> rows, world.Features(states));
  if (rows.size() != states.size()) return absl::InternalError("features are missing");
  for (HostTensor& row : rows) {
    ASSIGN_OR_RETURN(HostTensor pooled, PoolTokens(std::move(row), args.pooling));
    row = RoundTo(std::move(pooled), args.dtype);
  }
  FeatureResult result;
  ASSIGN_OR_RETURN(result.features, Stack(rows));
  if (args.pooling != FeaturePooling::kTokens) return result;
  std::vector<HostTensor> centres;
  for (const StatePtr& state : states) {
    ASSIGN_OR_RETURN(LatentTokens tokens, world.Latents(state));
    centres.push_back(std::move(tokens.centres));
  }
  ASSIGN_OR_RETURN(result.centres, Stack(centres));
  return result;
}

absl::StatusOr<Images> Decode(World& world, const DecodeArgs& args) {
  ASSIGN_OR_RETURN(const auto anchors, StatesOf(world, args.frames));
  std::vector<Viewed> views;
  for (size_t row = 0; row < args.latents.size(); ++row) {
    const StatePtr& anchor = anchors[anchors.size() == 1 ? 0 : row];
    Viewed view;
    ASSIGN_OR_RETURN(view.state, world.WithLatents(anchor, args.latents[row]));
    view.cameras = args.cameras;
    if (view.cameras.empty()) {
      ASSIGN_OR_RETURN(view.cameras, world.Cameras(anchor));
    }
    views.push_back(std::move(view));
  }
  return RenderImages(world, views, args.options);
}

}  // namespace gwm::server
