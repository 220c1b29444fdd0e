#include <algorithm>
#include <cmath>

#include "kernels/edm_step.h"

namespace gwm::kernels {

EdmConditioners ComputeEdmConditioners(double sigma, double sigma_data, double sigma_offset) {
  const double s = std::sqrt(sigma * sigma + sigma_offset * sigma_offset);
  const double variance = s * s + sigma_data * sigma_data;
  EdmConditioners c;
  c.c_in = 1.0 / std::sqrt(variance);
  c.c_skip = sigma_data * sigma_data / variance;
  c.c_out = s * sigma_data * c.c_in;
  c.c_noise = std::log(s) / 4.0;
  return c;
}

double ContextNoiseEmbedding(double sigma_cond) {
  return sigma_cond > 0 ? std::log(sigma_cond) / 4.0 : 0.0;
}

void EdmSigmas(const EdmScheduleOptions& options, double* out) {
  const double top = std::pow(options.sigma_max, 1.0 / options.rho);
  const double bottom = std::pow(options.sigma_min, 1.0 / options.rho);
  for (int64_t i = 0; i < options.steps; ++i) {
    const double fraction =
        options.steps > 1 ? static_cast<double>(i) / static_cast<double>(options.steps - 1) : 0.0;
    out[i] = std::pow(top + fraction * (bottom - top), options.rho);
  }
  out[options.steps] = 0.0;
}

double ChurnedSigma(double sigma, int64_t steps, const ChurnOptions& churn) {
  if (sigma < churn.s_tmin || sigma > churn.s_tmax) return sigma;
  const double gamma = std::min(churn.s_churn / static_cast<double>(steps), std::sqrt(2.0) - 1.0);
  return sigma * (1.0 + gamma);
}

double ChurnNoiseScale(double sigma, double sigma_hat, const ChurnOptions& churn) {
  return churn.s_noise * std::sqrt(std::max(0.0, sigma_hat * sigma_hat - sigma * sigma));
}

}  // namespace gwm::kernels
