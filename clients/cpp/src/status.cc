#include "clients/cpp/src/status.h"

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string>

#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/wire_format_lite.h"

namespace gwm::client::internal {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

// One field of a serialised message: `number` for varints, `bytes` for strings and messages.
struct WireField {
  int tag = 0;
  uint64_t number = 0;
  std::string bytes;
};

// Calls `visit` for each varint and length-delimited field; stops quietly at malformed input. The
// google.rpc messages are a few stable fields; generated code for them inside a library would
// collide with that of the application.
void VisitFields(const std::string& message, const std::function<void(const WireField&)>& visit) {
  CodedInputStream input(reinterpret_cast<const uint8_t*>(message.data()),
                         static_cast<int>(message.size()));
  while (uint32_t key = input.ReadTag()) {
    WireField field{WireFormatLite::GetTagFieldNumber(key), 0, {}};
    switch (WireFormatLite::GetTagWireType(key)) {
      case WireFormatLite::WIRETYPE_VARINT:
        if (!input.ReadVarint64(&field.number)) return;
        break;
      case WireFormatLite::WIRETYPE_LENGTH_DELIMITED: {
        uint32_t size = 0;
        if (!input.ReadVarint32(&size) || size > message.size()) return;
        if (!input.ReadString(&field.bytes, static_cast<int>(size))) return;
        break;
      }
      default:
        if (!WireFormatLite::SkipField(&input, key)) return;
        continue;
    }
    visit(field);
  }
}

bool EndsWith(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

std::chrono::milliseconds ParseDuration(const std::string& message) {
  int64_t seconds = 0;
  int64_t nanos = 0;
  VisitFields(message, [&](const WireField& field) {
    if (field.tag == 1) seconds = static_cast<int64_t>(field.number);
    if (field.tag == 2) nanos = static_cast<int64_t>(field.number);
  });
  return std::chrono::milliseconds(seconds * 1000 + nanos / 1'000'000);
}

// value: the serialised detail named by type_url.
void ApplyDetail(const std::string& type_url, const std::string& value, Error::Details& details) {
  if (EndsWith(type_url, "google.rpc.ErrorInfo")) {
    VisitFields(value, [&](const WireField& field) {
      if (field.tag == 1) details.reason = field.bytes;
    });
  } else if (EndsWith(type_url, "google.rpc.BadRequest")) {
    VisitFields(value, [&](const WireField& violation) {
      if (violation.tag != 1 || !details.field.empty()) return;
      VisitFields(violation.bytes, [&](const WireField& field) {
        if (field.tag == 1) details.field = field.bytes;
      });
    });
  } else if (EndsWith(type_url, "google.rpc.RetryInfo")) {
    details.retry_after = std::chrono::milliseconds(0);
    VisitFields(value, [&](const WireField& field) {
      if (field.tag == 1) details.retry_after = ParseDuration(field.bytes);
    });
  }
}

}  // namespace

Error::Details DetailsFromStatus(const grpc::Status& status) {
  Error::Details details{.code = static_cast<Code>(status.error_code()),
                         .message = status.error_message()};
  VisitFields(status.error_details(), [&](const WireField& any) {
    if (any.tag != 3) return;
    std::string type_url;
    std::string value;
    VisitFields(any.bytes, [&](const WireField& field) {
      if (field.tag == 1) type_url = field.bytes;
      if (field.tag == 2) value = field.bytes;
    });
    ApplyDetail(type_url, value, details);
  });
  return details;
}

Error::Details DetailsOf(const grpc::Status& status, const grpc::ClientContext& context) {
  Error::Details details = DetailsFromStatus(status);
  const auto& trailers = context.GetServerTrailingMetadata();
  const auto pushback = trailers.find("grpc-retry-pushback-ms");
  if (pushback == trailers.end() || details.retry_after.count() >= 0) return details;
  const std::string text(pushback->second.data(), pushback->second.size());
  char* end = nullptr;
  const int64_t ms = std::strtoll(text.c_str(), &end, 10);
  // Anything but a time to wait asks for no further try (gRFC A6).
  const bool valid = !text.empty() && *end == '\0' && ms >= 0;
  details.retry_after = valid ? std::chrono::milliseconds(ms) : std::chrono::milliseconds::max();
  return details;
}

void ThrowUnlessOk(const grpc::Status& status) {
  if (!status.ok()) throw Error(DetailsFromStatus(status));
}

}  // namespace gwm::client::internal
