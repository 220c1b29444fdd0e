#include "engine/model/sampler.h"

#include "kernels/edm_step.h"

namespace gwm {
namespace {

std::shared_ptr<const std::vector<double>> Levels(const DiffusionConfig& config, int64_t levels) {
  std::vector<double> sigmas(static_cast<size_t>(levels) + 1);
  kernels::EdmSigmas({levels, config.sigma_min, config.sigma_max, config.rho}, sigmas.data());
  return std::make_shared<const std::vector<double>>(std::move(sigmas));
}

}  // namespace

SamplerState::SamplerState(const DiffusionConfig& config, SamplerKind kind, int64_t levels,
                           const torch::Tensor& unit_noise)
    : sigmas_(Levels(config, levels)),
      heun_(kind == SamplerKind::kModel ? config.heun : kind == SamplerKind::kHeun) {
  const bool from_zero = levels == 1 && config.mean_start;
  x_ = from_zero ? torch::zeros_like(unit_noise) : unit_noise * config.sigma_max;
}

int SamplerState::calls_left() const {
  const auto levels = static_cast<int>(sigmas_->size() - 1 - level_);
  if (levels == 0) return 0;
  return heun_ ? 2 * levels - 1 - (correcting_ ? 1 : 0) : levels;
}

SamplerState SamplerState::After(const torch::Tensor& denoised) const {
  SamplerState after = *this;
  const double sigma = (*sigmas_)[level_];
  const double next = (*sigmas_)[level_ + 1];
  after.correcting_ = false;
  after.slope_ = after.predicted_ = torch::Tensor();
  if (correcting_) {
    after.x_ = x_ + (next - sigma) * 0.5 * (slope_ + (predicted_ - denoised) / next);
  } else if (next == 0) {
    after.x_ = denoised;
  } else {
    const auto slope = (x_ - denoised) / sigma;
    const auto euler = x_ + (next - sigma) * slope;
    if (heun_) {
      after.correcting_ = true;
      after.slope_ = slope;
      after.predicted_ = euler;
      return after;
    }
    after.x_ = euler;
  }
  ++after.level_;
  return after;
}

}  // namespace gwm
