#include "engine/base/catch_torch.h"

#include <c10/util/Exception.h>
#include <torch/cuda.h>

#include <exception>
#include <new>
#include <string>

#include "absl/strings/str_cat.h"

namespace gwm {
namespace {

std::string Message(std::string_view what, const std::exception& error) {
  const auto* torch_error = dynamic_cast<const c10::Error*>(&error);
  const char* text = torch_error ? torch_error->what_without_backtrace() : error.what();
  return absl::StrCat(absl::string_view(what.data(), what.size()), ": ", text);
}

// Torch's CPU allocator reports exhaustion as a plain error.
bool IsHostAllocationFailure(const c10::Error& error) {
  return std::string_view(error.what_without_backtrace()).find("DefaultCPUAllocator") !=
         std::string_view::npos;
}

// Errors of a kernel spoil the whole context: from then on every call fails. Errors of a launch's
// arguments do not.
bool IsDeviceLost(const c10::Error& error) {
  const std::string_view text(error.what_without_backtrace());
  if (text.find("CUDA error") == std::string_view::npos) return false;
  try {
    torch::cuda::synchronize();
    return false;
  } catch (...) {
    return true;
  }
}

}  // namespace

absl::Status StatusOfCurrentException(std::string_view what) {
  try {
    throw;
  } catch (const c10::OutOfMemoryError& error) {
    return absl::ResourceExhaustedError(Message(what, error));
  } catch (const c10::IndexError& error) {
    return absl::InvalidArgumentError(Message(what, error));
  } catch (const c10::ValueError& error) {
    return absl::InvalidArgumentError(Message(what, error));
  } catch (const c10::TypeError& error) {
    return absl::InvalidArgumentError(Message(what, error));
  } catch (const c10::NotImplementedError& error) {
    return absl::UnimplementedError(Message(what, error));
  } catch (const c10::Error& error) {
    if (IsHostAllocationFailure(error)) return absl::ResourceExhaustedError(Message(what, error));
    return IsDeviceLost(error) ? absl::UnavailableError(Message(what, error))
                               : absl::InternalError(Message(what, error));
  } catch (const std::bad_alloc& error) {
    return absl::ResourceExhaustedError(Message(what, error));
  } catch (const std::exception& error) {
    return absl::InternalError(Message(what, error));
  } catch (...) {
    return absl::InternalError(
        absl::StrCat(absl::string_view(what.data(), what.size()), ": unknown exception"));
  }
}

}  // namespace gwm
