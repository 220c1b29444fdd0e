#include "kernels/cuda_launch.h"
#include "kernels/edm_step.h"
#include "kernels/edm_step_math.h"

namespace gwm::kernels {
namespace {

__global__ void LinearCombineKernel(const float* x, float a, const float* y, float b, int64_t n,
                                    float* out) {
  for (int64_t i = GridIndex(); i < n; i += GridSize()) out[i] = a * x[i] + b * y[i];
}

__global__ void EulerKernel(const float* x, const float* denoised, float ratio, int64_t n,
                            float* out) {
  for (int64_t i = GridIndex(); i < n; i += GridSize()) {
    out[i] = EulerElement(x[i], denoised[i], ratio);
  }
}

__global__ void HeunKernel(const float* x, const float* denoised, const float* x_euler,
                           const float* denoised_euler, float inverse, float inverse_next,
                           float half_step, int64_t n, float* out) {
  for (int64_t i = GridIndex(); i < n; i += GridSize()) {
    out[i] = HeunElement(x[i], denoised[i], x_euler[i], denoised_euler[i], inverse, inverse_next,
                         half_step);
  }
}

}  // namespace

KernelStatus LinearCombineCuda(const float* x, float a, const float* y, float b, int64_t n,
                               float* out, GpuStream stream) {
  if (n < 0) return KernelStatus::kInvalidArgument;
  if (n == 0) return KernelStatus::kOk;
  return Launch(LinearCombineKernel, GridFor(n), kBlockThreads, stream, x, a, y, b, n, out);
}

KernelStatus EulerStepCuda(const float* x, const float* denoised, double sigma, double sigma_next,
                           int64_t n, float* out, GpuStream stream) {
  if (n < 0 || !(sigma > 0) || sigma_next < 0) return KernelStatus::kInvalidArgument;
  if (n == 0) return KernelStatus::kOk;
  return Launch(EulerKernel, GridFor(n), kBlockThreads, stream, x, denoised,
                static_cast<float>(sigma_next / sigma), n, out);
}

KernelStatus HeunStepCuda(const float* x, const float* denoised, const float* x_euler,
                          const float* denoised_euler, double sigma, double sigma_next, int64_t n,
                          float* out, GpuStream stream) {
  if (n < 0 || !(sigma > 0) || !(sigma_next > 0)) return KernelStatus::kInvalidArgument;
  if (n == 0) return KernelStatus::kOk;
  return Launch(HeunKernel, GridFor(n), kBlockThreads, stream, x, denoised, x_euler, denoised_euler,
                static_cast<float>(1.0 / sigma), static_cast<float>(1.0 / sigma_next),
                static_cast<float>((sigma_next - sigma) / 2), n, out);
}

}  // namespace gwm::kernels
