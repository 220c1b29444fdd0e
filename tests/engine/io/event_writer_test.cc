#include "engine/io/event_writer.h"

#include <filesystem>

#include "engine/io/crc32c.h"
#include "engine/io/file.h"
#include "tests/engine/io/test_support.h"

namespace gwm::io {
namespace {

std::vector<std::string> FilesIn(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    names.push_back(entry.path());
  std::sort(names.begin(), names.end());
  return names;
}

// The payloads of a TFRecord file whose checksums are right.
std::vector<std::string> Records(const std::string& bytes) {
  std::vector<std::string> records;
  size_t at = 0;
  while (at < bytes.size()) {
    uint64_t length = 0;
    uint32_t length_crc = 0;
    uint32_t payload_crc = 0;
    std::memcpy(&length, &bytes[at], 8);
    std::memcpy(&length_crc, &bytes[at + 8], 4);
    EXPECT_EQ(length_crc, MaskedCrc32c({&bytes[at], 8}));
    records.push_back(bytes.substr(at + 12, length));
    std::memcpy(&payload_crc, &bytes[at + 12 + length], 4);
    EXPECT_EQ(payload_crc, MaskedCrc32c(records.back()));
    at += 16 + length;
  }
  return records;
}

TEST(EventWriterTest, WritesOneRecordACallAtOnce) {
  const ScratchFolder folder;
  auto writer = EventWriter::Create(folder / "run/train");
  ASSERT_TRUE(writer.ok()) << writer.status();
  const std::string path = FilesIn(folder / "run/train").at(0);
  EXPECT_THAT(path, ::testing::HasSubstr("events.out.tfevents."));
  ASSERT_TRUE((*writer)->Scalar("loss", 7, 0.5).ok());
  ASSERT_TRUE((*writer)->Picture("frame", 8, Image::Filled(2, 3, 1, 2, 3)).ok());
  const std::vector<std::string> records = Records(*ReadFile(path));
  ASSERT_EQ(records.size(), 3u);
  EXPECT_THAT(records[0], ::testing::EndsWith("brain.Event:2"));
  // step = 7; summary { value { tag: "loss" simple_value: 0.5 } }
  EXPECT_EQ(records[1].substr(9),
            std::string("\x10\x07\x2a\x0d\x0a\x0b\x0a\x04loss\x15\0\0\0\x3f", 17));
  EXPECT_THAT(records[2], ::testing::HasSubstr("\x89PNG"));
}

TEST(EventWriterTest, AddsAFileWhenARunIsResumed) {
  const ScratchFolder folder;
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(EventWriter::Create(folder.path()).ok());
  EXPECT_EQ(FilesIn(folder.path()).size(), 3u);
}

TEST(EventWriterTest, SaysWhyItCannotStart) {
  const ScratchFolder folder;
  ASSERT_TRUE(WriteFileAtomic(folder / "file", "x").ok());
  EXPECT_FALSE(EventWriter::Create(folder / "file").ok());
  auto writer = EventWriter::Create(folder.path());
  ASSERT_TRUE(writer.ok());
  EXPECT_EQ((*writer)->Picture("empty", 0, {}).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace gwm::io
