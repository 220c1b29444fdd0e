#include "server/models/checkpoint_path.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "server/base/error.h"

namespace gwm::server {
namespace {

namespace fs = std::filesystem;

class CheckpointPathTest : public ::testing::Test {
 protected:
  CheckpointPathTest()
      : base_(fs::path(::testing::TempDir()) / ("paths" + std::to_string(getpid()))) {
    fs::remove_all(base_);
    fs::create_directories(base_ / "root/good");
    fs::create_directories(base_ / "root/nested/deep");
    fs::create_directories(base_ / "outside");
    std::ofstream(base_ / "root/good/config.json") << "{}";
    std::ofstream(base_ / "root/file") << "x";
    std::ofstream(base_ / "outside/secret") << "x";
  }
  ~CheckpointPathTest() override { fs::remove_all(base_); }

  absl::StatusOr<std::string> Resolve(const std::string& checkpoint) const {
    return ResolveCheckpoint(base_ / "root", checkpoint);
  }
  std::string ReasonOf(const std::string& checkpoint) const {
    const auto resolved = Resolve(checkpoint);
    if (resolved.ok()) return "OK";
    // What the client did not name itself it does not learn.
    if (checkpoint.find(base_.string()) == std::string::npos) {
      EXPECT_EQ(resolved.status().message().find(base_.string()), std::string::npos);
    }
    EXPECT_EQ(DetailsOf(resolved.status()).field, "checkpoint");
    return DetailsOf(resolved.status()).reason;
  }

  const fs::path base_;
};

TEST_F(CheckpointPathTest, FoldersBelowTheRootAreFound) {
  for (const char* path : {"good", "nested/deep", "./good/", "nested/./deep"}) {
    EXPECT_EQ(ReasonOf(path), "OK") << path;
  }
  EXPECT_EQ(*Resolve("good"), fs::canonical(base_ / "root/good").string());
  EXPECT_EQ(FolderBytes(*Resolve("good")), 2u);
}

TEST_F(CheckpointPathTest, NothingElseIs) {
  EXPECT_EQ(ReasonOf("absent"), "UNKNOWN");
  EXPECT_EQ(ReasonOf("file"), "UNKNOWN");
  for (const std::string& path :
       {std::string(), std::string("."), std::string(".."), std::string("../outside"),
        std::string("good/../../outside"), (base_ / "outside").string(),
        (base_ / "root/good").string(), std::string("good\0/../../outside", 18)}) {
    EXPECT_EQ(ReasonOf(path), "BAD_FIELD") << path;
  }
}

TEST_F(CheckpointPathTest, LinksMayPointInsideTheRootOnly) {
  fs::create_directory_symlink(base_ / "outside", base_ / "root/away");
  EXPECT_EQ(ReasonOf("away"), "BAD_FIELD");
  fs::create_directory_symlink(base_ / "root/good", base_ / "root/alias");
  EXPECT_EQ(ReasonOf("alias"), "OK");
  fs::create_symlink(base_ / "root/file", base_ / "root/good/model");
  EXPECT_EQ(ReasonOf("good"), "OK");
  fs::create_symlink(base_ / "outside/secret", base_ / "root/good/stolen");
  EXPECT_EQ(ReasonOf("good"), "BAD_FIELD");
  EXPECT_EQ(ReasonOf("alias"), "BAD_FIELD");
}

TEST_F(CheckpointPathTest, WithoutARootNothingCanBeLoaded) {
  EXPECT_EQ(DetailsOf(ResolveCheckpoint("", "good").status()).reason, "UNSUPPORTED");
}

TEST_F(CheckpointPathTest, ErrorsLoseTheFoldersAboveTheCheckpoint) {
  const absl::Status error =
      MakeError(absl::StatusCode::kNotFound, "cannot read /srv/models/a/config.json",
                {.reason = std::string(kBadCheckpoint), .field = "checkpoint"});
  const absl::Status shown = WithoutPath(error, "/srv/models/a", "a");
  EXPECT_EQ(shown.message(), "cannot read a/config.json");
  EXPECT_EQ(DetailsOf(shown).reason, "BAD_CHECKPOINT");
}

}  // namespace
}  // namespace gwm::server
