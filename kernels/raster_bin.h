// Tile lists of the rasteriser. Internal.
#ifndef GWM_KERNELS_RASTER_BIN_H_
#define GWM_KERNELS_RASTER_BIN_H_

#include "kernels/raster.h"

namespace gwm::kernels {

// Fills tile_offsets, pair_splats and pair_slots from the boxes and offsets of CountRasterPairs.
void BuildTileLists(const RasterArgs& args, const RasterState& state, ThreadPool* pool);

}  // namespace gwm::kernels

#endif  // GWM_KERNELS_RASTER_BIN_H_
