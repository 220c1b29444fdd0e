#include <cmath>

#include "kernels/norm_modulate.h"
#include "kernels/parallel.h"

namespace gwm::kernels {
namespace {

constexpr int64_t kRowGrain = 16;
constexpr int64_t kPartials = 16;  // partial sums of squares: a fixed order that vectorises

// Element j of the row with its residual applied; `condition` is the row of gate.
float Residual(const NormModulateArgs& args, int64_t row, int64_t condition, int64_t j) {
  const int64_t i = row * args.width + j;
  if (args.branch == nullptr) return args.x[i];
  const float gate = args.gate ? args.gate[condition * args.width + j] : 1.0f;
  return args.x[i] + gate * args.branch[i];
}

float SumOfSquares(const float* h, int64_t width) {
  float partial[kPartials] = {};
  int64_t j = 0;
  for (; j + kPartials <= width; j += kPartials) {
    for (int64_t l = 0; l < kPartials; ++l) partial[l] += h[j + l] * h[j + l];
  }
  for (int64_t l = 0; j < width; ++j, ++l) partial[l] += h[j] * h[j];
  for (int64_t half = kPartials / 2; half >= 1; half /= 2) {
    for (int64_t l = 0; l < half; ++l) partial[l] += partial[l + half];
  }
  return partial[0];
}

void Row(const NormModulateArgs& args, int64_t row) {
  const int64_t condition = row / args.rows_per_condition;
  float* out = args.out + row * args.width;
  for (int64_t j = 0; j < args.width; ++j) out[j] = Residual(args, row, condition, j);
  for (int64_t j = 0; args.residual != nullptr && j < args.width; ++j) {
    args.residual[row * args.width + j] = out[j];
  }
  const float mean = SumOfSquares(out, args.width) / static_cast<float>(args.width);
  const float inverse = 1.0f / std::sqrt(mean + args.eps);
  const float* scale = args.scale ? args.scale + condition * args.width : nullptr;
  const float* shift = args.shift ? args.shift + condition * args.width : nullptr;
  for (int64_t j = 0; j < args.width; ++j) {
    float y = out[j] * inverse;
    if (args.weight != nullptr) y *= args.weight[j];
    if (scale != nullptr) y *= 1.0f + scale[j];
    if (shift != nullptr) y += shift[j];
    out[j] = y;
  }
}

}  // namespace

KernelStatus NormModulate(const NormModulateArgs& args, const CpuContext& cpu) {
  if (args.rows < 0 || args.width < 1 || args.rows_per_condition < 1) {
    return KernelStatus::kInvalidArgument;
  }
  ParallelFor(cpu.pool, args.rows, kRowGrain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) Row(args, row);
  });
  return KernelStatus::kOk;
}

}  // namespace gwm::kernels
