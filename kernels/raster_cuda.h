// The rasteriser of raster.h on a device: all views of a batch in one launch per stage, nothing
// read back by the host, so that a caller can capture it in a CUDA graph.
//
// Each view has room for a fixed number of pairs (tile, splat). A view that needs more is drawn as
// if it had no splats (background, zero gradients), and pairs_needed says so: a caller that finds
// pairs_needed[v] > pair_capacity when it reads the results makes the buffers larger and repeats.
// Views do not share room, so whether one fits does not depend on the others in its batch.
#ifndef GWM_KERNELS_RASTER_CUDA_H_
#define GWM_KERNELS_RASTER_CUDA_H_

#include <cstdint>

#include "kernels/raster.h"
#include "kernels/status.h"

namespace gwm::kernels {

// Pairs that one warp deals into tiles.
inline constexpr int kPairsPerChunk = 1024;

inline constexpr int64_t kMaxPairCapacity = int64_t{1} << 30;

inline int64_t NumPairChunks(int64_t pair_capacity) {
  return (pair_capacity + kPairsPerChunk - 1) / kPairsPerChunk;
}

// Device memory of one forward pass, kept for its backward pass. Sizes in elements; X = NumTiles,
// C = pair_capacity, K = NumPairChunks(C). All offsets count from the start of their view.
struct RasterCudaState {
  int32_t* tile_boxes = nullptr;         // [V, N, 4] pixel box of each splat: x0, x1, y0, y1
  int32_t* splat_offsets = nullptr;      // [V, N + 1] first pair slot of each splat
  uint64_t* sort_entries = nullptr;      // [V, 2, N] scratch of the depth sort
  int32_t* order = nullptr;              // [V, N] splats that touch a tile, nearest first
  int32_t* order_offsets = nullptr;      // [V, N + 1] pairs in front of each splat of `order`
  int32_t* num_ordered = nullptr;        // [V] length of `order`
  int32_t* chunk_counts = nullptr;       // [V, K, X] scratch of the counting pass
  int32_t* tile_offsets = nullptr;       // [V, X + 1] first entry of each tile in the pair lists
  int32_t* pair_splats = nullptr;        // [V, C] splat of each pair, tile by tile, front to back
  int32_t* pair_slots = nullptr;         // [V, C] slot of each pair in splat order
  int32_t* pairs_needed = nullptr;       // [V] out, at most 2^31 - 1
  float* final_transmittance = nullptr;  // [V, H, W]
  int32_t* last_pair = nullptr;          // [V, H, W] as in RasterState
  float* depth_sum = nullptr;            // [V, H, W] sum(w z)
  int64_t pair_capacity = 0;             // C of one view, in 0..2^30
};

// Pointers of `args` and `out` in device memory. The images have the bits of the CPU.
KernelStatus RasterForwardCuda(const RasterArgs& args, const RasterCudaState& state,
                               const RasterOutputs& out, GpuStream stream);

// pair_grads: scratch [V, C, kPairGradFloats]. Deterministic; the bits of the CPU but for the
// background's gradient, which agrees to rounding.
KernelStatus RasterBackwardCuda(const RasterArgs& args, const RasterCudaState& state,
                                const RasterOutputGrads& grads, float* pair_grads,
                                const RasterSplatGrads& out, GpuStream stream);

}  // namespace gwm::kernels

#endif  // GWM_KERNELS_RASTER_CUDA_H_
