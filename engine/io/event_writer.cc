#include "engine/io/event_writer.h"

#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/io/crc32c.h"
#include "engine/io/file.h"

namespace gwm::io {
namespace {

// The protobuf wire format, as far as an Event needs it (tensorflow/core/util/event.proto,
// framework/summary.proto).
void AppendVarint(uint64_t value, std::string& out) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

enum WireType { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

void AppendTag(int field, WireType type, std::string& out) {
  AppendVarint(static_cast<uint64_t>(field) << 3 | type, out);
}

template <typename T>
void AppendLittleEndian(T value, std::string& out) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void AppendInteger(int field, int64_t value, std::string& out) {
  AppendTag(field, kVarint, out);
  AppendVarint(static_cast<uint64_t>(value), out);
}

void AppendBytes(int field, std::string_view bytes, std::string& out) {
  AppendTag(field, kBytes, out);
  AppendVarint(bytes.size(), out);
  out += bytes;
}

// Event.wall_time, and Event.step where there is one.
std::string EventHead(int64_t step) {
  const double wall_time_s =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  std::string event;
  AppendTag(1, kFixed64, event);
  AppendLittleEndian(wall_time_s, event);
  if (step != 0) AppendInteger(2, step, event);
  return event;
}

// Summary.Value with its tag and the encoded rest, inside Event.summary.
std::string SummaryEvent(const std::string& tag, int64_t step, std::string_view rest) {
  std::string value;
  AppendBytes(1, tag, value);
  value += rest;
  std::string summary;
  AppendBytes(1, value, summary);
  std::string event = EventHead(step);
  AppendBytes(5, summary, event);
  return event;
}

std::string HostName() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "localhost";
  return name.data();
}

// A name that sorts after those of earlier runs in the same folder.
absl::StatusOr<std::FILE*> OpenNewFile(const std::string& folder) {
  const int64_t now_s = std::chrono::duration_cast<std::chrono::seconds>(
                            std::chrono::system_clock::now().time_since_epoch())
                            .count();
  for (int number = 0;; ++number) {
    const std::string path = absl::StrFormat("%s/events.out.tfevents.%010d.%s.%d.%d", folder, now_s,
                                             HostName(), getpid(), number);
    if (std::FILE* file = std::fopen(path.c_str(), "wbxe"); file != nullptr) return file;
    if (errno != EEXIST) return ErrnoStatus(errno, "cannot create", path);
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<EventWriter>> EventWriter::Create(const std::string& folder) {
  if (absl::Status status = MakeDirectories(folder); !status.ok()) return status;
  absl::StatusOr<std::FILE*> file = OpenNewFile(folder);
  if (!file.ok()) return file.status();
  std::unique_ptr<EventWriter> writer(new EventWriter(*file));
  std::string version = EventHead(0);
  AppendBytes(3, "brain.Event:2", version);
  if (absl::Status status = writer->WriteRecord(version); !status.ok()) return status;
  return writer;
}

EventWriter::~EventWriter() { std::fclose(file_); }

absl::Status EventWriter::Scalar(const std::string& tag, int64_t step, double value) {
  std::string rest;
  AppendTag(2, kFixed32, rest);
  AppendLittleEndian(static_cast<float>(value), rest);
  return WriteRecord(SummaryEvent(tag, step, rest));
}

absl::Status EventWriter::Picture(const std::string& tag, int64_t step, const Image& image) {
  const absl::StatusOr<std::string> png = EncodePng(image);
  if (!png.ok()) return png.status();
  constexpr int kRgb = 3;
  std::string picture;
  AppendInteger(1, image.height, picture);
  AppendInteger(2, image.width, picture);
  AppendInteger(3, kRgb, picture);
  AppendBytes(4, *png, picture);
  std::string rest;
  AppendBytes(4, picture, rest);
  return WriteRecord(SummaryEvent(tag, step, rest));
}

absl::Status EventWriter::WriteRecord(const std::string& event) {
  std::string length;
  AppendLittleEndian(static_cast<uint64_t>(event.size()), length);
  std::string record = length;
  AppendLittleEndian(MaskedCrc32c(length), record);
  record += event;
  AppendLittleEndian(MaskedCrc32c(event), record);
  if (std::fwrite(record.data(), 1, record.size(), file_) != record.size() ||
      std::fflush(file_) != 0) {
    return ErrnoStatus(errno, "cannot write", "TensorBoard event file");
  }
  return absl::OkStatus();
}

}  // namespace gwm::io
