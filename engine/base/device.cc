#include "engine/base/device.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "absl/strings/str_cat.h"
#include "engine/base/catch_torch.h"
#include "engine/base/status.h"

namespace gwm {
namespace {

// A driver that is too old, or a GPU that another process owns, shows only at the first real use.
absl::Status TryCuda(int index) {
  return CatchTorch("cuda", [&]() -> absl::Status {
    if (!torch::cuda::is_available()) {
      return absl::FailedPreconditionError(
          "no usable CUDA device (no GPU, no driver, or a LibTorch without CUDA)");
    }
    const auto count = static_cast<int>(torch::cuda::device_count());
    if (index >= count) {
      return absl::FailedPreconditionError(
          absl::StrCat("device cuda:", index, " does not exist: ", count, " CUDA device(s) found"));
    }
    const torch::Device device(torch::kCUDA, static_cast<c10::DeviceIndex>(index));
    torch::ones({2}, torch::TensorOptions(device)).sum().item<float>();
    return absl::OkStatus();
  });
}

double SecondsOfProbe(int threads) {
  torch::NoGradGuard no_grad;
  at::set_num_threads(threads);
  const torch::Tensor a = torch::ones({512, 256});
  const torch::Tensor b = torch::ones({256, 512});
  double best_s = 1e9;
  for (int round = 0; round < 6; ++round) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < 4; ++i) torch::mm(a, b);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    if (round > 0) best_s = std::min(best_s, elapsed.count());  // The first round starts threads.
  }
  return best_s;
}

}  // namespace

absl::StatusOr<torch::Device> ChooseDevice(std::string_view name) {
  if (name == "cpu") return torch::Device(torch::kCPU);
  if (name == "auto") {
    return TryCuda(0).ok() ? torch::Device(torch::kCUDA, 0) : torch::Device(torch::kCPU);
  }
  int index = 0;
  bool known = name == "cuda";
  if (name.substr(0, 5) == "cuda:") {
    const auto [end, error] = std::from_chars(name.data() + 5, name.data() + name.size(), index);
    known = error == std::errc() && end == name.data() + name.size() && index >= 0 && index < 128;
  }
  if (!known) {
    return absl::InvalidArgumentError(absl::StrCat("device is '",
                                                   absl::string_view(name.data(), name.size()),
                                                   "', allowed are auto, cpu, cuda and cuda:N"));
  }
  GWM_RETURN_IF_ERROR(TryCuda(index));
  return torch::Device(torch::kCUDA, static_cast<c10::DeviceIndex>(index));
}

void WaitPassively(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) return;
  setenv("OMP_WAIT_POLICY", "passive", /*overwrite=*/1);
  setenv("GOMP_SPINCOUNT", "0", /*overwrite=*/1);
  // Returns only on failure (no /proc): the program then goes on with spinning threads.
  execv("/proc/self/exe", argv);
}

int UseComputeThreads(int threads) {
  if (threads > 0) {
    at::set_num_threads(threads);
    return threads;
  }
  const int cores = std::max(1u, std::thread::hardware_concurrency());
  int best_threads = 1;
  double best_s = SecondsOfProbe(1);
  for (int candidate = 2; candidate <= cores; candidate *= 2) {
    // A tenth of gain is the least that pays for waking the threads of every small operation.
    const double seconds = SecondsOfProbe(candidate);
    if (seconds < 0.9 * best_s) {
      best_s = seconds;
      best_threads = candidate;
    }
  }
  at::set_num_threads(best_threads);
  return best_threads;
}

}  // namespace gwm
