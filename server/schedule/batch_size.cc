#include "server/schedule/batch_size.h"

#include <algorithm>

namespace gwm::server {
namespace {

// Measured costs are not exact: rows that are dearer by less than this count as equally cheap.
constexpr double kTolerance = 1.03;
constexpr double kMostDelay = 1.25;
// A device whose single row takes longer than a quantum should must not go without batches: so many
// times a row's time is allowed to rows that become so much cheaper by it.
constexpr double kStretch = 2;
constexpr double kWorthIt = 0.75;

bool FitsQuantum(const CostTable& costs, int rows, const BatchLimits& limits) {
  const auto cost = costs.Predict(Stage::kStep, rows);
  if (!cost.has_value() || *cost <= limits.max_quantum) return true;
  const absl::Duration one = *costs.Predict(Stage::kStep, 1);
  return *cost <= kStretch * one && *cost <= kWorthIt * rows * one;
}

}  // namespace

int RowsToStart(const CostTable& costs, int wanted, const BatchLimits& limits) {
  int rows = std::clamp(wanted, 1, std::max(limits.max_rows, 1));
  while (rows > 1 && !FitsQuantum(costs, rows, limits)) rows /= 2;
  return rows;
}

BatchLimits LimitsAmongUrgent(const CostTable& costs, const BatchLimits& limits) {
  BatchLimits among = limits;
  const auto one = costs.Predict(Stage::kStep, 1);
  if (one.has_value() && *one > absl::ZeroDuration()) {
    among.max_quantum = std::min(limits.max_quantum, 2 * *one);
  }
  return among;
}

int RowsToJoin(const CostTable& costs, int have, int more, int urgent_rows,
               const BatchLimits& limits) {
  const auto alone = costs.Predict(Stage::kStep, have);
  int rows = std::clamp(more, 0, std::max(limits.max_rows - have, 0));
  if (!alone.has_value()) return rows;
  const auto urgent = costs.Predict(Stage::kStep, std::max(urgent_rows, 1));
  for (; rows > 0; rows /= 2) {
    const absl::Duration together = *costs.Predict(Stage::kStep, have + rows);
    const bool cheap = together * have <= *alone * (have + rows) * kTolerance;
    const bool brief = FitsQuantum(costs, have + rows, limits);
    const bool polite = urgent_rows == 0 || together <= *urgent * kMostDelay;
    if (cheap && brief && polite) break;
  }
  return rows;
}

absl::Duration TimePerRow(const CostTable& costs, const BatchLimits& limits) {
  const int rows = RowsToStart(costs, limits.max_rows, limits);
  return costs.Predict(Stage::kStep, rows).value_or(absl::ZeroDuration()) / rows;
}

absl::Duration TimeToResult(const CostTable& costs, int rows, int calls,
                            const BatchLimits& limits) {
  const auto cost = [&costs](int together) {
    return costs.Predict(Stage::kStep, together).value_or(absl::ZeroDuration());
  };
  const int alone = RowsToStart(costs, rows, limits);
  const int full = RowsToStart(costs, limits.max_rows, limits);
  const double quanta = static_cast<double>(rows) / alone * calls;
  return cost(alone) * quanta + std::max(cost(full) - cost(alone), absl::ZeroDuration());
}

}  // namespace gwm::server
