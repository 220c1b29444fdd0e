// A frame for worlds that ship none: a grey wall, one metre away.
#ifndef GWM_SERVER_WORK_GREY_WALL_H_
#define GWM_SERVER_WORK_GREY_WALL_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "engine/api/world.h"

namespace gwm::server {

struct GreyWall {
  explicit GreyWall(const WorldSpec& spec)
      : rgb(HostTensor::Zeros(DType::kU8, {1, spec.views, spec.height, spec.width, 3})),
        depth_mm(HostTensor::Zeros(DType::kU16, {1, spec.views, spec.height, spec.width})),
        intrinsics(HostTensor::Zeros(DType::kF32, {spec.views, 3, 3})),
        world_from_cam(HostTensor::Zeros(DType::kF32, {spec.views, 4, 4})) {
    std::ranges::fill(rgb.mutable_values<uint8_t>(), uint8_t{128});
    std::ranges::fill(depth_mm.mutable_values<uint16_t>(), uint16_t{1000});
    const auto focal = static_cast<float>(spec.width);
    const std::array<float, 9> k = {focal, 0, focal / 2, 0, focal, focal / 2, 0, 0, 1};
    for (size_t view = 0; view < static_cast<size_t>(spec.views); ++view) {
      std::ranges::copy(k, intrinsics.mutable_values<float>().begin() + 9 * std::ptrdiff_t(view));
      for (size_t i = 0; i < 4; ++i) world_from_cam.mutable_values<float>()[16 * view + 5 * i] = 1;
    }
  }
  // An entry of the world's pool if it has one, else this wall, which must outlive the request.
  ResetRequest Start(const WorldSpec& spec) const {
    if (spec.reset_pool_size > 0) return {.frames = std::nullopt, .pool_index = 0};
    return {.frames = RgbdFrames{rgb, depth_mm, intrinsics, world_from_cam, std::nullopt},
            .pool_index = std::nullopt};
  }

  HostTensor rgb, depth_mm, intrinsics, world_from_cam;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_WORK_GREY_WALL_H_
