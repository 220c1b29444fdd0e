#include "engine/io/file.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "engine/io/crc32c.h"
#include "engine/io/sha256.h"
#include "tests/engine/io/test_support.h"

namespace gwm::io {
namespace {

TEST(FileTest, ReadsBackWhatItWrote) {
  const ScratchFolder folder;
  const std::string bytes("a\0b\n\xff", 5);
  ASSERT_TRUE(WriteFileAtomic(folder / "f", bytes).ok());
  EXPECT_EQ(*ReadFile(folder / "f"), bytes);
  ASSERT_TRUE(WriteFileAtomic(folder / "f", "").ok());
  EXPECT_EQ(*ReadFile(folder / "f"), "");
}

TEST(FileTest, LeavesNoTemporaryFileBehind) {
  const ScratchFolder folder;
  ASSERT_TRUE(WriteFileAtomic(folder / "f", "new").ok());
  std::filesystem::create_directory(folder / "taken");
  EXPECT_FALSE(WriteFileAtomic(folder / "taken", "x").ok());
  int entries = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    EXPECT_THAT(entry.path().filename().string(), ::testing::AnyOf("f", "taken"));
    ++entries;
  }
  EXPECT_EQ(entries, 2);
}

TEST(FileTest, PassesOverTheLeftoverOfAKilledProcess) {
  const ScratchFolder folder;
  const std::string leftover = folder / ("f.tmp." + std::to_string(getpid()) + ".0");
  std::ofstream(leftover) << "half";
  ASSERT_TRUE(WriteFileAtomic(folder / "f", "whole").ok());
  EXPECT_EQ(*ReadFile(folder / "f"), "whole");
  EXPECT_EQ(*ReadFile(leftover), "half");
}

TEST(FileTest, SaysWhyAFileCannotBeRead) {
  const ScratchFolder folder;
  ExpectStatus(ReadFile(folder / "none").status(), absl::StatusCode::kNotFound, {"none"});
  ExpectStatus(ReadFile(folder.path()).status(), absl::StatusCode::kInvalidArgument,
               {"not a regular file"});
  ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(ReadFile(folder / "pipe").status().code(), absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(WriteFileAtomic(folder / "f", "12345").ok());
  EXPECT_TRUE(ReadFile(folder / "f", 5).ok());
  ExpectStatus(ReadFile(folder / "f", 4).status(), absl::StatusCode::kResourceExhausted,
               {"5 bytes", "at most 4"});
}

TEST(FileTest, SaysWhyAFileCannotBeWritten) {
  const ScratchFolder folder;
  ExpectStatus(WriteFileAtomic(folder / "no/such/folder/f", "x"), absl::StatusCode::kNotFound,
               {"no/such/folder"});
}

TEST(FileTest, MakesFoldersOnce) {
  const ScratchFolder folder;
  EXPECT_TRUE(MakeDirectories(folder / "a/b/c").ok());
  EXPECT_TRUE(MakeDirectories(folder / "a/b/c").ok());
  EXPECT_TRUE(std::filesystem::is_directory(folder / "a/b/c"));
  std::ofstream(folder / "file") << "x";
  EXPECT_FALSE(MakeDirectories(folder / "file/d").ok());
  EXPECT_FALSE(MakeDirectories(folder / "file").ok());
  EXPECT_TRUE(MakeDirectories(folder / "trailing/").ok());
  EXPECT_TRUE(std::filesystem::is_directory(folder / "trailing"));
  EXPECT_TRUE(MakeDirectories("/").ok());
  EXPECT_TRUE(MakeDirectories(".").ok());
}

TEST(FileTest, ListsFilesAndLinksToFilesInOrder) {
  const ScratchFolder folder;
  ASSERT_TRUE(MakeDirectories(folder / "b/c").ok());
  for (const char* name : {"b/c/1", "b/2", "a"}) std::ofstream(folder / name) << "x";
  std::filesystem::create_symlink(folder / "a", folder / "link");
  std::filesystem::create_symlink(folder / "missing", folder / "dangling");
  std::filesystem::create_directory_symlink(folder.path(), folder / "b/loop");
  const auto files = ListFiles(folder.path());
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_THAT(*files, ::testing::ElementsAre(folder / "a", folder / "b/2", folder / "b/c/1",
                                             folder / "link"));
  ExpectStatus(ListFiles(folder / "none").status(), absl::StatusCode::kNotFound, {"none"});
}

TEST(FileLockTest, IsHeldByOneUntilItEnds) {
  const ScratchFolder folder;
  auto first = FileLock::Acquire(folder / "lock");
  ASSERT_TRUE(first.ok()) << first.status();
  ExpectStatus(FileLock::Acquire(folder / "lock").status(), absl::StatusCode::kFailedPrecondition,
               {"in use", "lock"});
  first->reset();
  EXPECT_TRUE(FileLock::Acquire(folder / "lock").ok());
}

// Vectors of FIPS 180-4 and of NIST's example values.
TEST(Sha256Test, GivesTheKnownAnswers) {
  EXPECT_EQ(Sha256Hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Sha256Hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(Sha256Hex(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256Test, DoesNotDependOnHowTheBytesArrive) {
  const ScratchFolder folder;
  std::string bytes;
  for (int i = 0; i < 300; ++i) bytes += static_cast<char>(i * 13);
  for (size_t size = 0; size <= bytes.size(); ++size) {
    const std::string_view head = std::string_view(bytes).substr(0, size);
    for (size_t piece : {1, 7, 64, 65}) {
      Sha256 sha;
      for (size_t at = 0; at < size; at += piece) sha.Update(head.substr(at, piece));
      ASSERT_EQ(sha.FinishHex(), Sha256Hex(head)) << size << " in pieces of " << piece;
    }
  }
  ASSERT_TRUE(WriteFileAtomic(folder / "f", bytes).ok());
  EXPECT_EQ(*Sha256HexOfFile(folder / "f"), Sha256Hex(bytes));
  EXPECT_EQ(Sha256HexOfFile(folder / "none").status().code(), absl::StatusCode::kNotFound);
}

// Vectors of RFC 3720, appendix B.4.
TEST(Crc32cTest, GivesTheKnownAnswers) {
  EXPECT_EQ(Crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(Crc32c(""), 0u);
}

}  // namespace
}  // namespace gwm::io
