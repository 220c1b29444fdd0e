#include "clients/policies/normalizer.h"

#include <limits>

#include "tests/clients/policies/test_support.h"

namespace gwm::policies {
namespace {

torch::Tensor Rows() { return torch::tensor({{0.0f, 5.0f, -2.0f}, {4.0f, 5.0f, 6.0f}}); }

TEST(NormalizerTest, MinMaxSpansMinusOneToOne) {
  const auto normalizer = Normalizer::Fit(NormalizerKind::kMinMax, Rows());
  ASSERT_TRUE(normalizer.ok());
  const torch::Tensor wanted = torch::tensor({{-1.0f, 0.0f, -1.0f}, {1.0f, 0.0f, 1.0f}});
  EXPECT_TRUE(torch::allclose(normalizer->Apply(Rows()), wanted));
}

TEST(NormalizerTest, MeanStdGivesMeanZeroAndDeviationOne) {
  const auto normalizer = Normalizer::Fit(NormalizerKind::kMeanStd, 3 * Normals(1, {100, 2}) + 7);
  ASSERT_TRUE(normalizer.ok());
  const torch::Tensor out = normalizer->Apply(3 * Normals(1, {100, 2}) + 7);
  EXPECT_TRUE(torch::allclose(out.mean(0), torch::zeros({2}), 0, 1e-5));
  EXPECT_TRUE(torch::allclose(out.std(0, false), torch::ones({2}), 0, 1e-5));
}

TEST(NormalizerTest, InverseGivesTheUnitsBackEvenWhereNothingChanges) {
  for (const NormalizerKind kind :
       {NormalizerKind::kIdentity, NormalizerKind::kMinMax, NormalizerKind::kMeanStd}) {
    const auto normalizer = Normalizer::Fit(kind, Rows());
    ASSERT_TRUE(normalizer.ok());
    EXPECT_TRUE(torch::allclose(normalizer->Invert(normalizer->Apply(Rows())), Rows()));
  }
}

TEST(NormalizerTest, RefusesDataThatIsEmptyOrNotFinite) {
  EXPECT_EQ(Normalizer::Fit(NormalizerKind::kMinMax, torch::zeros({0, 2})).status().code(),
            absl::StatusCode::kInvalidArgument);
  const torch::Tensor bad = torch::full({2, 2}, std::numeric_limits<float>::quiet_NaN());
  EXPECT_EQ(Normalizer::Fit(NormalizerKind::kMeanStd, bad).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace gwm::policies
