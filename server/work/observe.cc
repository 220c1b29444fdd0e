#include "server/work/observe.h"

#include <utility>

#include "absl/status/status.h"
#include "server/base/status.h"
#include "server/work/stack.h"

namespace gwm::server {
namespace {

// Stacks `values`, one for each state that is there, into one row per state.
absl::StatusOr<HostTensor> StackPresent(const std::vector<Viewed>& rows,
                                        const std::vector<HostTensor>& values) {
  std::vector<const HostTensor*> tensors;
  tensors.reserve(rows.size());
  auto next = values.cbegin();
  for (const Viewed& row : rows) {
    tensors.push_back(row.state == nullptr ? nullptr : &*next++);
  }
  return StackRows(tensors);
}

absl::StatusOr<HostTensor> StackLatents(World& world, const std::vector<Viewed>& rows) {
  std::vector<HostTensor> latents;
  for (const Viewed& row : rows) {
    if (row.state == nullptr) continue;
    ASSIGN_OR_RETURN(LatentTokens tokens, world.Latents(row.state));
    latents.push_back(std::move(tokens.latents));
  }
  return StackPresent(rows, latents);
}

absl::StatusOr<HostTensor> StackFeatures(World& world, const std::vector<Viewed>& rows) {
  std::vector<StatePtr> states;
  for (const Viewed& row : rows) {
    if (row.state != nullptr) states.push_back(row.state);
  }
  ASSIGN_OR_RETURN(const auto features, world.Features(states));
  if (features.size() != states.size()) return absl::InternalError("features are missing");
  return StackPresent(rows, features);
}

absl::Status ObserveImages(World& world, const std::vector<Viewed>& rows, ObservationSet wanted,
                           Observations& out) {
  uint32_t outputs = 0;
  if (wanted & kObserveRgb) outputs |= kRenderRgb;
  if (wanted & kObserveDepth) outputs |= kRenderDepth;
  ASSIGN_OR_RETURN(Images images, RenderImages(world, rows, {.outputs = outputs}));
  if (wanted & kObserveRgb) out["rgb"] = std::move(images.rgb);
  if (wanted & kObserveDepth) out["depth"] = std::move(images.depth);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Observations> Observe(World& world, const std::vector<Viewed>& rows,
                                     ObservationSet wanted) {
  Observations out;
  if (wanted & (kObserveRgb | kObserveDepth)) {
    RETURN_IF_ERROR(ObserveImages(world, rows, wanted, out));
  }
  if (wanted & kObserveLatent) {
    ASSIGN_OR_RETURN(out["latent"], StackLatents(world, rows));
  }
  if (wanted & kObserveFeatures) {
    ASSIGN_OR_RETURN(out["features"], StackFeatures(world, rows));
  }
  return out;
}

}  // namespace gwm::server
