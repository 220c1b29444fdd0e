// The header of a PLY file. Internal to engine/scene: callers use ply.h.
#ifndef GWM_ENGINE_SCENE_PLY_HEADER_H_
#define GWM_ENGINE_SCENE_PLY_HEADER_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/scene/ply.h"

namespace gwm {

enum class PlyScalar { kI8, kU8, kI16, kU16, kI32, kU32, kF32, kF64 };
size_t PlyScalarBytes(PlyScalar type);

struct PlyProperty {
  std::string name;
  PlyScalar type = PlyScalar::kF32;
};

struct PlyElement {
  std::string name;
  int64_t count = 0;
  bool has_list = false;                // its size cannot be known from the header
  std::vector<PlyProperty> properties;  // without the lists

  size_t row_bytes() const;
};

struct PlyHeader {
  PlyFormat format = PlyFormat::kAscii;
  std::vector<PlyElement> elements;
  size_t bytes = 0;  // where the data begin
};

// InvalidArgument with the number of the line that is wrong.
absl::StatusOr<PlyHeader> ParsePlyHeader(std::span<const uint8_t> bytes);

}  // namespace gwm

#endif  // GWM_ENGINE_SCENE_PLY_HEADER_H_
