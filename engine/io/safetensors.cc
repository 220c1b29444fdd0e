#include "engine/io/safetensors.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/io/file.h"
#include "engine/io/safetensors_header.h"
#include "engine/io/zstd.h"

namespace gwm::io {
namespace {

constexpr size_t kPrefixBytes = 8;
constexpr size_t kMaxHeaderBytes = 100'000'000;  // the public reader's limit
constexpr size_t kAlignment = 8;

std::string DTypeInHeader(DType dtype) {
  std::string name(DTypeName(dtype));
  for (char& letter : name) {
    if (letter >= 'a' && letter <= 'z') letter = static_cast<char>(letter - 'a' + 'A');
  }
  return name;
}

// Text must be UTF-8: the callers check it.
std::string Quoted(const std::string& text) { return nlohmann::json(text).dump(); }

bool IsUtf8(const std::string& text) {
  using nlohmann::json;
  // The replacement differs from the strict form exactly where a byte sequence is no UTF-8.
  const json value(text);
  return value.dump(-1, ' ', false, json::error_handler_t::ignore) ==
         value.dump(-1, ' ', false, json::error_handler_t::replace);
}

using NamedTensor = const std::pair<const std::string, HostTensor>*;

std::vector<NamedTensor> FileOrder(const TensorFile& file) {
  std::vector<NamedTensor> order;
  for (const auto& named : file.tensors) order.push_back(&named);
  std::stable_sort(order.begin(), order.end(), [](NamedTensor a, NamedTensor b) {
    return DTypeBytes(a->second.dtype) > DTypeBytes(b->second.dtype);
  });
  return order;
}

std::string MetadataJson(const std::map<std::string, std::string>& metadata) {
  std::string json = "{";
  for (const auto& [key, value] : metadata) {
    absl::StrAppend(&json, json.size() > 1 ? "," : "", Quoted(key), ":", Quoted(value));
  }
  return json + "}";
}

std::string HeaderJson(const TensorFile& file, const std::vector<NamedTensor>& order) {
  std::string json = "{";
  if (!file.metadata.empty()) {
    absl::StrAppend(&json, "\"__metadata__\":", MetadataJson(file.metadata));
  }
  size_t offset = 0;
  for (NamedTensor named : order) {
    const HostTensor& tensor = named->second;
    absl::StrAppend(&json, json.size() > 1 ? "," : "", Quoted(named->first), ":{\"dtype\":\"",
                    DTypeInHeader(tensor.dtype), "\",\"shape\":[");
    for (size_t i = 0; i < tensor.shape.size(); ++i) {
      absl::StrAppend(&json, i > 0 ? "," : "", tensor.shape[i]);
    }
    const size_t end = offset + tensor.data.size();
    absl::StrAppend(&json, "],\"data_offsets\":[", offset, ",", end, "]}");
    offset = end;
  }
  json += "}";
  json.append((kAlignment - json.size() % kAlignment) % kAlignment, ' ');
  return json;
}

// The entries must cover [0, data_bytes) one after the other.
absl::Status CheckCoverage(std::vector<TensorEntry>& entries, size_t data_bytes) {
  std::stable_sort(entries.begin(), entries.end(), [](const TensorEntry& a, const TensorEntry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  uint64_t covered = 0;
  for (const TensorEntry& entry : entries) {
    const std::string tensor = absl::StrCat("tensor '", PrintableName(entry.name), "'");
    if (entry.end > data_bytes) {
      return absl::InvalidArgumentError(absl::StrCat("safetensors: ", tensor, " ends at byte ",
                                                     entry.end, " of ", data_bytes,
                                                     " bytes of data"));
    }
    if (entry.begin != covered) {
      return absl::InvalidArgumentError(
          absl::StrCat("safetensors: ", tensor, " starts at data byte ", entry.begin,
                       entry.begin < covered ? ", inside another tensor that ends at "
                                             : ", after a gap that starts at ",
                       covered));
    }
    covered = entry.end;
  }
  if (covered != data_bytes) {
    return absl::InvalidArgumentError(absl::StrCat("safetensors: ", data_bytes - covered,
                                                   " bytes after the last tensor, from data byte ",
                                                   covered));
  }
  return absl::OkStatus();
}

absl::Status WithPath(const absl::Status& status, const std::string& path) {
  return absl::Status(status.code(), absl::StrCat(status.message(), ": ", path));
}

}  // namespace

absl::StatusOr<const HostTensor*> TensorFile::Find(const std::string& name, DType dtype,
                                                   int rank) const {
  const auto found = tensors.find(name);
  if (found == tensors.end()) {
    return absl::NotFoundError(absl::StrCat("no tensor '", PrintableName(name), "'"));
  }
  const HostTensor& tensor = found->second;
  if (tensor.dtype != dtype || (rank >= 0 && tensor.shape.size() != static_cast<size_t>(rank))) {
    return absl::InvalidArgumentError(absl::StrCat(
        "tensor '", PrintableName(name), "' is ", DescribeTensor(tensor), ", must be ",
        std::string(DTypeName(dtype)), rank >= 0 ? absl::StrCat(" of ", rank, " dimensions") : ""));
  }
  return &tensor;
}

absl::StatusOr<TensorFile> ParseTensors(std::span<const uint8_t> bytes) {
  if (bytes.size() < kPrefixBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "safetensors: ", bytes.size(), " bytes, too few for the 8 bytes of the header length"));
  }
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data(), kPrefixBytes);
  const size_t rest = bytes.size() - kPrefixBytes;
  if (header_bytes > std::min(rest, kMaxHeaderBytes)) {
    return absl::InvalidArgumentError(
        absl::StrCat("safetensors: a header of ", header_bytes, " bytes, at most ",
                     std::min(rest, kMaxHeaderBytes), " are possible"));
  }
  const char* text = reinterpret_cast<const char*>(bytes.data()) + kPrefixBytes;
  absl::StatusOr<SafetensorsHeader> header = ParseSafetensorsHeader({text, header_bytes});
  if (!header.ok()) return header.status();
  const std::string_view data(text + header_bytes, rest - header_bytes);
  if (absl::Status status = CheckCoverage(header->entries, data.size()); !status.ok()) {
    return status;
  }
  TensorFile file;
  file.metadata = std::move(header->metadata);
  for (TensorEntry& entry : header->entries) {
    HostTensor tensor{entry.dtype, std::move(entry.shape),
                      std::string(data.substr(entry.begin, entry.end - entry.begin))};
    file.tensors.emplace(std::move(entry.name), std::move(tensor));
  }
  return file;
}

std::string SerializeTensors(const TensorFile& file) {
  const std::vector<NamedTensor> order = FileOrder(file);
  const std::string json = HeaderJson(file, order);
  size_t total = kPrefixBytes + json.size();
  for (NamedTensor named : order) total += named->second.data.size();
  std::string out;
  out.reserve(total);
  const uint64_t header_bytes = json.size();
  out.append(reinterpret_cast<const char*>(&header_bytes), kPrefixBytes);
  out += json;
  for (NamedTensor named : order) out += named->second.data;
  return out;
}

absl::Status CheckTensors(const TensorFile& file) {
  for (const auto& [key, value] : file.metadata) {
    if (!IsUtf8(key) || !IsUtf8(value)) {
      return absl::InvalidArgumentError(
          absl::StrCat("metadata '", PrintableName(key), "' is no UTF-8"));
    }
  }
  for (const auto& [name, tensor] : file.tensors) {
    const std::string printable = absl::StrCat("tensor '", PrintableName(name), "'");
    if (name == "__metadata__" || !IsUtf8(name)) {
      return absl::InvalidArgumentError(
          absl::StrCat(printable, ": the name is reserved or no UTF-8"));
    }
    if (CheckedTensorBytes(tensor.dtype, tensor.shape) != tensor.data.size()) {
      return absl::InvalidArgumentError(absl::StrCat(printable, " is ", DescribeTensor(tensor),
                                                     " but holds ", tensor.data.size(), " bytes"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<TensorFile> ReadTensorFile(const std::string& path, size_t max_bytes) {
  absl::StatusOr<std::string> bytes = ReadFile(path, max_bytes);
  if (!bytes.ok()) return bytes.status();
  if (path.ends_with(".zst") || LooksLikeZstd(*bytes)) {
    bytes = ZstdDecompress(*bytes, max_bytes);
    if (!bytes.ok()) return WithPath(bytes.status(), path);
  }
  absl::StatusOr<TensorFile> file =
      ParseTensors({reinterpret_cast<const uint8_t*>(bytes->data()), bytes->size()});
  if (!file.ok()) return WithPath(file.status(), path);
  return file;
}

absl::Status WriteTensorFile(const std::string& path, const TensorFile& file, int zstd_level) {
  if (absl::Status status = CheckTensors(file); !status.ok()) return WithPath(status, path);
  std::string bytes = SerializeTensors(file);
  if (path.ends_with(".zst")) {
    absl::StatusOr<std::string> compressed = ZstdCompress(bytes, zstd_level);
    if (!compressed.ok()) return WithPath(compressed.status(), path);
    bytes = *std::move(compressed);
  }
  return WriteFileAtomic(path, bytes);
}

}  // namespace gwm::io
