#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status.h"
#include "engine/io/file.h"
#include "engine/scene/ply.h"
#include "engine/scene/ply_header.h"

namespace gwm {
namespace {

// Where each value of one vertex goes: column i of the file -> an element of a tensor's row; null =
// ignored.
struct Column {
  HostTensor* tensor = nullptr;
  int64_t row_size = 0;  // values per vertex in `tensor`
  int64_t index = 0;     // within the row
};

GaussianCloud EmptyCloud(int64_t count, int64_t coefficients) {
  return {HostTensor::Zeros(DType::kF32, {count, 3}), HostTensor::Zeros(DType::kF32, {count, 3}),
          HostTensor::Zeros(DType::kF32, {count, 4}),
          HostTensor::Zeros(DType::kF32, {count, coefficients, 3}),
          HostTensor::Zeros(DType::kF32, {count})};
}

// K = 1 + (number of f_rest properties) / 3.
absl::StatusOr<int64_t> CountShCoefficients(const PlyElement& vertices) {
  const auto rest = std::count_if(
      vertices.properties.begin(), vertices.properties.end(),
      [](const PlyProperty& property) { return property.name.rfind("f_rest_", 0) == 0; });
  for (int64_t degree = 0; degree <= 4; ++degree) {
    const int64_t coefficients = (degree + 1) * (degree + 1);
    if (rest == 3 * (coefficients - 1)) return coefficients;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "PLY: ", rest, " f_rest_* properties, expected 0, 9, 24, 45 or 72 (SH degree 0..4)"));
}

std::map<std::string, Column> ColumnsByName(GaussianCloud& cloud, int64_t coefficients) {
  std::map<std::string, Column> columns;
  const auto add = [&](std::initializer_list<const char*> names, HostTensor& tensor) {
    int64_t index = 0;
    const auto size = static_cast<int64_t>(names.size());
    for (const char* name : names) columns[name] = {&tensor, size, index++};
  };
  add({"x", "y", "z"}, cloud.means);
  add({"scale_0", "scale_1", "scale_2"}, cloud.log_scales);
  add({"rot_0", "rot_1", "rot_2", "rot_3"}, cloud.quats);
  add({"opacity"}, cloud.opacity_logits);
  const int64_t rest = coefficients - 1;
  for (int64_t channel = 0; channel < 3; ++channel) {
    columns[absl::StrCat("f_dc_", channel)] = {&cloud.sh, 3 * coefficients, channel};
    for (int64_t k = 0; k < rest; ++k) {
      columns[absl::StrCat("f_rest_", channel * rest + k)] = {&cloud.sh, 3 * coefficients,
                                                              3 * (k + 1) + channel};
    }
  }
  return columns;
}

absl::StatusOr<std::vector<Column>> ColumnsOfFile(const PlyElement& vertices, GaussianCloud& cloud,
                                                  int64_t coefficients) {
  const std::map<std::string, Column> known = ColumnsByName(cloud, coefficients);
  std::vector<Column> columns;
  size_t found = 0;
  for (const PlyProperty& property : vertices.properties) {
    const auto it = known.find(property.name);
    found += it != known.end();
    columns.push_back(it != known.end() ? it->second : Column());
  }
  if (found == known.size()) return columns;
  for (const auto& [name, column] : known) {
    const bool present =
        std::any_of(vertices.properties.begin(), vertices.properties.end(),
                    [&name = name](const PlyProperty& property) { return property.name == name; });
    if (!present) {
      return absl::InvalidArgumentError(
          absl::StrCat("PLY: the vertices have no property '", name, "': not a 3DGS file"));
    }
  }
  return absl::InternalError("PLY: a property was counted twice");
}

template <typename T>
float LoadAs(const uint8_t* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return static_cast<float>(value);
}

// Out-of-range doubles would be undefined behaviour as a plain cast; they become infinities as IEEE
// rounding would make them.
float NarrowToFloat(double value) {
  if (std::isfinite(value) && std::abs(value) > 3.4028235677973366e38) {
    return static_cast<float>(std::copysign(HUGE_VAL, value));
  }
  return static_cast<float>(value);
}

float LoadScalar(const uint8_t* source, PlyScalar type, bool swap) {
  uint8_t bytes[8];
  const size_t size = PlyScalarBytes(type);
  std::memcpy(bytes, source, size);
  if (swap) std::reverse(bytes, bytes + size);
  switch (type) {
    case PlyScalar::kI8:
      return LoadAs<int8_t>(bytes);
    case PlyScalar::kU8:
      return LoadAs<uint8_t>(bytes);
    case PlyScalar::kI16:
      return LoadAs<int16_t>(bytes);
    case PlyScalar::kU16:
      return LoadAs<uint16_t>(bytes);
    case PlyScalar::kI32:
      return LoadAs<int32_t>(bytes);
    case PlyScalar::kU32:
      return LoadAs<uint32_t>(bytes);
    case PlyScalar::kF32:
      return LoadAs<float>(bytes);
    case PlyScalar::kF64:
      break;
  }
  double value;
  std::memcpy(&value, bytes, sizeof(value));
  return NarrowToFloat(value);
}

void Store(const Column& column, int64_t row, float value) {
  if (column.tensor == nullptr) return;
  std::memcpy(column.tensor->data.data() +
                  sizeof(float) * static_cast<size_t>(row * column.row_size + column.index),
              &value, sizeof(value));
}

// `data` starts at the first vertex and was checked to hold all of them.
void ReadBinary(std::span<const uint8_t> data, const PlyElement& vertices,
                const std::vector<Column>& columns, bool swap) {
  const uint8_t* source = data.data();
  for (int64_t row = 0; row < vertices.count; ++row) {
    for (size_t i = 0; i < columns.size(); ++i) {
      const PlyScalar type = vertices.properties[i].type;
      if (columns[i].tensor != nullptr) Store(columns[i], row, LoadScalar(source, type, swap));
      source += PlyScalarBytes(type);
    }
  }
}

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// The next number of an ascii body; false at its end or at something else.
bool NextNumber(std::string_view text, size_t& position, double& value) {
  while (position < text.size() && IsSpace(text[position])) ++position;
  size_t end = position;
  while (end < text.size() && !IsSpace(text[end])) ++end;
  if (position < end && text[position] == '+') ++position;
  const char* last = text.data() + end;
  const auto [stop, error] = std::from_chars(text.data() + position, last, value);
  position = end;
  return error == std::errc() && stop == last;
}

absl::Status ReadAscii(std::string_view text, size_t skipped_values, const PlyElement& vertices,
                       const std::vector<Column>& columns) {
  size_t position = 0;
  double value = 0;
  for (size_t i = 0; i < skipped_values; ++i) {
    if (!NextNumber(text, position, value)) {
      return absl::InvalidArgumentError("PLY: bad number before the vertices");
    }
  }
  for (int64_t row = 0; row < vertices.count; ++row) {
    for (size_t i = 0; i < columns.size(); ++i) {
      if (!NextNumber(text, position, value)) {
        return absl::InvalidArgumentError(absl::StrCat("PLY: vertex ", row, ": no number for '",
                                                       vertices.properties[i].name, "'"));
      }
      Store(columns[i], row, NarrowToFloat(value));
    }
  }
  return absl::OkStatus();
}

struct VertexPlace {
  const PlyElement* vertices = nullptr;
  size_t skipped_bytes = 0;   // of earlier elements, binary
  size_t skipped_values = 0;  // of earlier elements, ascii
};

// `available`: bytes after the header. Rejects every count that the file cannot hold.
absl::StatusOr<VertexPlace> FindVertices(const PlyHeader& header, size_t available) {
  VertexPlace place;
  size_t needed = 0;
  for (const PlyElement& element : header.elements) {
    const bool is_vertex = element.name == "vertex";
    if (element.has_list) {
      return absl::InvalidArgumentError(absl::StrCat(
          "PLY: element '", element.name, "' has a list property", is_vertex ? "" : " and stands",
          is_vertex ? "" : " before the vertices", ", which 3DGS files do not have"));
    }
    // A value of an ascii body takes a digit and a separator (the last one may lack the separator).
    const size_t values = element.properties.size();
    const size_t row = header.format == PlyFormat::kAscii ? 2 * values : element.row_bytes();
    const auto count = static_cast<size_t>(element.count);
    if (row > 0 && count > (available + 1 - std::min(needed, available + 1)) / row) {
      return absl::InvalidArgumentError(absl::StrCat("PLY: the header promises ", element.count,
                                                     " rows of '", element.name, "', the file has ",
                                                     available, " bytes of data"));
    }
    if (is_vertex) {
      if (row == 0) return absl::InvalidArgumentError("PLY: the vertices have no properties");
      place.vertices = &element;
      return place;
    }
    needed += row * count;
    place.skipped_bytes += element.row_bytes() * count;
    place.skipped_values += values * count;
  }
  return absl::InvalidArgumentError("PLY: no element 'vertex'");
}

}  // namespace

absl::StatusOr<GaussianCloud> ParsePly(std::span<const uint8_t> bytes) {
  GWM_ASSIGN_OR_RETURN(const PlyHeader header, ParsePlyHeader(bytes));
  const std::span<const uint8_t> body = bytes.subspan(header.bytes);
  GWM_ASSIGN_OR_RETURN(const VertexPlace place, FindVertices(header, body.size()));
  const PlyElement& vertices = *place.vertices;
  GWM_ASSIGN_OR_RETURN(const int64_t coefficients, CountShCoefficients(vertices));
  GaussianCloud cloud = EmptyCloud(vertices.count, coefficients);
  GWM_ASSIGN_OR_RETURN(const std::vector<Column> columns,
                       ColumnsOfFile(vertices, cloud, coefficients));
  if (header.format == PlyFormat::kAscii) {
    const std::string_view text(reinterpret_cast<const char*>(body.data()), body.size());
    GWM_RETURN_IF_ERROR(ReadAscii(text, place.skipped_values, vertices, columns));
    return cloud;
  }
  const size_t needed =
      place.skipped_bytes + vertices.row_bytes() * static_cast<size_t>(vertices.count);
  if (needed > body.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("PLY: ", needed, " bytes of data promised, ", body.size(), " found"));
  }
  const bool file_is_big = header.format == PlyFormat::kBinaryBigEndian;
  const bool swap = file_is_big != (std::endian::native == std::endian::big);
  ReadBinary(body.subspan(place.skipped_bytes), vertices, columns, swap);
  return cloud;
}

absl::StatusOr<GaussianCloud> ReadPly(const std::string& path) {
  GWM_ASSIGN_OR_RETURN(const std::string content, io::ReadFile(path));
  absl::StatusOr<GaussianCloud> cloud =
      ParsePly({reinterpret_cast<const uint8_t*>(content.data()), content.size()});
  if (cloud.ok()) return cloud;
  return absl::Status(cloud.status().code(), absl::StrCat(cloud.status().message(), ": ", path));
}

}  // namespace gwm
