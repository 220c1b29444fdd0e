#include "engine/io/folder_edit.h"

#include "engine/io/file.h"
#include "tests/engine/io/test_support.h"

namespace gwm::io {
namespace {

class FolderEditTest : public ::testing::Test {
 protected:
  void Write(const std::string& folder, const std::string& name, const std::string& text) {
    ASSERT_TRUE(MakeDirectories(folder).ok());
    ASSERT_TRUE(WriteFileAtomic(folder + "/" + name, text).ok());
  }
  std::string Read(const std::string& path) { return ReadFile(path).value_or("(none)"); }

  ScratchFolder scratch_;
  const std::string folder_ = scratch_ / "model";
};

TEST_F(FolderEditTest, MakesTheFolderWhenThereIsNone) {
  auto edit = FolderEdit::Begin(folder_ + "/");
  ASSERT_TRUE(edit.ok()) << edit.status();
  Write((*edit)->staged(), "a", "1");
  EXPECT_FALSE(std::filesystem::exists(folder_));
  ASSERT_TRUE((*edit)->Commit().ok());
  EXPECT_EQ(Read(folder_ + "/a"), "1");
}

TEST_F(FolderEditTest, ChangesAllFilesAtOnceAndKeepsTheOthers) {
  Write(folder_, "changed", "old");
  Write(folder_, "kept", "same");
  Write(folder_ + "/below", "deep", "too");
  auto edit = FolderEdit::Begin(folder_).value();
  Write(edit->staged(), "changed", "new");
  Write(edit->staged(), "added", "more");
  EXPECT_EQ(Read(folder_ + "/changed"), "old");
  EXPECT_EQ(Read(folder_ + "/added"), "(none)");
  ASSERT_TRUE(edit->Commit().ok());
  EXPECT_EQ(Read(folder_ + "/changed"), "new");
  EXPECT_EQ(Read(folder_ + "/added"), "more");
  EXPECT_EQ(Read(folder_ + "/kept"), "same");
  EXPECT_EQ(Read(folder_ + "/below/deep"), "too");
  EXPECT_EQ(ListFiles(scratch_.path())->size(), 4U);
}

TEST_F(FolderEditTest, LeavesTheFolderAloneWithoutCommit) {
  Write(folder_, "a", "old");
  Write(FolderEdit::Begin(folder_).value()->staged(), "left", "behind");
  {
    auto edit = FolderEdit::Begin(folder_).value();
    Write(edit->staged(), "a", "new");
    EXPECT_EQ(Read(edit->staged() + "/left"), "(none)");
  }
  EXPECT_EQ(Read(folder_ + "/a"), "old");
  EXPECT_EQ(ListFiles(scratch_.path())->size(), 1U);
}

}  // namespace
}  // namespace gwm::io
