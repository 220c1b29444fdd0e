#include "clients/policies/assignment.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "clients/base/checks.h"

namespace gwm::policies {
namespace {

constexpr int64_t kNone = -1;

// Dual potentials and the matching so far. Column `count` is a helper: it holds the row that is
// being added.
struct Matching {
  explicit Matching(int64_t count)
      : row_potential(count, 0), column_potential(count + 1, 0), row_of(count + 1, kNone) {}

  std::vector<double> row_potential, column_potential;
  std::vector<int64_t> row_of;  // by column
};

// Adds `row` along the shortest augmenting path (Dijkstra over reduced costs).
void AddRow(const torch::TensorAccessor<double, 2>& cost, int64_t row, Matching& matching) {
  const int64_t count = cost.size(0);
  std::vector<double> distance(count, std::numeric_limits<double>::infinity());
  std::vector<int64_t> previous(count, count);
  std::vector<bool> reached(count + 1, false);
  matching.row_of[count] = row;
  int64_t column = count;
  while (matching.row_of[column] != kNone) {
    reached[column] = true;
    const int64_t from = matching.row_of[column];
    int64_t nearest = kNone;
    for (int64_t c = 0; c < count; ++c) {
      if (reached[c]) continue;
      const double reduced =
          cost[from][c] - matching.row_potential[from] - matching.column_potential[c];
      if (reduced < distance[c]) {
        distance[c] = reduced;
        previous[c] = column;
      }
      if (nearest == kNone || distance[c] < distance[nearest]) nearest = c;
    }
    const double step = distance[nearest];
    for (int64_t c = 0; c <= count; ++c) {
      if (reached[c]) {
        matching.row_potential[matching.row_of[c]] += step;
        matching.column_potential[c] -= step;
      } else if (c < count) {
        distance[c] -= step;
      }
    }
    column = nearest;
  }
  while (column != count) {
    matching.row_of[column] = matching.row_of[previous[column]];
    column = previous[column];
  }
}

}  // namespace

absl::StatusOr<std::vector<int64_t>> CheapestAssignment(const torch::Tensor& cost) {
  if (!cost.defined() || cost.dim() != 2 || cost.size(0) != cost.size(1) ||
      !cost.is_floating_point() || !torch::isfinite(cost).all().item<bool>()) {
    return absl::InvalidArgumentError("cost must be a square matrix of finite numbers");
  }
  const torch::Tensor exact = cost.detach().to(torch::kCPU, torch::kFloat64).contiguous();
  const auto costs = exact.accessor<double, 2>();
  const int64_t count = exact.size(0);
  Matching matching(count);
  for (int64_t row = 0; row < count; ++row) AddRow(costs, row, matching);
  std::vector<int64_t> column_of(count);
  for (int64_t c = 0; c < count; ++c) column_of[matching.row_of[c]] = c;
  return column_of;
}

}  // namespace gwm::policies
