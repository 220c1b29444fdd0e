// How a device computes: threads and precision, chosen at start by a probe of a few milliseconds.
#ifndef GWM_ENGINE_BASE_COMPUTE_H_
#define GWM_ENGINE_BASE_COMPUTE_H_

#include <torch/torch.h>

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace gwm {

// Of the denoiser's matrix products. Sums, norms, attention and every other part are fp32 always.
enum class Precision { kFp32, kBf16 };

std::string_view PrecisionName(Precision precision);  // "fp32", "bf16"

struct ComputeOptions {
  int threads = 0;                 // of the CPU; 0: the probe decides
  std::string precision = "auto";  // auto (the probe decides), fp32 or bf16
  int rows = 64;                   // that are multiplied at once: the tokens of a step or a batch
};

struct Compute {
  int threads = 1;
  Precision precision = Precision::kFp32;
  std::string why;  // one line for a log
};

// Sets the number of Torch's compute threads of the calling thread. The probe: a matrix
// product of the denoiser with 1, 2, 4, ... threads up to the number of cores, and in both
// precisions. More threads must save a tenth of the time, and bf16 a quarter, to be chosen.
// InvalidArgument: an unknown precision.
absl::StatusOr<Compute> ChooseCompute(torch::Device device, const ComputeOptions& options);

}  // namespace gwm

#endif  // GWM_ENGINE_BASE_COMPUTE_H_
