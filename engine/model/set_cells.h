// The reset frame's Gaussians by the centre that they belong to, and functions over the place
// within a cell: what lets a token say where in its cell something changed, as a patch's weights do
// on a pixel grid.
#ifndef GWM_ENGINE_MODEL_SET_CELLS_H_
#define GWM_ENGINE_MODEL_SET_CELLS_H_

#include <torch/torch.h>

namespace gwm {

inline constexpr int64_t kCellFunctions = 64;  // see CellFunctions

// A cell has room for P Gaussians; those beyond it are in no cell. Slot m * P + i is the i-th one
// of cell m, slot M * P stands for "in no cell".
struct Cells {
  torch::Tensor slot;    // i64 [B, N] of each Gaussian
  torch::Tensor within;  // [B, M, P, 2] place in the cell, in [-1, 1]; 0 in empty slots
  torch::Tensor count;   // [B, M, 1] Gaussians in each cell, at least 1
};

// P of `points` Gaussians in `cells` cells: three times the mean, since cells differ in size.
int64_t CellRoom(int64_t points, int64_t cells);

// sight, centres: SightPositions of the Gaussians [B, N, 3] and of the centres [B, M, 3]; owner:
// i64 [B, N].
Cells MakeCells(const torch::Tensor& sight, const torch::Tensor& centres,
                const torch::Tensor& owner);

// Products of cosines cos(pi k (x + 1) / 2), k = 0..7, along both axes. [..., 2] -> [..., 64]
torch::Tensor CellFunctions(const torch::Tensor& within);

// What the slots of each cell hold, weighed by the functions of the place in the cell: the patch
// embedding of a cell. x: [B, M * P, C] -> [B, M, 64 * C]
torch::Tensor CellMoments(const torch::Tensor& x, const torch::Tensor& within,
                          const torch::Tensor& count);

// x: [B, N, C], slots: i64 [B, N] in [0, M * P]. The mean of the rows that share a slot, 0 in empty
// ones. -> [B, M * P, C]
torch::Tensor IntoSlots(const torch::Tensor& x, const torch::Tensor& slots, int64_t slot_count);
// x: [B, M * P, C] -> [B, N, C], 0 for Gaussians in no cell.
torch::Tensor FromSlots(const torch::Tensor& x, const torch::Tensor& slots);

}  // namespace gwm

#endif  // GWM_ENGINE_MODEL_SET_CELLS_H_
