#include "clients/base/state_file.h"

#include <cstring>
#include <limits>
#include <optional>

#include "absl/strings/str_cat.h"
#include "clients/base/checks.h"
#include "engine/io/crc32c.h"
#include "engine/io/host_tensor.h"
#include "engine/io/safetensors.h"

namespace gwm::clients {
namespace {

struct TypePair {
  torch::ScalarType torch_type;
  DType host_type;
};
constexpr TypePair kTypes[] = {{torch::kUInt8, DType::kU8},
                               {torch::kInt64, DType::kI64},
                               {torch::kFloat32, DType::kF32},
                               {torch::kFloat64, DType::kF64}};

std::optional<HostTensor> ToHost(const torch::Tensor& tensor) {
  for (const TypePair& pair : kTypes) {
    if (tensor.scalar_type() != pair.torch_type) continue;
    const torch::Tensor dense = tensor.detach().cpu().contiguous();
    HostTensor host{pair.host_type, dense.sizes().vec(), {}};
    host.data.assign(static_cast<const char*>(dense.data_ptr()), dense.nbytes());
    return host;
  }
  return std::nullopt;
}

std::optional<torch::Tensor> ToTorch(const HostTensor& host) {
  for (const TypePair& pair : kTypes) {
    if (host.dtype != pair.host_type) continue;
    torch::Tensor tensor = torch::empty(host.shape, pair.torch_type);
    std::memcpy(tensor.data_ptr(), host.data.data(), host.data.size());
    return tensor;
  }
  return std::nullopt;
}

// Over the checksums of all parts, so that no part is copied: names, shapes and bytes of tensors,
// then the metadata.
std::string Checksum(const io::TensorFile& file) {
  std::string parts;
  for (const auto& [name, tensor] : file.tensors) {
    absl::StrAppend(&parts, name, " ", DescribeTensor(tensor), " ", io::Crc32c(tensor.data), "\n");
  }
  for (const auto& [key, value] : file.metadata) {
    if (key != "crc32c") absl::StrAppend(&parts, key, "=", value, "\n");
  }
  return absl::StrCat(io::Crc32c(parts));
}

absl::Status CheckOrigin(const io::TensorFile& file, const std::string& format) {
  const auto find = [&](const std::string& key) {
    const auto found = file.metadata.find(key);
    return found == file.metadata.end() ? std::string() : found->second;
  };
  if (find("format") != format) {
    return absl::InvalidArgumentError("not a file of format " + format);
  }
  if (find("crc32c") != Checksum(file)) {
    return absl::InvalidArgumentError("the checksum differs: the file was changed or torn");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status WriteStateFile(const std::string& path, const std::string& format,
                            const StateFile& state) {
  return WithoutThrowing("WriteStateFile", [&]() -> absl::Status {
    io::TensorFile file;
    file.metadata = state.metadata;
    file.metadata["format"] = format;
    for (const auto& [name, tensor] : state.tensors) {
      std::optional<HostTensor> host = ToHost(tensor);
      if (!host) return absl::InvalidArgumentError(name + " has a type that files do not hold");
      file.tensors.emplace(name, *std::move(host));
    }
    file.metadata["crc32c"] = Checksum(file);
    return io::WriteTensorFile(path, file);
  });
}

absl::StatusOr<StateFile> ReadStateFile(const std::string& path, const std::string& format) {
  return WithoutThrowing("ReadStateFile", [&]() -> absl::StatusOr<StateFile> {
    // The owner of a run made the file, however large; the parser allocates no more than it holds.
    constexpr size_t kNoLimit = std::numeric_limits<size_t>::max();
    absl::StatusOr<io::TensorFile> file = io::ReadTensorFile(path, kNoLimit);
    if (!file.ok()) return file.status();
    absl::Status status = CheckOrigin(*file, format);
    if (!status.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(status.message(), ": ", path));
    }
    StateFile state;
    state.metadata = std::move(file->metadata);
    for (const auto& [name, host] : file->tensors) {
      std::optional<torch::Tensor> tensor = ToTorch(host);
      if (!tensor) return absl::InvalidArgumentError(name + " has a type of no learner");
      state.tensors.emplace(name, *std::move(tensor));
    }
    return state;
  });
}

}  // namespace gwm::clients
