#include "kernels/edm_step.h"
#include "kernels/edm_step_math.h"
#include "kernels/parallel.h"

namespace gwm::kernels {
namespace {
constexpr int64_t kElementGrain = 16384;
}  // namespace

KernelStatus LinearCombine(const float* x, float a, const float* y, float b, int64_t n, float* out,
                           const CpuContext& cpu) {
  if (n < 0) return KernelStatus::kInvalidArgument;
  ParallelFor(cpu.pool, n, kElementGrain, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) out[i] = a * x[i] + b * y[i];
  });
  return KernelStatus::kOk;
}

KernelStatus EulerStep(const float* x, const float* denoised, double sigma, double sigma_next,
                       int64_t n, float* out, const CpuContext& cpu) {
  if (n < 0 || !(sigma > 0) || sigma_next < 0) return KernelStatus::kInvalidArgument;
  const float ratio = static_cast<float>(sigma_next / sigma);
  ParallelFor(cpu.pool, n, kElementGrain, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) out[i] = EulerElement(x[i], denoised[i], ratio);
  });
  return KernelStatus::kOk;
}

// NOLINTNEXTLINE(readability-function-size): the arrays of one formula.
KernelStatus HeunStep(const float* x, const float* denoised, const float* x_euler,
                      const float* denoised_euler, double sigma, double sigma_next, int64_t n,
                      float* out, const CpuContext& cpu) {
  if (n < 0 || !(sigma > 0) || !(sigma_next > 0)) return KernelStatus::kInvalidArgument;
  const float inverse = static_cast<float>(1.0 / sigma);
  const float inverse_next = static_cast<float>(1.0 / sigma_next);
  const float half_step = static_cast<float>((sigma_next - sigma) / 2);
  ParallelFor(cpu.pool, n, kElementGrain, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      out[i] = HeunElement(x[i], denoised[i], x_euler[i], denoised_euler[i], inverse, inverse_next,
                           half_step);
    }
  });
  return KernelStatus::kOk;
}

}  // namespace gwm::kernels
