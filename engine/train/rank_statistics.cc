#include "engine/train/rank_statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace gwm {
namespace {

// From 1; tied values share the mean of their ranks.
template <typename T>
std::vector<double> Ranks(const std::vector<T>& values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (size_t i = 0; i < order.size();) {
    size_t j = i;
    while (j < order.size() && values[order[j]] == values[order[i]]) ++j;
    for (size_t k = i; k < j; ++k) ranks[order[k]] = 0.5 * static_cast<double>(i + 1 + j);
    i = j;
  }
  return ranks;
}

}  // namespace

double RocAuc(const std::vector<float>& scores, const std::vector<bool>& positive) {
  const auto ranks = Ranks(scores);
  double rank_sum = 0, positives = 0;
  for (size_t i = 0; i < ranks.size(); ++i) {
    if (!positive[i]) continue;
    rank_sum += ranks[i];
    ++positives;
  }
  const double negatives = static_cast<double>(scores.size()) - positives;
  if (positives == 0 || negatives == 0) return std::nan("");
  return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives);
}

double RankCorrelation(const std::vector<double>& x, const std::vector<double>& y) {
  const auto a = Ranks(x), b = Ranks(y);
  const double mean = 0.5 * (static_cast<double>(a.size()) + 1);
  double covariance = 0, spread_a = 0, spread_b = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    covariance += (a[i] - mean) * (b[i] - mean);
    spread_a += (a[i] - mean) * (a[i] - mean);
    spread_b += (b[i] - mean) * (b[i] - mean);
  }
  if (spread_a == 0 || spread_b == 0) return std::nan("");
  return covariance / std::sqrt(spread_a * spread_b);
}

}  // namespace gwm
