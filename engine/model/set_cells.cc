#include "engine/model/set_cells.h"

#include <cmath>
#include <numbers>

#include "engine/model/set_points.h"

namespace gwm {
namespace {

constexpr int64_t kWaves = 8;  // per axis
static_assert(kWaves * kWaves == kCellFunctions);

torch::Tensor CountOf(const torch::Tensor& index, int64_t bins) {
  return torch::zeros({index.size(0), bins}, index.options().dtype(torch::kFloat))
      .scatter_add(1, index, torch::ones_like(index, torch::kFloat));
}

}  // namespace

int64_t CellRoom(int64_t points, int64_t cells) { return (3 * points + cells - 1) / cells; }

Cells MakeCells(const torch::Tensor& sight, const torch::Tensor& centres,
                const torch::Tensor& owner) {
  torch::NoGradGuard no_grad;
  const int64_t batch = owner.size(0), points = owner.size(1), cells = centres.size(1);
  const int64_t room = CellRoom(points, cells);
  // The rank of each Gaussian among those of its owner.
  const auto order = owner.argsort(/*stable=*/true, 1);
  const auto count = CountOf(owner, cells);
  const auto first = (count.cumsum(1) - count).to(torch::kLong).gather(1, owner.gather(1, order));
  const auto rank = torch::empty_like(owner).scatter_(
      1, order, torch::arange(points, owner.options()).unsqueeze(0) - first);
  Cells out;
  out.slot = torch::where(rank < room, owner * room + rank, cells * room);
  out.count = count.clamp_min(1).unsqueeze(-1);
  // Directions alone: a depth edge inside a cell does not move what lies beside it in the image.
  const auto direction = [](const torch::Tensor& x) {
    return (x / x.norm(2, -1, /*keepdim=*/true).clamp_min(1e-6)).slice(-1, 0, 2);
  };
  const auto offset = direction(sight) - GatherPoints(direction(centres), owner);
  auto extent = torch::zeros({batch, cells, 2}, offset.options());
  extent = extent.scatter_reduce(1, owner.unsqueeze(-1).expand({-1, -1, 2}), offset.abs(), "amax");
  const auto within = offset / GatherPoints(extent, owner).clamp_min(1e-6);
  out.within = IntoSlots(within, out.slot, cells * room).reshape({batch, cells, room, 2});
  return out;
}

torch::Tensor CellFunctions(const torch::Tensor& within) {
  const auto k = torch::arange(kWaves, within.options()) * (std::numbers::pi / 2);
  const auto waves = torch::cos((within + 1.0).unsqueeze(-1) * k);  // [..., 2, 8]
  return (waves.select(-2, 0).unsqueeze(-1) * waves.select(-2, 1).unsqueeze(-2)).flatten(-2);
}

torch::Tensor CellMoments(const torch::Tensor& x, const torch::Tensor& within,
                          const torch::Tensor& count) {
  const auto sums = torch::matmul(CellFunctions(within).transpose(-1, -2),
                                  x.reshape({x.size(0), within.size(1), within.size(2), -1}));
  return (sums / count.sqrt().unsqueeze(-1)).flatten(2);
}

torch::Tensor IntoSlots(const torch::Tensor& x, const torch::Tensor& slots, int64_t slot_count) {
  const auto index = slots.unsqueeze(-1).expand({-1, -1, x.size(-1)});
  const auto sum =
      torch::zeros({x.size(0), slot_count + 1, x.size(-1)}, x.options()).scatter_add(1, index, x);
  const auto count = CountOf(slots, slot_count + 1).clamp_min(1).unsqueeze(-1);
  return (sum / count).slice(1, 0, slot_count);
}

torch::Tensor FromSlots(const torch::Tensor& x, const torch::Tensor& slots) {
  return GatherPoints(torch::constant_pad_nd(x, {0, 0, 0, 1}), slots);
}

}  // namespace gwm
