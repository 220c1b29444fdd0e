#include "clients/planner/real_world.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace gwm::planner {
namespace {

using client::DType;
using client::Tensor;

constexpr float kMillimetresPerMetre = 1000;
constexpr float kGreatestDepthMm = 65'535;

client::SessionOptions SessionFor(uint64_t seed, bool frames) {
  client::SessionOptions options;
  options.seed = seed;
  if (frames) options.observations = {"rgb", "depth"};
  return options;
}

// f32 metres or u16 millimetres -> u16 millimetres.
std::string DepthMm(const Tensor& depth) {
  if (depth.dtype == DType::kU16) return depth.data;
  std::string bytes;
  bytes.reserve(depth.data.size() / 2);
  for (const float metres : depth.values<float>()) {
    const float clamped =
        std::clamp(std::round(metres * kMillimetresPerMetre), 0.0F, kGreatestDepthMm);
    const auto millimetres = static_cast<uint16_t>(std::isfinite(metres) ? clamped : 0.0F);
    bytes.append(reinterpret_cast<const char*>(&millimetres), sizeof millimetres);
  }
  return bytes;
}

// The one row of [1, ...].
Tensor OnlyRow(Tensor tensor) {
  tensor.shape.erase(tensor.shape.begin());
  return tensor;
}

}  // namespace

RealWorld::RealWorld(client::Client& client, uint64_t seed, int context_frames)
    : spec_(client.GetSpec()),
      context_frames_(static_cast<size_t>(context_frames)),
      session_(client.CreateSession(SessionFor(seed, context_frames > 0))) {}

void RealWorld::Reset(uint64_t seed) {
  client::ResetOptions options;
  options.seed = seed;
  client::ResetResult start = session_.Reset(options);
  intrinsics_ = OnlyRow(std::move(start.intrinsics));
  world_from_cam_ = OnlyRow(std::move(start.world_from_cam));
  moments_.clear();
  Keep(start.observations, {});
}

RealStep RealWorld::Step(std::span<const float> action) {
  const auto entries = static_cast<int64_t>(action.size());
  const client::StepResult result = session_.Step(Tensor::From<float>({1, entries}, action));
  Keep(result.observations, action);
  return {.reward = result.reward.at(0),
          .success = result.success.at(0),
          .ended = result.terminated.at(0) || result.truncated.at(0)};
}

void RealWorld::Keep(const std::map<std::string, Tensor>& observations,
                     std::span<const float> action) {
  if (context_frames_ == 0) return;
  moments_.push_back({.rgb = observations.at("rgb").data,
                      .depth_mm = DepthMm(observations.at("depth")),
                      .action = {action.begin(), action.end()}});
  if (moments_.size() > context_frames_) moments_.pop_front();
}

client::Frames RealWorld::Context() const {
  const auto count = static_cast<int64_t>(moments_.size());
  const int64_t views = spec_.views;
  const int64_t height = spec_.height;
  const int64_t width = spec_.width;
  client::Frames frames;
  frames.rgb = {DType::kU8, {1, count, views, height, width, 3}, {}};
  frames.depth_mm = {DType::kU16, {1, count, views, height, width}, {}};
  frames.intrinsics = intrinsics_;
  frames.world_from_cam = world_from_cam_;
  std::vector<float> actions;
  for (size_t index = 0; index < moments_.size(); ++index) {
    frames.rgb.data += moments_[index].rgb;
    frames.depth_mm.data += moments_[index].depth_mm;
    const std::vector<float>& action = moments_[index].action;
    if (index > 0) actions.insert(actions.end(), action.begin(), action.end());
  }
  if (count > 1) {
    frames.actions = Tensor::From<float>({1, count - 1, spec_.action.shape.at(0)}, actions);
  }
  return frames;
}

}  // namespace gwm::planner
