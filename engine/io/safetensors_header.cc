#include "engine/io/safetensors_header.h"

#include <cctype>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace gwm::io {
namespace {

constexpr size_t kMaxRank = 64;

std::optional<DType> DTypeFromHeader(std::string name) {
  for (char& letter : name) {
    if (std::islower(static_cast<unsigned char>(letter))) return std::nullopt;
    letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  }
  return DTypeFromName(name);
}

// Receives the parser's events. A method that returns false stops the parser, with the reason in
// error().
class HeaderEvents {
 public:
  using number_integer_t = nlohmann::json::number_integer_t;
  using number_unsigned_t = nlohmann::json::number_unsigned_t;
  using number_float_t = nlohmann::json::number_float_t;
  using string_t = nlohmann::json::string_t;
  using binary_t = nlohmann::json::binary_t;

  bool null() { return Refuse("null"); }
  bool boolean(bool) { return Refuse("a boolean"); }
  bool number_float(number_float_t, const string_t& text) {
    return Refuse(absl::StrCat("the number ", PrintableName(text)));
  }
  bool binary(binary_t&) { return Refuse("binary data"); }

  bool number_integer(number_integer_t value) { return Refuse(absl::StrCat("the number ", value)); }

  bool number_unsigned(number_unsigned_t value) {
    if (place_ == Place::kShape) {
      if (entry_.shape.size() == kMaxRank) {
        return Fail(absl::StrCat(Where(), " has more than ", kMaxRank, " dimensions"));
      }
      if (value > static_cast<number_unsigned_t>(INT64_MAX)) return Refuse("a huge dimension");
      entry_.shape.push_back(static_cast<int64_t>(value));
      return true;
    }
    if (place_ == Place::kOffsets) {
      if (offsets_seen_ == 2) return Fail(absl::StrCat(Where(), " has more than 2 data_offsets"));
      (offsets_seen_ == 0 ? entry_.begin : entry_.end) = value;
      ++offsets_seen_;
      return true;
    }
    return Refuse(absl::StrCat("the number ", value));
  }

  bool string(string_t& text) {
    if (place_ == Place::kMetadata) {
      header_.metadata[field_] = std::move(text);
      return true;
    }
    if (place_ != Place::kTensor || field_ != "dtype") return Refuse("a string");
    const std::optional<DType> dtype = DTypeFromHeader(text);
    if (!dtype) {
      return Fail(absl::StrCat("tensor '", PrintableName(name_), "'", " has dtype '",
                               PrintableName(text),
                               "', must be one of U8 U16 U32 U64 I8 I16 I32 I64 F16 BF16 F32 F64 "
                               "BOOL"));
    }
    entry_.dtype = *dtype;
    return true;
  }

  bool start_object(size_t) {
    if (place_ == Place::kStart) {
      place_ = Place::kTop;
      return true;
    }
    if (place_ != Place::kTop) return Refuse("an object");
    fields_.clear();
    if (name_ == "__metadata__") {
      place_ = Place::kMetadata;
      return true;
    }
    place_ = Place::kTensor;
    entry_ = TensorEntry{.name = name_};
    offsets_seen_ = 0;
    return true;
  }

  bool key(string_t& text) {
    if (place_ == Place::kTop) {
      if (!names_.insert(text).second) {
        return Fail(absl::StrCat("tensor '", PrintableName(text), "' occurs twice"));
      }
      name_ = std::move(text);
      return true;
    }
    if (!fields_.insert(text).second) {
      return Fail(absl::StrCat(Where(), " has the field '", PrintableName(text), "' twice"));
    }
    field_ = std::move(text);
    if (place_ == Place::kTensor && field_ != "dtype" && field_ != "shape" &&
        field_ != "data_offsets") {
      return Fail(absl::StrCat(Where(), " has the unknown field '", PrintableName(field_), "'"));
    }
    return true;
  }

  bool end_object() {
    if (place_ == Place::kTensor && !FinishTensor()) return false;
    place_ = place_ == Place::kTop ? Place::kEnd : Place::kTop;
    return true;
  }

  bool start_array(size_t) {
    if (place_ != Place::kTensor || field_ == "dtype") return Refuse("an array");
    place_ = field_ == "shape" ? Place::kShape : Place::kOffsets;
    return true;
  }

  bool end_array() {
    place_ = Place::kTensor;
    return true;
  }

  bool parse_error(size_t position, const std::string&, const nlohmann::json::exception&) {
    return Fail(absl::StrCat("no valid JSON at byte ", position == 0 ? 0 : position - 1));
  }

  const std::string& error() const { return error_; }
  SafetensorsHeader TakeHeader() { return std::move(header_); }

 private:
  enum class Place { kStart, kTop, kMetadata, kTensor, kShape, kOffsets, kEnd };

  bool Fail(std::string reason) {
    error_ = std::move(reason);
    return false;
  }

  bool Refuse(std::string_view what) {
    const char* allowed = "an object";
    if (place_ == Place::kMetadata) allowed = "a string";
    if (place_ == Place::kShape || place_ == Place::kOffsets) allowed = "an integer from 0";
    if (place_ == Place::kTensor) allowed = field_ == "dtype" ? "a string" : "an array";
    return Fail(absl::StrCat(Where(), " holds ", std::string(what), ", must be ", allowed));
  }

  std::string Where() const {
    if (place_ == Place::kStart || place_ == Place::kEnd) return "the header";
    if (place_ == Place::kTop) return absl::StrCat("tensor '", PrintableName(name_), "'");
    if (place_ == Place::kMetadata) {
      return absl::StrCat("__metadata__ '", PrintableName(field_), "'");
    }
    return absl::StrCat("tensor '", PrintableName(name_), "'",
                        field_.empty() ? "" : absl::StrCat(" (", PrintableName(field_), ")"));
  }

  bool FinishTensor() {
    for (const char* field : {"dtype", "shape", "data_offsets"}) {
      if (fields_.count(field) == 0) {
        return Fail(absl::StrCat("tensor '", PrintableName(name_), "' has no ", field));
      }
    }
    const std::string tensor = absl::StrCat("tensor '", PrintableName(name_), "'");
    if (offsets_seen_ != 2) return Fail(absl::StrCat(tensor, " has fewer than 2 data_offsets"));
    const std::optional<size_t> bytes = CheckedTensorBytes(entry_.dtype, entry_.shape);
    if (!bytes) return Fail(absl::StrCat(tensor, " has a shape of too many elements"));
    if (entry_.begin > entry_.end || entry_.end - entry_.begin != *bytes) {
      return Fail(absl::StrCat(tensor, " has data_offsets [", entry_.begin, ", ", entry_.end,
                               "], but its dtype and shape need ", *bytes, " bytes"));
    }
    header_.entries.push_back(std::move(entry_));
    field_.clear();
    return true;
  }

  Place place_ = Place::kStart;
  SafetensorsHeader header_;
  std::set<std::string> names_;   // all keys of the top level
  std::set<std::string> fields_;  // keys of the current inner object
  std::string name_;
  std::string field_;
  TensorEntry entry_;
  int offsets_seen_ = 0;
  std::string error_;
};

}  // namespace

std::string PrintableName(std::string_view name) {
  constexpr size_t kLongest = 80;
  const bool cut = name.size() > kLongest;
  return absl::CHexEscape(std::string(name.substr(0, kLongest))) + (cut ? "..." : "");
}

absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(std::string_view json) {
  if (!json.starts_with('{')) {
    return absl::InvalidArgumentError("safetensors header: does not start with '{'");
  }
  // The JSON lexer takes a NUL for the end of its input.
  if (const size_t nul = json.find('\0'); nul != std::string_view::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("safetensors header: no valid JSON at byte ", nul));
  }
  HeaderEvents events;
  if (!nlohmann::json::sax_parse(json.begin(), json.end(), &events)) {
    return absl::InvalidArgumentError(absl::StrCat("safetensors header: ", events.error()));
  }
  return events.TakeHeader();
}

}  // namespace gwm::io
