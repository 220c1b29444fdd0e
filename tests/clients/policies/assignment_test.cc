#include "clients/policies/assignment.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "tests/clients/policies/test_support.h"

namespace gwm::policies {
namespace {

double CostOf(const torch::Tensor& cost, const std::vector<int64_t>& columns) {
  double sum = 0;
  for (int64_t row = 0; row < cost.size(0); ++row) sum += cost[row][columns[row]].item<double>();
  return sum;
}

double LeastCostByTryingAll(const torch::Tensor& cost) {
  std::vector<int64_t> columns(cost.size(0));
  std::iota(columns.begin(), columns.end(), 0);
  double least = std::numeric_limits<double>::infinity();
  do {
    least = std::min(least, CostOf(cost, columns));
  } while (std::next_permutation(columns.begin(), columns.end()));
  return least;
}

TEST(AssignmentTest, IsAsCheapAsTheBestOfAllPermutations) {
  for (int64_t count = 1; count <= 5; ++count) {
    for (uint64_t seed = 0; seed < 5; ++seed) {
      const torch::Tensor cost = Normals(seed, {count, count});
      const auto columns = CheapestAssignment(cost);
      ASSERT_TRUE(columns.ok());
      EXPECT_NEAR(CostOf(cost, *columns), LeastCostByTryingAll(cost), 1e-5);
    }
  }
}

TEST(AssignmentTest, UsesEachColumnOnce) {
  const auto columns = CheapestAssignment(torch::zeros({40, 40}));
  ASSERT_TRUE(columns.ok());
  std::vector<int64_t> sorted = *columns, all(40);
  std::sort(sorted.begin(), sorted.end());
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(sorted, all);
}

TEST(AssignmentTest, RefusesWhatIsNoSquareOfFiniteNumbers) {
  for (const torch::Tensor& cost :
       {torch::Tensor(), torch::zeros({2, 3}), torch::zeros({2, 2}, torch::kInt64),
        torch::full({1, 1}, std::numeric_limits<float>::infinity())}) {
    EXPECT_EQ(CheapestAssignment(cost).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace gwm::policies
