#include "clients/rl/random_shift.h"

namespace gwm::rl {

torch::Tensor ShiftImages(const torch::Tensor& image, const torch::Tensor& shift_xy, int64_t pad) {
  namespace F = torch::nn::functional;
  const int64_t batch = image.size(0), size = image.size(2);
  const double padded_size = static_cast<double>(size + 2 * pad);
  const torch::Tensor padded =
      F::pad(image, F::PadFuncOptions({pad, pad, pad, pad}).mode(torch::kReplicate));
  // Pixel centres of the padded image in the sampler's coordinates, -1 .. 1 from edge to edge.
  const torch::Tensor centres =
      (2 * torch::arange(size, image.options()) + 1) / padded_size - 1;  // [H]
  const torch::Tensor offset = shift_xy.to(image.options()) * (2.0 / padded_size);
  const torch::Tensor x = (centres + offset.select(1, 0).unsqueeze(1)).unsqueeze(1);  // [B, 1, W]
  const torch::Tensor y = (centres + offset.select(1, 1).unsqueeze(1)).unsqueeze(2);  // [B, H, 1]
  const torch::Tensor grid = torch::stack(
      {x.expand({batch, size, size}), y.expand({batch, size, size})}, -1);  // [B, H, W, 2]
  return F::grid_sample(padded, grid,
                        F::GridSampleFuncOptions()
                            .mode(torch::kBilinear)
                            .padding_mode(torch::kZeros)
                            .align_corners(false));
}

}  // namespace gwm::rl
