// EDM preconditioning (Karras et al. 2022, table 1), the sigma schedule, and the Euler / Heun
// updates on flat arrays.
#ifndef GWM_KERNELS_EDM_STEP_H_
#define GWM_KERNELS_EDM_STEP_H_

#include <cstdint>

#include "kernels/simd.h"
#include "kernels/status.h"

namespace gwm::kernels {

// s = sqrt(sigma^2 + sigma_offset^2), d = sigma_data.
struct EdmConditioners {
  double c_in = 0;     // 1 / sqrt(s^2 + d^2)
  double c_skip = 0;   // d^2 / (s^2 + d^2)
  double c_out = 0;    // s d / sqrt(s^2 + d^2)
  double c_noise = 0;  // ln(s) / 4
};

// sigma > 0 or sigma_offset > 0; sigma_data > 0.
EdmConditioners ComputeEdmConditioners(double sigma, double sigma_data, double sigma_offset = 0);

// ln(sigma_cond) / 4, exactly 0 for a clean context (sigma_cond = 0).
double ContextNoiseEmbedding(double sigma_cond);

struct EdmScheduleOptions {
  int64_t steps = 3;  // sigmas without the terminal 0, >= 1
  double sigma_min = 2e-3;
  double sigma_max = 5;
  double rho = 7;
};

// out [steps + 1]: (sigma_max^(1/rho) + i/(steps-1) (sigma_min^(1/rho) - sigma_max^(1/rho)))^rho,
// then 0.
void EdmSigmas(const EdmScheduleOptions& options, double* out);

// The stochastic part of a step (Karras et al. 2022, algorithm 2).
struct ChurnOptions {
  double s_churn = 0;
  double s_tmin = 0;
  double s_tmax = 1e300;
  double s_noise = 1;
};

// sigma_hat = sigma (1 + gamma), gamma = min(s_churn / steps, sqrt(2) - 1) inside [s_tmin, s_tmax],
// else 0.
double ChurnedSigma(double sigma, int64_t steps, const ChurnOptions& churn);

// The factor on unit noise that takes sigma to sigma_hat: s_noise sqrt(sigma_hat^2 - sigma^2).
double ChurnNoiseScale(double sigma, double sigma_hat, const ChurnOptions& churn);

// Arrays are f32 [n], contiguous; `out` may be the same array as any input, other overlaps may not
// be.

// out = a x + b y: input scaling, denoised = c_skip x + c_out F, added noise.
KernelStatus LinearCombine(const float* x, float a, const float* y, float b, int64_t n, float* out,
                           const CpuContext& cpu = {});

// out = x + (sigma_next - sigma) (x - denoised) / sigma; sigma_next = 0 returns `denoised` itself.
KernelStatus EulerStep(const float* x, const float* denoised, double sigma, double sigma_next,
                       int64_t n, float* out, const CpuContext& cpu = {});

// The second half of a Heun step: out = x + (sigma_next - sigma) (d + d2) / 2 with d = (x -
// denoised) / sigma and d2 = (x_euler - denoised_euler) / sigma_next. sigma_next > 0.
KernelStatus HeunStep(const float* x, const float* denoised, const float* x_euler,
                      const float* denoised_euler, double sigma, double sigma_next, int64_t n,
                      float* out, const CpuContext& cpu = {});

KernelStatus LinearCombineCuda(const float* x, float a, const float* y, float b, int64_t n,
                               float* out, GpuStream stream);
KernelStatus EulerStepCuda(const float* x, const float* denoised, double sigma, double sigma_next,
                           int64_t n, float* out, GpuStream stream);
KernelStatus HeunStepCuda(const float* x, const float* denoised, const float* x_euler,
                          const float* denoised_euler, double sigma, double sigma_next, int64_t n,
                          float* out, GpuStream stream);

}  // namespace gwm::kernels

#endif  // GWM_KERNELS_EDM_STEP_H_
