#include "engine/scene/splat.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <vector>

#include "engine/io/file.h"

namespace gwm {
namespace {

constexpr float kSh0F = 0.28209479177387814f;

uint8_t Byte(float value) {
  return static_cast<uint8_t>(std::lround(std::clamp(value, 0.0f, 255.0f)));
}

float Sigmoid(float x) { return 1 / (1 + std::exp(-x)); }

std::vector<int64_t> OrderByImportance(const GaussianCloud& cloud) {
  const auto scales = cloud.log_scales.values<float>();
  const auto logits = cloud.opacity_logits.values<float>();
  std::vector<float> importance(logits.size());
  for (size_t n = 0; n < logits.size(); ++n) {
    const float value =
        std::exp(scales[3 * n] + scales[3 * n + 1] + scales[3 * n + 2]) * Sigmoid(logits[n]);
    importance[n] = std::isnan(value) ? 0 : value;
  }
  std::vector<int64_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return importance[a] > importance[b]; });
  return order;
}

}  // namespace

std::string SerializeSplat(const GaussianCloud& cloud) {
  const auto means = cloud.means.values<float>();
  const auto scales = cloud.log_scales.values<float>();
  const auto quats = cloud.quats.values<float>();
  const auto sh = cloud.sh.values<float>();
  const auto logits = cloud.opacity_logits.values<float>();
  const int64_t sh_row = 3 * cloud.sh.shape.at(1);
  std::string out;
  out.reserve(32 * logits.size());
  for (int64_t n : OrderByImportance(cloud)) {
    float floats[6];
    uint8_t bytes[8];
    float length = 0;
    for (int i = 0; i < 4; ++i) length += quats[4 * n + i] * quats[4 * n + i];
    length = std::max(std::sqrt(length), 1e-12f);
    for (int i = 0; i < 3; ++i) {
      floats[i] = means[3 * n + i];
      floats[3 + i] = std::exp(scales[3 * n + i]);
      bytes[i] = Byte(255 * (0.5f + kSh0F * sh[n * sh_row + i]));
    }
    bytes[3] = Byte(255 * Sigmoid(logits[n]));
    for (int i = 0; i < 4; ++i) bytes[4 + i] = Byte(128 + 128 * quats[4 * n + i] / length);
    out.append(reinterpret_cast<const char*>(floats), sizeof(floats));
    out.append(reinterpret_cast<const char*>(bytes), sizeof(bytes));
  }
  return out;
}

absl::Status WriteSplat(const std::string& path, const GaussianCloud& cloud) {
  return io::WriteFileAtomic(path, SerializeSplat(cloud));
}

}  // namespace gwm
