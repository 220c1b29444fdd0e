#include <algorithm>
#include <cstdio>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/io/file.h"
#include "engine/scene/ply.h"

namespace gwm {
namespace {

std::string_view FormatName(PlyFormat format) {
  switch (format) {
    case PlyFormat::kAscii:
      return "ascii";
    case PlyFormat::kBinaryBigEndian:
      return "binary_big_endian";
    case PlyFormat::kBinaryLittleEndian:
      break;
  }
  return "binary_little_endian";
}

std::string Header(int64_t count, int64_t coefficients, const PlyOptions& options) {
  std::string text =
      absl::StrCat("ply\nformat ", std::string(FormatName(options.format)), " 1.0\n");
  for (const std::string& comment : options.comments) {
    absl::StrAppend(&text, "comment ", comment.substr(0, comment.find_first_of("\r\n")), "\n");
  }
  absl::StrAppend(&text, "element vertex ", count, "\n");
  const auto property = [&](std::string_view name) {
    absl::StrAppend(&text, "property float ", std::string(name), "\n");
  };
  for (const char* name : {"x", "y", "z"}) property(name);
  if (options.normals) {
    for (const char* name : {"nx", "ny", "nz"}) property(name);
  }
  for (int i = 0; i < 3; ++i) property(absl::StrCat("f_dc_", i));
  for (int64_t i = 0; i < 3 * (coefficients - 1); ++i) property(absl::StrCat("f_rest_", i));
  property("opacity");
  for (int i = 0; i < 3; ++i) property(absl::StrCat("scale_", i));
  for (int i = 0; i < 4; ++i) property(absl::StrCat("rot_", i));
  return text + "end_header\n";
}

// The values of one vertex in the file's order.
std::vector<float> Row(const GaussianCloud& cloud, int64_t n, int64_t coefficients, bool normals) {
  std::vector<float> row;
  const auto append = [&](const HostTensor& tensor, int64_t size) {
    const std::span<const float> values = tensor.values<float>().subspan(n * size, size);
    row.insert(row.end(), values.begin(), values.end());
  };
  append(cloud.means, 3);
  if (normals) row.insert(row.end(), 3, 0.0f);
  const std::span<const float> sh =
      cloud.sh.values<float>().subspan(n * coefficients * 3, coefficients * 3);
  row.insert(row.end(), sh.begin(), sh.begin() + 3);
  for (int64_t channel = 0; channel < 3; ++channel) {
    for (int64_t k = 1; k < coefficients; ++k) row.push_back(sh[3 * k + channel]);
  }
  append(cloud.opacity_logits, 1);
  append(cloud.log_scales, 3);
  append(cloud.quats, 4);
  return row;
}

void AppendAscii(const std::vector<float>& row, std::string& out) {
  for (size_t i = 0; i < row.size(); ++i) {
    // 18 digits of the exact value: what numpy-based writers print.
    absl::StrAppendFormat(&out, "%s%.18g", i == 0 ? "" : " ", static_cast<double>(row[i]));
  }
  out += '\n';
}

void AppendBinary(const std::vector<float>& row, bool big_endian, std::string& out) {
  for (float value : row) {
    char bytes[sizeof(float)];
    std::memcpy(bytes, &value, sizeof(value));
    if (big_endian) std::reverse(bytes, bytes + sizeof(bytes));
    out.append(bytes, sizeof(bytes));
  }
}

}  // namespace

std::string SerializePly(const GaussianCloud& cloud, const PlyOptions& options) {
  const int64_t count = cloud.means.shape.at(0), coefficients = cloud.sh.shape.at(1);
  std::string out = Header(count, coefficients, options);
  for (int64_t n = 0; n < count; ++n) {
    const std::vector<float> row = Row(cloud, n, coefficients, options.normals);
    if (options.format == PlyFormat::kAscii) {
      AppendAscii(row, out);
    } else {
      AppendBinary(row, options.format == PlyFormat::kBinaryBigEndian, out);
    }
  }
  return out;
}

absl::Status WritePly(const std::string& path, const GaussianCloud& cloud,
                      const PlyOptions& options) {
  return io::WriteFileAtomic(path, SerializePly(cloud, options));
}

}  // namespace gwm
