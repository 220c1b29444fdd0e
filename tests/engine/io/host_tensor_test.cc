#include "engine/io/host_tensor.h"

#include "tests/engine/io/test_support.h"

namespace gwm {
namespace {

constexpr DType kAll[] = {DType::kU8,   DType::kU16, DType::kI32, DType::kI64,  DType::kF16,
                          DType::kBF16, DType::kF32, DType::kF64, DType::kBool, DType::kI8,
                          DType::kI16,  DType::kU32, DType::kU64};

TEST(HostTensorTest, KnowsSizeAndNameOfEveryDType) {
  for (DType dtype : kAll) {
    EXPECT_EQ(DTypeFromName(DTypeName(dtype)), dtype);
    EXPECT_THAT(DTypeBytes(dtype), ::testing::AnyOf(1, 2, 4, 8)) << DTypeName(dtype);
  }
  EXPECT_EQ(DTypeBytes(DType::kBF16), 2u);
  EXPECT_EQ(DTypeName(DType::kBool), "bool");
  EXPECT_EQ(DTypeFromName("F32"), std::nullopt);
  EXPECT_EQ(DTypeFromName(""), std::nullopt);
}

TEST(HostTensorTest, HoldsTheValuesItWasMadeFrom) {
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  const HostTensor tensor = HostTensor::From<float>({2, 3}, values);
  EXPECT_EQ(tensor.dtype, DType::kF32);
  EXPECT_EQ(tensor.elements(), 6);
  EXPECT_THAT(tensor.values<float>(), ::testing::ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_EQ(DescribeTensor(tensor), "f32 [2, 3]");
  const TensorView view = tensor;
  EXPECT_EQ(view.elements(), 6);
  EXPECT_EQ(view.values<float>()[5], 6);
}

TEST(HostTensorTest, HasOneElementWithoutDimensionsAndNoneWithAZero) {
  EXPECT_EQ(HostTensor::Zeros(DType::kF64, {}).data.size(), 8u);
  EXPECT_EQ(HostTensor::Zeros(DType::kF64, {4, 0, 2}).data.size(), 0u);
  EXPECT_EQ(DescribeTensor(HostTensor::Zeros(DType::kI64, {})), "i64 []");
}

TEST(CheckedTensorBytesTest, RefusesNegativeAndOverflowingShapes) {
  const auto bytes = [](std::vector<int64_t> shape) {
    return CheckedTensorBytes(DType::kF32, shape);
  };
  EXPECT_EQ(bytes({2, 3}), 24u);
  EXPECT_EQ(bytes({}), 4u);
  EXPECT_EQ(bytes({5, 0}), 0u);
  EXPECT_EQ(bytes({2, -1}), std::nullopt);
  EXPECT_EQ(bytes({INT64_MAX}), std::nullopt);
  EXPECT_EQ(bytes({int64_t{1} << 40, int64_t{1} << 40}), std::nullopt);
}

TEST(CheckedTensorBytesTest, RefusesAnOverflowThatAZeroHides) {
  const std::vector<int64_t> shape = {0, int64_t{1} << 40, int64_t{1} << 40};
  EXPECT_EQ(CheckedTensorBytes(DType::kU8, shape), std::nullopt);
}

}  // namespace
}  // namespace gwm
