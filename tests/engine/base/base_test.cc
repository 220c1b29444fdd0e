#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/cuda.h>

#include <new>
#include <stdexcept>

#include "engine/base/catch_torch.h"
#include "engine/base/compute.h"
#include "engine/base/device.h"
#include "engine/base/shape.h"
#include "engine/base/status.h"
#include "engine/base/tensor_convert.h"

namespace gwm {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

template <typename Body>
absl::Status Caught(Body body) {
  return CatchTorch("Step", [&]() -> absl::Status {
    body();
    return absl::OkStatus();
  });
}

TEST(CatchTorchTest, MapsEachKindOfErrorToItsCode) {
  EXPECT_TRUE(Caught([] {}).ok());
  EXPECT_EQ(Caught([] { TORCH_CHECK_VALUE(false, "bad"); }).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Caught([] { TORCH_CHECK_INDEX(false, "bad"); }).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Caught([] { TORCH_CHECK(false, "bug"); }).code(), absl::StatusCode::kInternal);
  EXPECT_EQ(Caught([] { throw std::bad_alloc(); }).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Caught([] { throw std::runtime_error("other"); }).code(), absl::StatusCode::kInternal);
  EXPECT_EQ(Caught([] { throw 7; }).code(), absl::StatusCode::kInternal);
}

TEST(CatchTorchTest, TellsAnErrorThatTheDeviceSurvivesFromOneThatItDoesNot) {
  const absl::Status status = Caught([] { TORCH_CHECK(false, "CUDA error: an illegal access"); });
  // A device that still answers has survived it; without one, none answers.
  EXPECT_EQ(status.code(), torch::cuda::is_available() ? absl::StatusCode::kInternal
                                                       : absl::StatusCode::kUnavailable);
}

TEST(CatchTorchTest, ReportsAFailedAllocationOfATensorAsExhausted) {
  const absl::Status status = Caught([] { torch::empty({int64_t{1} << 50}, torch::kUInt8); });
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
}

TEST(CatchTorchTest, NamesTheOperationAndLeavesTheBacktraceOut) {
  const absl::Status status = Caught([] { torch::zeros({2, 3}).view({5}); });
  const std::string message(status.message());
  EXPECT_THAT(message, HasSubstr("Step: "));
  EXPECT_THAT(message, Not(HasSubstr("frame #")));
}

absl::StatusOr<int> Half(int value) {
  if (value % 2 != 0) return absl::InvalidArgumentError("odd");
  return value / 2;
}
absl::StatusOr<int> Quarter(int value) {
  GWM_ASSIGN_OR_RETURN(const int half, Half(value));
  GWM_RETURN_IF_ERROR(Half(half).status());
  return half / 2;
}

TEST(StatusMacrosTest, HandTheFirstErrorOn) {
  EXPECT_EQ(*Quarter(12), 3);
  EXPECT_EQ(Quarter(3).status().message(), "odd");
  EXPECT_EQ(Quarter(6).status().message(), "odd");
}

TEST(ShapeTest, MessageGivesTheActualAndTheExpectedShape) {
  const absl::Status status = Caught([] {
    CheckShape(torch::zeros({2, 5}), {2, kAny, 3}, "means");
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("means is Float [2, 5], expected [2, *, 3]"));
  EXPECT_TRUE(Caught([] { CheckTrailing(torch::zeros({9, 2, 3}), {kAny, 3}, "x"); }).ok());
  EXPECT_FALSE(Caught([] { CheckTrailing(torch::zeros({3}), {kAny, 3}, "x"); }).ok());
  EXPECT_FALSE(Caught([] { CheckShape(torch::Tensor(), {1}, "x"); }).ok());
  EXPECT_FALSE(Caught([] { CheckDType(torch::zeros({1}), torch::kUInt8, "x"); }).ok());
}

TEST(TensorConvertTest, RoundTripsEveryDtypeAndStridedTensors) {
  for (DType dtype : {DType::kU8, DType::kU16, DType::kI32, DType::kI64, DType::kF16, DType::kBF16,
                      DType::kF32, DType::kF64, DType::kBool}) {
    HostTensor host = HostTensor::Zeros(dtype, {2, 3});
    host.data[0] = 1;
    const torch::Tensor tensor = ToTorch(host);
    EXPECT_EQ(HostType(tensor.scalar_type()), dtype);
    const HostTensor back = ToHost(tensor);
    EXPECT_EQ(back.data, host.data);
    EXPECT_EQ(back.shape, host.shape);
  }
  const torch::Tensor strided = torch::arange(6, torch::kInt32).view({2, 3}).t();
  EXPECT_THAT(ToHost(strided).values<int32_t>(), ::testing::ElementsAre(0, 3, 1, 4, 2, 5));
  EXPECT_EQ(ToHost(torch::zeros({0, 4})).data.size(), 0u);
}

TEST(DeviceTest, ChoosesByNameAndSaysWhatIsAllowed) {
  EXPECT_TRUE(ChooseDevice("cpu")->is_cpu());
  EXPECT_TRUE(ChooseDevice("auto").ok());
  for (const char* name : {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1000"}) {
    const auto device = ChooseDevice(name);
    EXPECT_EQ(device.status().code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_THAT(std::string(device.status().message()), HasSubstr("auto, cpu, cuda and cuda:N"));
  }
  if (!torch::cuda::is_available()) {
    EXPECT_EQ(ChooseDevice("cuda").status().code(), absl::StatusCode::kFailedPrecondition);
  }
}

TEST(ComputeTest, TakesWhatItIsAskedFor) {
  const auto compute = ChooseCompute(torch::kCPU, {.threads = 1, .precision = "bf16"});
  ASSERT_TRUE(compute.ok());
  EXPECT_EQ(compute->threads, 1);
  EXPECT_EQ(compute->precision, Precision::kBf16);
  EXPECT_EQ(compute->why, "1 compute threads as asked for, bf16 as asked for");
  EXPECT_EQ(at::get_num_threads(), 1);
}

TEST(ComputeTest, SaysWhatItMeasuredWhenItChooses) {
  const auto compute = ChooseCompute(torch::kCPU, {});
  ASSERT_TRUE(compute.ok());
  EXPECT_EQ(at::get_num_threads(), compute->threads);
  EXPECT_THAT(compute->why, HasSubstr("a matrix product takes"));
  EXPECT_THAT(compute->why,
              HasSubstr(std::string(PrecisionName(compute->precision)) + " (fp32 takes"));
  at::set_num_threads(1);
}

TEST(ComputeTest, RefusesAnUnknownPrecision) {
  const auto compute = ChooseCompute(torch::kCPU, {.precision = "fp8"});
  EXPECT_EQ(compute.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(compute.status().message()),
              HasSubstr("'fp8', allowed are auto, fp32 and bf16"));
}

}  // namespace
}  // namespace gwm
