// Projection and rasterisation in one call on a device, in memory that the caller gives.
//
//   const RenderCudaSizes sizes = {.num_views = 8, .num_gaussians = 16384, .width = 128, ...};
//   cudaMalloc(&memory, RenderCudaBytes(sizes));
//   const RenderCudaWorkspace workspace = LayOutRenderWorkspace(sizes, memory);
//   RenderForwardCuda(gaussians, cameras, options, background, out, workspace, stream);
//
// No call reads anything back, so forward and backward can be captured in a CUDA graph. A view
// whose pairs did not fit is drawn without splats: compare workspace.state.pairs_needed [V] with
// sizes.pair_capacity when the results are read; where it is larger, make a workspace with room for
// the largest and repeat.
#ifndef GWM_KERNELS_RENDER_CUDA_H_
#define GWM_KERNELS_RENDER_CUDA_H_

#include <cstdint>

#include "kernels/project.h"
#include "kernels/raster_cuda.h"
#include "kernels/status.h"

namespace gwm::kernels {

struct RenderCudaSizes {
  int64_t num_views = 0;      // V
  int64_t num_gaussians = 0;  // N of each scene
  int width = 0;              // pixels
  int height = 0;             // pixels
  int64_t pair_capacity = 0;  // (tile, splat) pairs of one view, in 0..2^30
  bool backward = false;      // room for the gradients too
};

// Pointers into device memory between a forward pass and its backward pass.
struct RenderCudaWorkspace {
  RenderCudaSizes sizes;
  Splats splats;
  RasterCudaState state;
  RasterSplatGrads splat_grads;  // null without `backward`
  float* pair_grads = nullptr;   // [V, C, kPairGradFloats]; null without `backward`
};

// Bytes of device memory for these sizes; -1 for a size outside its range.
int64_t RenderCudaBytes(const RenderCudaSizes& sizes);

// `memory`: RenderCudaBytes of them, aligned to 256 bytes (as cudaMalloc gives). Touches nothing.
RenderCudaWorkspace LayOutRenderWorkspace(const RenderCudaSizes& sizes, void* memory);

// Arrays in device memory, shapes as in render.h. kInvalidArgument too when the inputs are not of
// the workspace's sizes.
KernelStatus RenderForwardCuda(const GaussianInputs& gaussians, const CameraInputs& cameras,
                               const RenderOptions& options, const float* background,
                               const RasterOutputs& out, const RenderCudaWorkspace& workspace,
                               GpuStream stream);

// The workspace must hold the forward pass of the same inputs. `out` is accumulated into;
// grad_background: written, [V, 3] or null. kInvalidArgument for a workspace without `backward`.
KernelStatus RenderBackwardCuda(const GaussianInputs& gaussians, const CameraInputs& cameras,
                                const RenderOptions& options, const float* background,
                                const RasterOutputGrads& grads, const GaussianGrads& out,
                                float* grad_background, const RenderCudaWorkspace& workspace,
                                GpuStream stream);

}  // namespace gwm::kernels

#endif  // GWM_KERNELS_RENDER_CUDA_H_
