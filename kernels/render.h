// Projection and rasterisation in one call on the CPU, with the buffers owned by an object that can
// be used again.
//
//   RenderScratch scratch;                                     // one per pass whose gradient is
//   wanted RenderForward(gaussians, cameras, options, background, out, &scratch);
//   RenderBackward(gaussians, cameras, options, background, grads, gradients, nullptr, &scratch);
#ifndef GWM_KERNELS_RENDER_H_
#define GWM_KERNELS_RENDER_H_

#include <cstdint>
#include <vector>

#include "kernels/project.h"
#include "kernels/raster.h"

namespace gwm::kernels {

// Grow-only buffers between a forward pass and its backward pass. Not thread-safe; movable, not
// copyable (the pointers lead into its own buffers).
class RenderScratch {
 public:
  RenderScratch() = default;
  RenderScratch(RenderScratch&&) = default;
  RenderScratch& operator=(RenderScratch&&) = default;

  // Lays the buffers out for these sizes; earlier pointers become invalid.
  void Resize(int64_t num_views, int64_t num_gaussians, int width, int height);
  void ResizePairs(int64_t pairs);
  // Buffers of the backward pass; background is left null.
  RasterSplatGrads ResizeGrads(int64_t num_views, int64_t num_gaussians);

  const Splats& splats() const { return splats_; }
  const RasterState& state() const { return state_; }
  float* pair_grads() { return pair_grads_.data(); }

 private:
  std::vector<float> floats_;
  std::vector<int32_t> ints_;
  std::vector<int64_t> offsets_;
  std::vector<uint64_t> sort_entries_;
  std::vector<int32_t> pair_splats_;
  std::vector<int64_t> pair_slots_;
  std::vector<float> splat_grads_;
  std::vector<float> pair_grads_;
  Splats splats_;
  RasterState state_;
};

// background: [V, 3] or null = black. Any output pointer must be set; shapes as in raster.h.
KernelStatus RenderForward(const GaussianInputs& gaussians, const CameraInputs& cameras,
                           const RenderOptions& options, const float* background,
                           const RasterOutputs& out, RenderScratch* scratch,
                           const CpuContext& cpu = {});

// `scratch` must hold the forward pass of the same inputs. `out` is accumulated into;
// grad_background: written, [V, 3] or null.
KernelStatus RenderBackward(const GaussianInputs& gaussians, const CameraInputs& cameras,
                            const RenderOptions& options, const float* background,
                            const RasterOutputGrads& grads, const GaussianGrads& out,
                            float* grad_background, RenderScratch* scratch,
                            const CpuContext& cpu = {});

}  // namespace gwm::kernels

#endif  // GWM_KERNELS_RENDER_H_
