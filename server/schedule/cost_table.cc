#include "server/schedule/cost_table.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace gwm::server {
namespace {

constexpr double kWeight = 1.0 / 8;
constexpr double kMostSurprise = 4;

double RowsAt(int knot) { return std::ldexp(1.0, knot); }

}  // namespace

double CostTable::At(const Row& row, double rows) {
  int below = -1, above = -1;
  for (int i = 0; i < kKnots; ++i) {
    if (row.micros[i] < 0) continue;
    if (RowsAt(i) <= rows) below = i;
    if (RowsAt(i) >= rows && above < 0) above = i;
  }
  if (below < 0 && above < 0) return -1;
  // More rows than were ever seen cost in proportion; fewer never cost more than what was seen.
  if (above < 0) return row.micros[below] * rows / RowsAt(below);
  if (below < 0 || below == above) return row.micros[above];
  const double t = (rows - RowsAt(below)) / (RowsAt(above) - RowsAt(below));
  return row.micros[below] + t * (row.micros[above] - row.micros[below]);
}

void CostTable::Learn(Stage stage, int rows, absl::Duration cost) {
  Row& row = stages_[static_cast<size_t>(stage)];
  const int bits = static_cast<int>(std::bit_width(static_cast<unsigned>(std::max(rows, 1))));
  const int below = std::min(bits - 1, kKnots - 1);
  const int above = std::min(RowsAt(below) < rows ? below + 1 : below, kKnots - 1);
  const double seen = std::max(absl::ToDoubleMicroseconds(cost), 0.0);
  const double share = below == above ? 0 : rows / RowsAt(below) - 1;  // of the upper knot
  for (const int knot : {below, above}) {
    double& micros = row.micros[knot];
    // What was seen, carried over to the knot's number of rows by what is known of the slope.
    const double expected = At(row, rows);
    const double here = micros >= 0 ? micros : At(row, RowsAt(knot));
    const double scaled = expected > 0 && here > 0 ? seen * here / expected
                                                   : seen * std::min(RowsAt(knot) / rows, 1.0);
    if (micros < 0) {
      micros = scaled;
    } else {
      const double weight = kWeight * (below == above ? 1 : (knot == below ? 1 - share : share));
      const double most = micros > 0 ? kMostSurprise * micros : scaled;
      micros += weight * (std::min(scaled, most) - micros);
    }
    if (below == above) break;
  }
}

std::optional<absl::Duration> CostTable::Predict(Stage stage, int rows) const {
  const double micros = At(stages_[static_cast<size_t>(stage)], std::max(rows, 1));
  if (micros < 0) return std::nullopt;
  return absl::Microseconds(micros);
}

}  // namespace gwm::server
