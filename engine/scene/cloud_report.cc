#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/scene/ply.h"

namespace gwm {
namespace {

bool AllFinite(std::span<const float> values) {
  return std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); });
}

float Median(std::vector<float> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// Share of `values` that satisfy `test`.
template <typename Test>
double Share(std::span<const float> values, Test test) {
  if (values.empty()) return 0;
  return static_cast<double>(std::count_if(values.begin(), values.end(), test)) /
         static_cast<double>(values.size());
}

int64_t CountNonFinite(const GaussianCloud& cloud, int64_t coefficients) {
  int64_t bad = 0;
  const auto row = [](const HostTensor& tensor, int64_t n, int64_t size) {
    return tensor.values<float>().subspan(n * size, size);
  };
  for (int64_t n = 0; n < cloud.means.shape[0]; ++n) {
    bad += !(AllFinite(row(cloud.means, n, 3)) && AllFinite(row(cloud.log_scales, n, 3)) &&
             AllFinite(row(cloud.quats, n, 4)) && AllFinite(row(cloud.opacity_logits, n, 1)) &&
             AllFinite(row(cloud.sh, n, 3 * coefficients)));
  }
  return bad;
}

void FillBox(const GaussianCloud& cloud, CloudReport& report) {
  report.min_m.fill(std::numeric_limits<float>::infinity());
  report.max_m.fill(-std::numeric_limits<float>::infinity());
  const std::span<const float> means = cloud.means.values<float>();
  for (size_t n = 0; n + 2 < means.size(); n += 3) {
    if (!AllFinite(means.subspan(n, 3))) continue;
    for (size_t axis = 0; axis < 3; ++axis) {
      report.min_m[axis] = std::min(report.min_m[axis], means[n + axis]);
      report.max_m[axis] = std::max(report.max_m[axis], means[n + axis]);
    }
  }
}

double MeanQuatLengthError(const GaussianCloud& cloud) {
  const std::span<const float> quats = cloud.quats.values<float>();
  double sum = 0;
  for (size_t n = 0; n + 3 < quats.size(); n += 4) {
    sum += std::abs(std::sqrt(quats[n] * quats[n] + quats[n + 1] * quats[n + 1] +
                              quats[n + 2] * quats[n + 2] + quats[n + 3] * quats[n + 3]) -
                    1);
  }
  return quats.empty() ? 0 : sum / (static_cast<double>(quats.size()) / 4);
}

// Signs of files that were written with the activated values in place of the raw ones, or in
// another unit.
void AddWarnings(const GaussianCloud& cloud, CloudReport& report) {
  auto& warnings = report.warnings;
  if (report.count == 0) warnings.emplace_back("the file has no Gaussians");
  if (report.non_finite > 0) {
    warnings.push_back(absl::StrCat(report.non_finite, " Gaussians hold NaN or infinity"));
  }
  if (report.count < 8) return;
  const std::span<const float> scales = cloud.log_scales.values<float>();
  if (Share(scales, [](float s) { return s > 0; }) > 0.95) {
    warnings.emplace_back("nearly all scales are positive: linear values instead of logarithms?");
  }
  const std::span<const float> logits = cloud.opacity_logits.values<float>();
  if (Share(logits, [](float o) { return o >= 0 && o <= 1; }) > 0.99) {
    warnings.emplace_back("all opacities lie in [0, 1]: probabilities instead of logits?");
  }
  const float extent =
      std::max({report.max_m[0] - report.min_m[0], report.max_m[1] - report.min_m[1],
                report.max_m[2] - report.min_m[2]});
  if (report.median_scale_m > 0.5f * extent) {
    warnings.emplace_back("the typical Gaussian is as large as the scene: wrong scales or units?");
  }
  if (Share(cloud.quats.values<float>(), [](float q) { return q == 0; }) > 0.999) {
    warnings.emplace_back("all rotations are zero");
  } else if (MeanQuatLengthError(cloud) > 10) {
    warnings.emplace_back(
        "rotations are far from unit length: is another property in their place?");
  }
  const std::span<const float> sh = cloud.sh.values<float>();
  if (Share(sh, [](float x) { return std::abs(x) > 10; }) > 0.3) {
    warnings.emplace_back("many colour coefficients exceed 10: bytes instead of SH coefficients?");
  }
}

}  // namespace

CloudReport InspectCloud(const GaussianCloud& cloud) {
  CloudReport report;
  report.count = cloud.means.shape.at(0);
  const int64_t coefficients = cloud.sh.shape.at(1);
  report.sh_degree = std::lround(std::sqrt(static_cast<double>(coefficients))) - 1;
  report.non_finite = CountNonFinite(cloud, coefficients);
  FillBox(cloud, report);
  std::vector<float> scales, opacities;
  for (float s : cloud.log_scales.values<float>()) {
    if (std::isfinite(s)) scales.push_back(std::exp(s));
  }
  for (float o : cloud.opacity_logits.values<float>()) {
    if (std::isfinite(o)) opacities.push_back(1 / (1 + std::exp(-o)));
  }
  report.median_scale_m = Median(std::move(scales));
  report.median_opacity = Median(std::move(opacities));
  AddWarnings(cloud, report);
  return report;
}

std::string ToString(const CloudReport& report) {
  std::string text = absl::StrFormat(
      "%d Gaussians, SH degree %d\nbox         [%.3f %.3f %.3f] .. [%.3f %.3f %.3f] m\n"
      "scale       %.4f m (median)\nopacity     %.3f (median)\n",
      report.count, report.sh_degree, report.min_m[0], report.min_m[1], report.min_m[2],
      report.max_m[0], report.max_m[1], report.max_m[2], report.median_scale_m,
      report.median_opacity);
  for (const std::string& warning : report.warnings) {
    absl::StrAppend(&text, "warning     ", warning, "\n");
  }
  return text;
}

}  // namespace gwm
