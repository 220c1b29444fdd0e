#include "engine/scene/ply_header.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status.h"

namespace gwm {
namespace {

// Real headers have at most a hundred properties; a hostile one must not make us allocate without
// end.
constexpr size_t kMaxHeaderLines = 10000;
constexpr size_t kMaxHeaderBytes = size_t{1} << 20;

struct TypeName {
  std::string_view name;
  PlyScalar type;
};
constexpr std::array<TypeName, 16> kTypeNames = {{{"char", PlyScalar::kI8},
                                                  {"int8", PlyScalar::kI8},
                                                  {"uchar", PlyScalar::kU8},
                                                  {"uint8", PlyScalar::kU8},
                                                  {"short", PlyScalar::kI16},
                                                  {"int16", PlyScalar::kI16},
                                                  {"ushort", PlyScalar::kU16},
                                                  {"uint16", PlyScalar::kU16},
                                                  {"int", PlyScalar::kI32},
                                                  {"int32", PlyScalar::kI32},
                                                  {"uint", PlyScalar::kU32},
                                                  {"uint32", PlyScalar::kU32},
                                                  {"float", PlyScalar::kF32},
                                                  {"float32", PlyScalar::kF32},
                                                  {"double", PlyScalar::kF64},
                                                  {"float64", PlyScalar::kF64}}};

std::optional<PlyScalar> ScalarNamed(std::string_view name) {
  for (const TypeName& entry : kTypeNames) {
    if (entry.name == name) return entry.type;
  }
  return std::nullopt;
}

std::vector<std::string_view> Words(std::string_view line) {
  std::vector<std::string_view> words;
  size_t begin = 0;
  while ((begin = line.find_first_not_of(" \t\r", begin)) != std::string_view::npos) {
    const size_t end = std::min(line.find_first_of(" \t\r", begin), line.size());
    words.push_back(line.substr(begin, end - begin));
    begin = end;
  }
  return words;
}

class HeaderParser {
 public:
  explicit HeaderParser(std::span<const uint8_t> bytes)
      : text_(reinterpret_cast<const char*>(bytes.data()),
              std::min(bytes.size(), kMaxHeaderBytes)) {}

  absl::StatusOr<PlyHeader> Parse() {
    GWM_ASSIGN_OR_RETURN(const std::string_view magic, NextLine());
    if (Words(magic) != std::vector<std::string_view>{"ply"}) {
      return absl::InvalidArgumentError("not a PLY file: the first line is not 'ply'");
    }
    while (true) {
      GWM_ASSIGN_OR_RETURN(const std::string_view line, NextLine());
      const std::vector<std::string_view> words = Words(line);
      if (words.empty() || words[0] == "comment" || words[0] == "obj_info") continue;
      if (words[0] == "end_header") break;
      GWM_RETURN_IF_ERROR(ParseLine(words));
    }
    if (!has_format_) return Error("the header has no format line");
    header_.bytes = position_;
    return std::move(header_);
  }

 private:
  absl::Status Error(std::string_view what) const {
    return absl::InvalidArgumentError(absl::StrCat("PLY header, line ", line_number_, ": ",
                                                   absl::string_view(what.data(), what.size())));
  }

  absl::StatusOr<std::string_view> NextLine() {
    const size_t end = text_.find('\n', position_);
    if (end == std::string_view::npos || line_number_ >= kMaxHeaderLines) {
      return absl::InvalidArgumentError(
          absl::StrCat("PLY header: no end_header within ", line_number_, " lines"));
    }
    const std::string_view line = text_.substr(position_, end - position_);
    position_ = end + 1;
    ++line_number_;
    return line;
  }

  absl::Status ParseLine(const std::vector<std::string_view>& words) {
    if (words[0] == "format") return ParseFormat(words);
    if (words[0] == "element") return ParseElement(words);
    if (words[0] == "property") return ParseProperty(words);
    return Error("expected format, element, property, comment or end_header");
  }

  absl::Status ParseFormat(const std::vector<std::string_view>& words) {
    if (has_format_ || words.size() != 3 || words[2] != "1.0") {
      return Error("expected one 'format KIND 1.0'");
    }
    has_format_ = true;
    if (words[1] == "ascii") {
      header_.format = PlyFormat::kAscii;
    } else if (words[1] == "binary_little_endian") {
      header_.format = PlyFormat::kBinaryLittleEndian;
    } else if (words[1] == "binary_big_endian") {
      header_.format = PlyFormat::kBinaryBigEndian;
    } else {
      return Error("format is none of ascii, binary_little_endian, binary_big_endian");
    }
    return absl::OkStatus();
  }

  absl::Status ParseElement(const std::vector<std::string_view>& words) {
    PlyElement element;
    if (words.size() == 3) {
      element.name = std::string(words[1]);
      const char* end = words[2].data() + words[2].size();
      const auto [stop, error] = std::from_chars(words[2].data(), end, element.count);
      if (error == std::errc() && stop == end && element.count >= 0) {
        header_.elements.push_back(std::move(element));
        return absl::OkStatus();
      }
    }
    return Error("expected 'element NAME COUNT' with COUNT >= 0");
  }

  absl::Status ParseProperty(const std::vector<std::string_view>& words) {
    if (header_.elements.empty()) return Error("a property before the first element");
    PlyElement& element = header_.elements.back();
    if (words.size() == 5 && words[1] == "list") {
      element.has_list = true;
      return absl::OkStatus();
    }
    const std::optional<PlyScalar> type =
        words.size() == 3 ? ScalarNamed(words[1]) : std::optional<PlyScalar>();
    if (!type) return Error("expected 'property TYPE NAME' with a known scalar type");
    for (const PlyProperty& property : element.properties) {
      if (property.name == words[2]) return Error("a property appears twice");
    }
    element.properties.push_back({std::string(words[2]), *type});
    return absl::OkStatus();
  }

  std::string_view text_;
  size_t position_ = 0;
  size_t line_number_ = 0;
  bool has_format_ = false;
  PlyHeader header_;
};

}  // namespace

size_t PlyScalarBytes(PlyScalar type) {
  switch (type) {
    case PlyScalar::kI8:
    case PlyScalar::kU8:
      return 1;
    case PlyScalar::kI16:
    case PlyScalar::kU16:
      return 2;
    case PlyScalar::kI32:
    case PlyScalar::kU32:
    case PlyScalar::kF32:
      return 4;
    case PlyScalar::kF64:
      break;
  }
  return 8;
}

size_t PlyElement::row_bytes() const {
  size_t bytes = 0;
  for (const PlyProperty& property : properties) bytes += PlyScalarBytes(property.type);
  return bytes;
}

absl::StatusOr<PlyHeader> ParsePlyHeader(std::span<const uint8_t> bytes) {
  return HeaderParser(bytes).Parse();
}

}  // namespace gwm
