// The smallest sound episode.
#ifndef GWM_TESTS_FAKES_SMALL_EPISODE_H_
#define GWM_TESTS_FAKES_SMALL_EPISODE_H_

#include "engine/io/episode.h"

namespace gwm::fakes {

// One view of `side` x `side` grey pixels and two action entries.
inline io::Episode SmallEpisode(int64_t frames = 4, int64_t side = 2) {
  io::Episode episode;
  episode.rgb = HostTensor::Zeros(DType::kU8, {frames, 1, side, side, 3});
  episode.depth_mm = HostTensor::Zeros(DType::kU16, {frames, 1, side, side});
  episode.intrinsics = HostTensor::Zeros(DType::kF32, {1, 3, 3});
  episode.world_from_cam = HostTensor::Zeros(DType::kF32, {1, 4, 4});
  for (int i : {0, 4, 8}) episode.intrinsics.mutable_values<float>()[static_cast<size_t>(i)] = 1;
  for (int i : {0, 5, 10, 15}) {
    episode.world_from_cam.mutable_values<float>()[static_cast<size_t>(i)] = 1;
  }
  episode.action = HostTensor::Zeros(DType::kF32, {frames, 2});
  episode.reward = HostTensor::Zeros(DType::kF32, {frames});
  episode.terminated = HostTensor::Zeros(DType::kU8, {frames});
  episode.success = HostTensor::Zeros(DType::kU8, {frames});
  return episode;
}

}  // namespace gwm::fakes

#endif  // GWM_TESTS_FAKES_SMALL_EPISODE_H_
