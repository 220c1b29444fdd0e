#include "engine/model/released/embeddings.h"

#include <cmath>

namespace gwm::released {
namespace {

// [sin | cos] of `positions` [N] over dim / 2 frequencies. Returns [N, dim], f64.
torch::Tensor SinCos1d(const torch::Tensor& positions, int64_t dim) {
  const int64_t bands = dim / 2;
  const torch::Tensor omega =
      torch::pow(10000.0, -torch::arange(bands, torch::kFloat64) / static_cast<double>(bands));
  const torch::Tensor phase = positions.to(torch::kFloat64).unsqueeze(1) * omega.unsqueeze(0);
  return torch::cat({phase.sin(), phase.cos()}, 1);
}

}  // namespace

torch::Tensor TimeFeatures(const torch::Tensor& t, int64_t dim, double max_period) {
  const int64_t half = dim / 2;
  const torch::Tensor index = torch::arange(half, t.options().dtype(torch::kFloat32));
  const torch::Tensor frequencies =
      torch::exp(index * -std::log(max_period) / static_cast<double>(half));
  const torch::Tensor phase = t.to(torch::kFloat32).unsqueeze(1) * frequencies.unsqueeze(0);
  torch::Tensor features = torch::cat({phase.cos(), phase.sin()}, 1);
  if (dim % 2 == 1)
    features = torch::cat({features, torch::zeros_like(features.narrow(1, 0, 1))}, 1);
  return features;
}

torch::Tensor SinCosTable2d(int64_t dim, int64_t grid) {
  TORCH_CHECK_VALUE(dim % 4 == 0, "position table: width ", dim, " is not a multiple of 4");
  const torch::Tensor token = torch::arange(grid * grid);
  const torch::Tensor column = token.remainder(grid);
  const torch::Tensor row = token.div(grid, "floor");
  return torch::cat({SinCos1d(column, dim / 2), SinCos1d(row, dim / 2)}, 1).to(torch::kFloat32);
}

}  // namespace gwm::released
