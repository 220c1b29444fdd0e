#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kernels/pack_u8.h"
#include "tests/kernels/cuda_twin_support.h"
#include "tests/kernels/test_support.h"

namespace gwm::kernels {
namespace {

TEST_F(CudaTwinTest, PackedImagesHaveTheSameBytes) {
  Lcg lcg(5);
  for (const int64_t columns : {48, 33}) {
    for (const int64_t gap : {0, 5}) {
      const int64_t rows = 17, stride = columns + gap;
      std::vector<float> image = UniformFloats(&lcg, rows * columns, -.2f, 1.2f);
      image[3] = NAN;
      image[4] = INFINITY;
      std::vector<uint8_t> want(rows * stride, 9);
      const OnDevice<uint8_t> out(want);
      const OnDevice<float> d_image(image);
      ASSERT_EQ(PackU8({image.data(), rows, columns, want.data(), stride}), KernelStatus::kOk);
      ASSERT_EQ(PackU8Cuda({d_image.data(), rows, columns, out.data(), stride}, nullptr),
                KernelStatus::kOk);
      EXPECT_EQ(out.Read(), want) << columns << " columns, gap " << gap;
    }
  }
}

}  // namespace
}  // namespace gwm::kernels
