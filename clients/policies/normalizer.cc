#include "clients/policies/normalizer.h"

#include "clients/base/checks.h"

namespace gwm::policies {
namespace {

constexpr double kLeastSpread = 1e-4;

// scale = target / spread and scale * centre + offset = 0.
Normalizer Around(const torch::Tensor& centre, const torch::Tensor& spread, double target) {
  const torch::Tensor scale =
      torch::where(spread < kLeastSpread, torch::ones_like(spread), target / spread);
  return {scale, -scale * centre};
}

}  // namespace

Normalizer Normalizer::Identity(int64_t dim) { return {torch::ones({dim}), torch::zeros({dim})}; }

absl::StatusOr<Normalizer> Normalizer::Fit(NormalizerKind kind, const torch::Tensor& rows) {
  absl::Status status = clients::CheckFinite(rows, {-1, -1}, "rows");
  if (!status.ok()) return status;
  if (rows.size(0) < 1) return absl::InvalidArgumentError("a normalizer needs at least one row");
  const torch::Tensor data = rows.to(torch::kCPU);
  switch (kind) {
    case NormalizerKind::kMinMax: {
      const torch::Tensor least = std::get<0>(data.min(0)), most = std::get<0>(data.max(0));
      return Around((least + most) / 2, most - least, 2);
    }
    case NormalizerKind::kMeanStd:
      return Around(data.mean(0), data.std(0, /*unbiased=*/false), 1);
    case NormalizerKind::kIdentity:
      break;
  }
  return Identity(data.size(1));
}

}  // namespace gwm::policies
