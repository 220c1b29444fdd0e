#include "engine/base/compute.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace gwm {
namespace {

// A tenth of gain is the least that pays for waking the threads of every small operation, a quarter
// the least that pays for rounding.
constexpr double kWorthAThread = 0.9;
constexpr double kWorthRounding = 0.75;
constexpr int kRounds = 6;
constexpr int kProductsPerRound = 4;
constexpr double kUsPerSecond = 1e6;

// The matrix product that most of a step's time goes into.
class Probe {
 public:
  Probe(torch::Device device, int rows)
      : device_(device),
        tokens_(torch::ones({rows, 192}, device)),
        weight_(torch::ones({768, 192}, device)),
        weight_bf16_(weight_.to(torch::kBFloat16)) {}

  // Microseconds of one product with its conversions, the best of some rounds.
  double Us(Precision precision) const {
    torch::NoGradGuard no_grad;
    double best_s = 1e9;
    for (int round = 0; round < kRounds; ++round) {
      const auto start = std::chrono::steady_clock::now();
      for (int i = 0; i < kProductsPerRound; ++i) Multiply(precision);
      if (device_.is_cuda()) torch::cuda::synchronize(device_.index());
      const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
      if (round > 0) best_s = std::min(best_s, elapsed.count());  // the first one starts threads
    }
    return best_s * kUsPerSecond / kProductsPerRound;
  }

 private:
  void Multiply(Precision precision) const {
    if (precision == Precision::kFp32) {
      torch::linear(tokens_, weight_);
    } else {
      torch::linear(tokens_.to(torch::kBFloat16), weight_bf16_).to(torch::kFloat);
    }
  }

  torch::Device device_;
  torch::Tensor tokens_, weight_, weight_bf16_;
};

int ChooseThreads(const Probe& probe, int asked, std::string& why) {
  if (asked > 0) {
    at::set_num_threads(asked);
    absl::StrAppend(&why, asked, " compute threads as asked for");
    return asked;
  }
  const int cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  int best_threads = 1;
  double best_us = 0;
  std::string tried;
  for (int candidate = 1; candidate <= cores; candidate *= 2) {
    at::set_num_threads(candidate);
    const double us = probe.Us(Precision::kFp32);
    absl::StrAppendFormat(&tried, "%s%.0f us with %d", candidate == 1 ? "" : ", ", us, candidate);
    if (candidate == 1 || us < kWorthAThread * best_us) {
      best_us = us;
      best_threads = candidate;
    }
  }
  at::set_num_threads(best_threads);
  absl::StrAppend(&why, best_threads, " compute threads (a matrix product takes ", tried, ")");
  return best_threads;
}

Precision MeasurePrecision(const Probe& probe, std::string& why) {
  const double fp32_us = probe.Us(Precision::kFp32);
  const double bf16_us = probe.Us(Precision::kBf16);
  const bool rounds = bf16_us < kWorthRounding * fp32_us;
  absl::StrAppendFormat(&why, "%s (fp32 takes %.0f us, bf16 %.0f us)", rounds ? "bf16" : "fp32",
                        fp32_us, bf16_us);
  return rounds ? Precision::kBf16 : Precision::kFp32;
}

}  // namespace

std::string_view PrecisionName(Precision precision) {
  return precision == Precision::kFp32 ? "fp32" : "bf16";
}

absl::StatusOr<Compute> ChooseCompute(torch::Device device, const ComputeOptions& options) {
  const bool measure = options.precision == "auto";
  if (!measure && options.precision != "fp32" && options.precision != "bf16") {
    return absl::InvalidArgumentError(
        absl::StrCat("precision is '", options.precision, "', allowed are auto, fp32 and bf16"));
  }
  const Probe probe(device, options.rows);
  Compute compute;
  compute.threads = ChooseThreads(probe, options.threads, compute.why);
  compute.why += ", ";
  if (measure) {
    compute.precision = MeasurePrecision(probe, compute.why);
  } else {
    compute.precision = options.precision == "bf16" ? Precision::kBf16 : Precision::kFp32;
    absl::StrAppend(&compute.why, options.precision, " as asked for");
  }
  return compute;
}

}  // namespace gwm
