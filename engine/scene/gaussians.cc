#include "engine/scene/gaussians.h"

#include <cmath>
#include <vector>

#include "engine/base/shape.h"
#include "engine/base/tensor_convert.h"

namespace gwm {
namespace {

// Applies `change` to each member with the number of its own trailing dimensions (those after N).
template <typename Change>
Gaussians MapMembers(const Gaussians& g, Change change) {
  return {change(g.means, 1), change(g.log_scales, 1), change(g.quats, 1), change(g.sh, 2),
          change(g.opacity_logits, 0)};
}

// Applies `join` to the lists of each member, with the number of its trailing dimensions.
template <typename Join>
Gaussians JoinMembers(std::span<const Gaussians> parts, Join join) {
  TORCH_CHECK_VALUE(!parts.empty(), "no Gaussians to join");
  std::vector<torch::Tensor> means, log_scales, quats, sh, opacity_logits;
  for (const Gaussians& part : parts) {
    means.push_back(part.means);
    log_scales.push_back(part.log_scales);
    quats.push_back(part.quats);
    sh.push_back(part.sh);
    opacity_logits.push_back(part.opacity_logits);
  }
  return {join(means, 1), join(log_scales, 1), join(quats, 1), join(sh, 2),
          join(opacity_logits, 0)};
}

}  // namespace

int64_t Gaussians::sh_degree() const {
  return std::lround(std::sqrt(static_cast<double>(sh.size(-2)))) - 1;
}

torch::Tensor Gaussians::rgb0() const { return RgbFromSh(sh.select(-2, 0)); }

Gaussians Gaussians::To(torch::Device device) const {
  return MapMembers(*this, [&](const torch::Tensor& x, int) { return x.to(device); });
}

Gaussians Gaussians::Detach() const {
  return MapMembers(*this, [](const torch::Tensor& x, int) { return x.detach(); });
}

Gaussians Gaussians::operator[](int64_t index) const {
  TORCH_CHECK_VALUE(means.dim() > 2, "Gaussians without a batch dimension: ", Describe(means));
  return MapMembers(*this, [&](const torch::Tensor& x, int) { return x.select(0, index); });
}

Gaussians Gaussians::Slice(int64_t begin, int64_t end) const {
  return MapMembers(*this, [&](const torch::Tensor& x, int trailing) {
    return x.slice(x.dim() - 1 - trailing, begin, end);
  });
}

Gaussians Gaussians::Index(const torch::Tensor& indices) const {
  return MapMembers(*this, [&](const torch::Tensor& x, int trailing) {
    return x.index_select(x.dim() - 1 - trailing, indices);
  });
}

void Gaussians::Check() const {
  CheckTrailing(means, {kAny, 3}, "means");
  const int64_t n = count();
  CheckTrailing(log_scales, {n, 3}, "log_scales");
  CheckTrailing(quats, {n, 4}, "quats");
  CheckTrailing(sh, {n, kAny, 3}, "sh");
  CheckTrailing(opacity_logits, {n}, "opacity_logits");
  const int64_t degree = sh_degree();
  TORCH_CHECK_VALUE(degree >= 0 && degree <= 4 && (degree + 1) * (degree + 1) == sh.size(-2),
                    "sh has K = ", sh.size(-2), " coefficients, expected 1, 4, 9, 16 or 25");
  const auto batch = means.sizes().slice(0, means.dim() - 2);
  MapMembers(*this, [&](const torch::Tensor& x, int trailing) {
    CheckDType(x, torch::kFloat32, "a member of Gaussians");
    TORCH_CHECK_VALUE(x.sizes().slice(0, x.dim() - 1 - trailing) == batch,
                      "batch dimensions differ: means are ", Describe(means),
                      ", another member is ", Describe(x));
    TORCH_CHECK_VALUE(x.device() == means.device(), "Gaussians on two devices");
    return x;
  });
}

Gaussians Cat(std::span<const Gaussians> parts) {
  return JoinMembers(parts, [](const std::vector<torch::Tensor>& members, int trailing) {
    return torch::cat(members, -1 - trailing);
  });
}

Gaussians Stack(std::span<const Gaussians> parts) {
  return JoinMembers(
      parts, [](const std::vector<torch::Tensor>& members, int) { return torch::stack(members); });
}

torch::Tensor ShFromRgb(const torch::Tensor& rgb) { return (rgb - 0.5) / kSh0; }
torch::Tensor RgbFromSh(const torch::Tensor& sh0) { return sh0 * kSh0 + 0.5; }

Gaussians FromCloud(const GaussianCloud& cloud, torch::Device device) {
  Gaussians result{ToTorch(cloud.means, device), ToTorch(cloud.log_scales, device),
                   ToTorch(cloud.quats, device), ToTorch(cloud.sh, device),
                   ToTorch(cloud.opacity_logits, device)};
  result.Check();
  return result;
}

GaussianCloud ToCloud(const Gaussians& gaussians) {
  gaussians.Check();
  CheckShape(gaussians.means, {kAny, 3}, "means");
  return {ToHost(gaussians.means), ToHost(gaussians.log_scales), ToHost(gaussians.quats),
          ToHost(gaussians.sh), ToHost(gaussians.opacity_logits)};
}

}  // namespace gwm
