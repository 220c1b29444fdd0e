#include "engine/base/device.h"

#include <unistd.h>

#include <charconv>
#include <cstdlib>

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

}  // namespace gwm
