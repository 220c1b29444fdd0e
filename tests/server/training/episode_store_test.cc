#include "server/training/episode_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include "server/base/error.h"
#include "tests/fakes/small_episode.h"

namespace gwm::server {
namespace {

using fakes::SmallEpisode;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

// The machine's, with a switch for each fault.
class FaultyDisk final : public Disk {
 public:
  absl::StatusOr<std::string> Read(const std::string& path) override { return real_->Read(path); }
  absl::Status Write(const std::string& path, std::string_view bytes) override {
    if (full) return absl::ResourceExhaustedError("No space left on device: " + path);
    if (broken) return absl::UnknownError("Input/output error: " + path);
    return real_->Write(path, bytes);
  }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    return real_->Rename(from, to);
  }
  absl::Status Remove(const std::string& path) override {
    return keeps ? absl::PermissionDeniedError(path) : real_->Remove(path);
  }
  absl::StatusOr<std::vector<std::string>> List(const std::string& folder) override {
    return real_->List(folder);
  }
  absl::Status MakeFolders(const std::string& path) override { return real_->MakeFolders(path); }
  bool Exists(const std::string& path) override { return real_->Exists(path); }

  bool full = false, broken = false, keeps = false;

 private:
  const std::unique_ptr<Disk> real_ = MakeDisk();
};

class EpisodeStoreTest : public ::testing::Test {
 protected:
  EpisodeStoreTest()
      : root_(fs::path(::testing::TempDir()) / ("store" + std::to_string(getpid()))) {
    fs::remove_all(root_);
  }
  ~EpisodeStoreTest() override { fs::remove_all(root_); }

  void Open(uint64_t max_bytes = 1 << 20) {
    store_.reset();
    damaged_ = 0;
    auto store = EpisodeStore::Open(
        {.root = root_,
         .max_dataset_bytes = max_bytes,
         .max_datasets = 2,
         .disk = &disk_,
         .on_damaged = [this](const std::string&, const absl::Status&) { ++damaged_; }});
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }
  DatasetInfo Info() { return store_->Get("d").value_or(DatasetInfo()); }
  std::vector<fs::path> Files() {
    std::vector<fs::path> files(fs::directory_iterator(root_ / "d"), {});
    std::sort(files.begin(), files.end());
    return files;
  }

  const fs::path root_;
  FaultyDisk disk_;
  int damaged_ = 0;
  std::unique_ptr<EpisodeStore> store_;
};

TEST_F(EpisodeStoreTest, KeepsEpisodesAndCountsOverARestart) {
  Open();
  EXPECT_EQ(*store_->Append("d", "one", SmallEpisode(4)), true);
  EXPECT_EQ(*store_->Append("d", "two", SmallEpisode(5)), true);
  const DatasetInfo before = Info();
  Open();
  EXPECT_EQ(Info().episodes, 2);
  EXPECT_EQ(Info().frames, 9);
  EXPECT_EQ(Info().appended_frames, 9);
  EXPECT_EQ(Info().bytes, before.bytes);
  const auto files = store_->Since("d", 1);
  ASSERT_EQ(files.size(), 1);
  EXPECT_EQ(files[0].id, "two");
  EXPECT_EQ(store_->Read("d", files[0])->frames(), 5);
}

TEST_F(EpisodeStoreTest, TakesAnEpisodeIdOnce) {
  Open();
  EXPECT_EQ(*store_->Append("d", "one", SmallEpisode()), true);
  EXPECT_EQ(*store_->Append("d", "one", SmallEpisode()), false);
  Open();
  EXPECT_EQ(*store_->Append("d", "one", SmallEpisode()), false);
  EXPECT_EQ(Info().episodes, 1);
}

TEST_F(EpisodeStoreTest, DropsTheOldestBeyondItsBound) {
  Open();
  ASSERT_TRUE(store_->Append("d", "e0", SmallEpisode()).ok());
  const uint64_t bytes = Info().bytes;
  Open(bytes * 5 / 2);
  for (const char* id : {"e1", "e2", "e3"})
    ASSERT_TRUE(store_->Append("d", id, SmallEpisode()).ok());
  EXPECT_EQ(Info().episodes, 2);
  EXPECT_EQ(Info().dropped_episodes, 2);
  EXPECT_EQ(Info().appended_frames, 16);
  EXPECT_EQ(store_->Since("d", 0)[0].id, "e2");
  EXPECT_EQ(Files().size(), 2);
  io::Episode large = SmallEpisode(4000);
  uint32_t noise = 1;
  for (char& byte : large.rgb.data) byte = static_cast<char>((noise = noise * 1664525 + 1) >> 24);
  EXPECT_EQ(DetailsOf(store_->Append("d", "large", large).status()).reason, kLimit);
  EXPECT_EQ(Info().episodes, 2);
}

TEST_F(EpisodeStoreTest, DropsAtTheNextStartWhatCouldNotBeRemoved) {
  Open();
  ASSERT_TRUE(store_->Append("d", "e0", SmallEpisode()).ok());
  Open(Info().bytes + 1);
  disk_.keeps = true;
  ASSERT_TRUE(store_->Append("d", "e1", SmallEpisode()).ok());
  EXPECT_EQ(Files().size(), 2);
  disk_.keeps = false;
  Open(Info().bytes + 1);
  EXPECT_EQ(Files().size(), 1);
  EXPECT_EQ(Info().dropped_episodes, 1);
}

TEST_F(EpisodeStoreTest, SetsATornFileAsideAndTakesItsEpisodeAgain) {
  Open();
  for (const char* id : {"e0", "e1"}) ASSERT_TRUE(store_->Append("d", id, SmallEpisode()).ok());
  fs::resize_file(Files()[1], fs::file_size(Files()[1]) - 1);
  std::ofstream(root_ / "d" / "x.tmp.1.0") << "half";
  Open();
  EXPECT_EQ(damaged_, 1);
  EXPECT_EQ(Info().episodes, 1);
  EXPECT_EQ(Info().appended_frames, 8);
  EXPECT_EQ(Info().dropped_episodes, 0);
  EXPECT_FALSE(fs::exists(root_ / "d" / "x.tmp.1.0"));
  EXPECT_EQ(*store_->Append("d", "e1", SmallEpisode()), true);
  Open();
  EXPECT_EQ(damaged_, 0);
  EXPECT_EQ(Info().episodes, 2);
}

TEST_F(EpisodeStoreTest, KeepsNothingOfAnEpisodeThatFindsTheDiskFull) {
  Open();
  ASSERT_TRUE(store_->Append("d", "e0", SmallEpisode()).ok());
  disk_.full = true;
  const auto refused = store_->Append("d", "e1", SmallEpisode());
  EXPECT_TRUE(absl::IsResourceExhausted(refused.status()));
  EXPECT_EQ(DetailsOf(refused.status()).reason, kDiskFull);
  EXPECT_THAT(std::string(refused.status().message()), ::testing::Not(HasSubstr(root_.string())));
  disk_.full = false;
  disk_.broken = true;
  EXPECT_TRUE(absl::IsInternal(store_->Append("d", "e1", SmallEpisode()).status()));
  EXPECT_EQ(Info().episodes, 1);
  EXPECT_EQ(Files().size(), 1);
  disk_.broken = false;
  EXPECT_EQ(*store_->Append("d", "e1", SmallEpisode()), true);
}

TEST_F(EpisodeStoreTest, HoldsEpisodesOfOneSizeInADataset) {
  Open();
  ASSERT_TRUE(store_->Append("d", "e0", SmallEpisode(4, 2)).ok());
  Open();
  const absl::Status other = store_->Append("d", "e1", SmallEpisode(4, 3)).status();
  EXPECT_EQ(DetailsOf(other).reason, kBadTensor);
  EXPECT_THAT(std::string(other.message()), HasSubstr("1, 3, 3, 2"));
  EXPECT_TRUE(store_->Append("other", "e1", SmallEpisode(4, 3)).ok());
  EXPECT_EQ(DetailsOf(store_->Append("third", "e", SmallEpisode()).status()).reason, kQuota);
}

TEST_F(EpisodeStoreTest, DeletesADatasetWhole) {
  Open();
  ASSERT_TRUE(store_->Append("d", "e0", SmallEpisode()).ok());
  EXPECT_TRUE(store_->Delete("d").ok());
  EXPECT_FALSE(fs::exists(root_ / "d"));
  EXPECT_EQ(DetailsOf(store_->Delete("d")).reason, kUnknownDataset);
  // A crash between the two steps of it.
  fs::create_directories(root_ / ".going.d");
  Open();
  EXPECT_FALSE(fs::exists(root_ / ".going.d"));
  EXPECT_EQ(DetailsOf(store_->Get("d").status()).reason, kUnknownDataset);
}

}  // namespace
}  // namespace gwm::server
