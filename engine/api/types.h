// Plain types at the engine's border: no Torch, no protobuf, no gRPC.
#ifndef GWM_ENGINE_API_TYPES_H_
#define GWM_ENGINE_API_TYPES_H_

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/io/host_tensor.h"

namespace gwm {

// Pinhole camera, OpenCV axes (x right, y down, z forward), pixel centres at +0.5.
struct Camera {
  std::array<float, 9> intrinsics{};       // row-major [3, 3], pixels
  std::array<float, 16> world_from_cam{};  // row-major [4, 4], rigid
  int width = 0;                           // pixels
  int height = 0;
};

// The noise of one env step is a function of this key and of nothing else.
struct NoiseKey {
  uint64_t seed = 0;
  uint32_t env = 0;
  uint32_t episode = 0;
  uint32_t step = 0;  // steps since the Reset before this one: 0 for the first
};

// How a step goes from one noise level to the next.
enum class SamplerKind {
  kModel,  // as the checkpoint says
  kEuler,  // one denoiser call per level
  kHeun,   // second order: two denoiser calls per level but the last
};
// Of a step of `levels` noise levels. kind: not kModel.
constexpr int DenoiserCalls(SamplerKind kind, int levels) {
  return kind == SamplerKind::kHeun ? 2 * levels - 1 : levels;
}

// Real RGB-D frames to start from, oldest first: T frames (1..WorldSpec::context_frames), V views,
// H x W pixels.
struct RgbdFrames {
  TensorView rgb;             // u8 [T, V, H, W, 3]
  TensorView depth_mm;        // u16 [T, V, H, W]; 0 = nothing hit
  TensorView intrinsics;      // f32 [V, 3, 3]
  TensorView world_from_cam;  // f32 [V, 4, 4]
  // The actions that led to frames 1..T-1; missing ones count as zero.
  std::optional<TensorView> actions;  // f32 [T - 1, A]
};

// N Gaussians in the unconstrained parametrisation of the public PLY files, world frame.
struct GaussianCloud {
  HostTensor means;           // f32 [N, 3] m
  HostTensor log_scales;      // f32 [N, 3] natural log of m
  HostTensor quats;           // f32 [N, 4] w, x, y, z; not necessarily of unit length
  HostTensor sh;              // f32 [N, K, 3], K = (degree + 1)^2; colour = 0.5 + sum
  HostTensor opacity_logits;  // f32 [N]
};

}  // namespace gwm

#endif  // GWM_ENGINE_API_TYPES_H_
