// The JSON header of a safetensors file, parsed without a document tree.
#ifndef GWM_ENGINE_IO_SAFETENSORS_HEADER_H_
#define GWM_ENGINE_IO_SAFETENSORS_HEADER_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/io/host_tensor.h"

namespace gwm::io {

struct TensorEntry {
  std::string name;
  DType dtype = DType::kU8;
  std::vector<int64_t> shape;
  uint64_t begin = 0;  // byte offsets into the data section
  uint64_t end = 0;
};

struct SafetensorsHeader {
  std::vector<TensorEntry> entries;  // in file order, names are unique
  std::map<std::string, std::string> metadata;
};

// InvalidArgument with the byte or tensor for: text that is not one JSON object in UTF-8, anything
// nested deeper or of another type than the format knows, duplicate or missing fields, unknown
// dtypes, dimensions that are negative, no integers or too large. Each entry has end - begin equal
// to the bytes of its dtype and shape; where the entries lie relative to each other and to the data
// is for the caller to check.
absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(std::string_view json);

// A name for messages: printable ASCII, of bounded length.
std::string PrintableName(std::string_view name);

}  // namespace gwm::io

#endif  // GWM_ENGINE_IO_SAFETENSORS_HEADER_H_
