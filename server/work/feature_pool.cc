#include "server/work/feature_pool.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <span>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/work/mix.h"

namespace gwm::server {
namespace {

constexpr double kVarianceFloor = 1e-6;

struct Tokens {
  std::span<const float> values;  // [M, D]
  int64_t count;                  // M
  int64_t width;                  // D

  std::span<const float> operator[](int64_t m) const {
    return values.subspan(static_cast<size_t>(m * width), static_cast<size_t>(width));
  }
};

// sum_m weights[m] * tokens[m] into `out` [D].
void WeightedSum(const Tokens& tokens, std::span<const double> weights, std::span<float> out) {
  std::vector<double> sums(static_cast<size_t>(tokens.width), 0.0);
  for (int64_t m = 0; m < tokens.count; ++m) {
    const std::span<const float> token = tokens[m];
    const double weight = weights[static_cast<size_t>(m)];
    for (size_t j = 0; j < sums.size(); ++j) sums[j] += weight * static_cast<double>(token[j]);
  }
  std::ranges::transform(sums, out.begin(), [](double sum) { return static_cast<float>(sum); });
}

// [M, D]: each token shifted and scaled to mean 0 and variance 1.
std::vector<double> Keys(const Tokens& tokens) {
  std::vector<double> keys;
  keys.reserve(tokens.values.size());
  const double width = static_cast<double>(tokens.width);
  for (int64_t m = 0; m < tokens.count; ++m) {
    double sum = 0;
    for (float value : tokens[m]) sum += static_cast<double>(value);
    const double mean = sum / width;
    double squares = 0;
    for (float value : tokens[m]) squares += (value - mean) * (value - mean);
    const double scale = 1 / std::sqrt(squares / width + kVarianceFloor);
    for (float value : tokens[m]) keys.push_back((value - mean) * scale);
  }
  return keys;
}

// [M], of sum 1.
std::vector<double> AttentionWeights(int64_t query, std::span<const double> keys, int64_t width) {
  std::vector<double> signs;
  for (int64_t j = 0; j < width; ++j) signs.push_back(static_cast<double>(QueryEntry(query, j)));
  const size_t d = static_cast<size_t>(width);
  std::vector<double> weights(keys.size() / d);
  for (size_t m = 0; m < weights.size(); ++m) {
    double product = 0;
    for (size_t j = 0; j < d; ++j) product += signs[j] * keys[m * d + j];
    weights[m] = product / std::sqrt(static_cast<double>(width));
  }
  const double largest = std::ranges::max(weights);
  double sum = 0;
  for (double& weight : weights) sum += weight = std::exp(weight - largest);
  for (double& weight : weights) weight /= sum;
  return weights;
}

uint16_t HalfBits(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>((bits >> 16) & 0x8000);
  const uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude < 0x38800000) {  // below 2^-14: multiples of 2^-24
    const float steps = std::nearbyint(std::bit_cast<float>(magnitude) * 0x1p24F);
    return sign | static_cast<uint16_t>(steps);
  }
  const uint32_t rounded = (magnitude + 0xfff + ((magnitude >> 13) & 1) - 0x38000000) >> 13;
  return sign | static_cast<uint16_t>(std::min<uint32_t>(rounded, 0x7bff));
}

uint16_t BrainBits(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffff) > 0x7f800000) return static_cast<uint16_t>((bits >> 16) | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

}  // namespace

float QueryEntry(int64_t i, int64_t j) {
  const uint64_t state = (static_cast<uint64_t>(i) << 32) + static_cast<uint64_t>(j);
  return Mix(state) >> 63 != 0 ? 1.0F : -1.0F;
}

absl::StatusOr<HostTensor> PoolTokens(HostTensor tokens, FeaturePooling pooling) {
  if (tokens.dtype != DType::kF32 || tokens.shape.size() != 2 || tokens.elements() == 0) {
    return absl::InternalError(
        absl::StrCat("features are ", DescribeTensor(tokens), ", not f32 [M, D]"));
  }
  if (pooling == FeaturePooling::kTokens) return tokens;
  const Tokens rows{tokens.values<float>(), tokens.shape[0], tokens.shape[1]};
  if (pooling == FeaturePooling::kMean) {
    HostTensor mean = HostTensor::Zeros(DType::kF32, {rows.width});
    const std::vector<double> equal(static_cast<size_t>(rows.count),
                                    1 / static_cast<double>(rows.count));
    WeightedSum(rows, equal, mean.mutable_values<float>());
    return mean;
  }
  const std::vector<double> keys = Keys(rows);
  HostTensor pooled = HostTensor::Zeros(DType::kF32, {kAttentionQueries, rows.width});
  const std::span<float> out = pooled.mutable_values<float>();
  const size_t width = static_cast<size_t>(rows.width);
  for (int64_t i = 0; i < kAttentionQueries; ++i) {
    WeightedSum(rows, AttentionWeights(i, keys, rows.width),
                out.subspan(static_cast<size_t>(i) * width, width));
  }
  return pooled;
}

HostTensor RoundTo(HostTensor values, DType dtype) {
  if (dtype == DType::kF32) return values;
  HostTensor rounded = HostTensor::Zeros(dtype, std::move(values.shape));
  const std::span<const float> in = values.values<float>();
  const std::span<uint16_t> out = rounded.mutable_values<uint16_t>();
  std::ranges::transform(in, out.begin(), dtype == DType::kF16 ? HalfBits : BrainBits);
  return rounded;
}

}  // namespace gwm::server
