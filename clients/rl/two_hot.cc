#include "clients/rl/two_hot.h"

namespace gwm::rl {

torch::Tensor Symlog(const torch::Tensor& x) { return x.sign() * x.abs().log1p(); }

torch::Tensor Symexp(const torch::Tensor& x) { return x.sign() * x.abs().expm1(); }

torch::Tensor TwoHot(const torch::Tensor& x, const TwoHotBins& bins) {
  const double width = (bins.high - bins.low) / static_cast<double>(bins.bins - 1);
  const torch::Tensor position = (Symlog(x).clamp(bins.low, bins.high) - bins.low) / width;
  const torch::Tensor lower = position.floor().clamp_max(bins.bins - 1);
  const torch::Tensor share = position - lower;  // of the upper bin
  // At the top edge the share is 0, and the bin that receives it does not matter.
  const torch::Tensor upper = (lower + 1).clamp_max(bins.bins - 1);
  const torch::Tensor weights = torch::zeros({x.size(0), bins.bins}, x.options());
  return weights.scatter_add(1, lower.to(torch::kInt64), 1 - share)
      .scatter_add(1, upper.to(torch::kInt64), share);
}

torch::Tensor TwoHotMean(const torch::Tensor& logits, const TwoHotBins& bins) {
  const torch::Tensor values = torch::linspace(bins.low, bins.high, bins.bins, logits.options());
  return Symexp((torch::softmax(logits, -1) * values).sum(-1, /*keepdim=*/true));
}

torch::Tensor TwoHotCrossEntropy(const torch::Tensor& logits, const torch::Tensor& x,
                                 const TwoHotBins& bins) {
  return -(TwoHot(x, bins) * torch::log_softmax(logits, -1)).sum(-1, /*keepdim=*/true);
}

torch::Tensor SimNorm(const torch::Tensor& x, int64_t group) {
  return torch::softmax(x.unflatten(-1, {-1, group}), -1).flatten(-2);
}

}  // namespace gwm::rl
