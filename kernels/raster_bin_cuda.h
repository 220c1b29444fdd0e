// Stages of RasterForwardCuda in front of the pixels. At least one view and one tile. Internal.
#ifndef GWM_KERNELS_RASTER_BIN_CUDA_H_
#define GWM_KERNELS_RASTER_BIN_CUDA_H_

#include "kernels/raster_cuda.h"

namespace gwm::kernels {

// Fills tile_boxes, splat_offsets, order, order_offsets, num_ordered and pairs_needed.
KernelStatus OrderSplatsCuda(const RasterArgs& args, const RasterCudaState& state,
                             GpuStream stream);

// From those: tile_offsets, pair_splats and pair_slots.
KernelStatus DealPairsCuda(const RasterArgs& args, const RasterCudaState& state, GpuStream stream);

}  // namespace gwm::kernels

#endif  // GWM_KERNELS_RASTER_BIN_CUDA_H_
