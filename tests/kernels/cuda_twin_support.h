// Device memory and the fixture of the tests that hold a CUDA kernel against its CPU twin. The same
// tests run on a device and, with cuda_on_cpu/ in front of the include path, on the CPU.
#ifndef GWM_TESTS_KERNELS_CUDA_TWIN_SUPPORT_H_
#define GWM_TESTS_KERNELS_CUDA_TWIN_SUPPORT_H_

#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <vector>

namespace gwm::kernels {

inline bool HasDevice() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess && count > 0;
}

// Device memory with a copy of `values`.
template <typename T>
class OnDevice {
 public:
  explicit OnDevice(const std::vector<T>& values) : size_(values.size()) {
    EXPECT_EQ(cudaMalloc(&data_, size_ * sizeof(T) + 1), cudaSuccess);
    EXPECT_EQ(cudaMemcpy(data_, values.data(), size_ * sizeof(T), cudaMemcpyHostToDevice),
              cudaSuccess);
  }
  ~OnDevice() { EXPECT_EQ(cudaFree(data_), cudaSuccess); }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;

  T* data() const { return static_cast<T*>(data_); }
  std::vector<T> Read() const {
    std::vector<T> values(size_);
    EXPECT_EQ(cudaMemcpy(values.data(), data_, size_ * sizeof(T), cudaMemcpyDeviceToHost),
              cudaSuccess);
    return values;
  }

 private:
  size_t size_;
  void* data_ = nullptr;
};

// Skipped visibly where there is no device.
class CudaTwinTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!HasDevice()) GTEST_SKIP() << "no CUDA device";
  }
};

}  // namespace gwm::kernels

#endif  // GWM_TESTS_KERNELS_CUDA_TWIN_SUPPORT_H_
