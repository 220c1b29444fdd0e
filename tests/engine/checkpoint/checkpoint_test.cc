#include "engine/checkpoint/checkpoint.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

#include "engine/io/file.h"
#include "engine/io/sha256.h"
#include "tests/engine/io/test_support.h"
#include "tests/engine/model/model_builders.h"

namespace gwm {
namespace {

std::unique_ptr<WorldModel> SomeModel(uint64_t seed = 11) {
  auto model = testing::ShakenModel("grid", seed);
  testing::Normals normal(seed);
  model->normalizer = {normal({16}), normal({16}).abs() + 0.5, normal({16}).abs() + 0.1};
  return model;
}

// Replaces one file of a checkpoint and renews its sum.
void Replace(const std::string& dir, const std::string& name, const std::string& bytes) {
  ASSERT_TRUE(io::WriteFileAtomic(dir + "/" + name, bytes).ok());
  std::string sums = io::ReadFile(dir + "/SHA256SUMS").value();
  const auto line = sums.find("  " + name + "\n");
  ASSERT_NE(line, std::string::npos);
  sums.replace(line - 64, 64, io::Sha256Hex(bytes));
  ASSERT_TRUE(io::WriteFileAtomic(dir + "/SHA256SUMS", sums).ok());
}

class CheckpointTest : public ::testing::Test {
 protected:
  std::string Saved(const WorldModel& model, const SaveOptions& options = {}) {
    const std::string dir = folder_ / "model";
    EXPECT_TRUE(SaveCheckpoint(dir, model, options).ok());
    return dir;
  }
  // The weights file after `change`.
  void ChangeWeights(const std::string& dir, const std::function<void(io::TensorFile&)>& change) {
    auto file = io::ReadTensorFile(dir + "/model.safetensors").value();
    change(file);
    Replace(dir, "model.safetensors", io::SerializeTensors(file));
  }

  io::ScratchFolder folder_;
};

TEST_F(CheckpointTest, WeightsAndStatisticsComeBackExactly) {
  const auto model = SomeModel();
  const auto loaded = LoadCheckpoint(Saved(*model));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  for (size_t part = 0; part < 3; ++part) {
    const auto before = model->parts()[part].second->parameters(),
               after = loaded->model->parts()[part].second->parameters();
    ASSERT_EQ(before.size(), after.size());
    for (size_t i = 0; i < before.size(); ++i) EXPECT_TRUE(torch::equal(before[i], after[i]));
  }
  EXPECT_TRUE(torch::equal(loaded->model->normalizer.mean, model->normalizer.mean));
  EXPECT_TRUE(torch::equal(loaded->model->normalizer.std, model->normalizer.std));
  EXPECT_TRUE(torch::equal(loaded->model->normalizer.change_std, model->normalizer.change_std));
  EXPECT_EQ(loaded->model->config.tokenizer_digest, TokenizerDigest(*model, false));
  EXPECT_EQ(loaded->digest, io::Sha256Hex(io::ReadFile(folder_ / "model/SHA256SUMS").value()));
}

TEST_F(CheckpointTest, Bf16HalvesTheFileAndRoundsOnce) {
  const auto model = SomeModel();
  const auto full_bytes = std::filesystem::file_size(Saved(*model) + "/model.safetensors");
  const std::string dir = Saved(*model, {.bf16 = true});
  EXPECT_LT(std::filesystem::file_size(dir + "/model.safetensors"),
            0.6 * static_cast<double>(full_bytes));
  const auto loaded = LoadCheckpoint(dir);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  RoundToBf16(*model->dynamics);
  const auto rounded = model->dynamics->parameters(), read = loaded->model->dynamics->parameters();
  for (size_t i = 0; i < rounded.size(); ++i) EXPECT_TRUE(torch::equal(rounded[i], read[i]));
  ASSERT_TRUE(SaveCheckpoint(folder_ / "again", *loaded->model, {.bf16 = true}).ok());
  EXPECT_EQ(LoadCheckpoint(folder_ / "again")->digest, loaded->digest);
}

TEST_F(CheckpointTest, DigestFollowsTheWeights) {
  const auto first = LoadCheckpoint(Saved(*SomeModel(1)))->digest;
  const auto other = LoadCheckpoint(Saved(*SomeModel(2)))->digest;
  EXPECT_NE(first, other);
  EXPECT_EQ(LoadCheckpoint(Saved(*SomeModel(1)))->digest, first);
}

TEST_F(CheckpointTest, FlippedByteIsDataLossAndNamesTheFile) {
  const std::string dir = Saved(*SomeModel());
  for (const char* name : {"model.safetensors", "normalizer.safetensors", "config.json"}) {
    const std::string path = dir + "/" + name;
    const std::string good = io::ReadFile(path).value();
    std::string bad = good;
    bad[bad.size() - 2] = static_cast<char>(bad[bad.size() - 2] ^ 1);
    ASSERT_TRUE(io::WriteFileAtomic(path, bad).ok());
    io::ExpectStatus(LoadCheckpoint(dir).status(), absl::StatusCode::kDataLoss, {name});
    ASSERT_TRUE(io::WriteFileAtomic(path, good).ok());
  }
  EXPECT_TRUE(LoadCheckpoint(dir).ok());
}

TEST_F(CheckpointTest, SumsMustCoverTheModel) {
  const std::string dir = Saved(*SomeModel());
  ASSERT_TRUE(io::WriteFileAtomic(dir + "/SHA256SUMS", "").ok());
  io::ExpectStatus(LoadCheckpoint(dir).status(), absl::StatusCode::kDataLoss, {"config.json"});
}

TEST_F(CheckpointTest, MissingFolderIsNotFound) {
  EXPECT_EQ(LoadCheckpoint(folder_ / "nothing").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(CheckpointTest, AnotherTokenizerIsRefused) {
  const std::string dir = Saved(*SomeModel());
  const auto other = SomeModel(12);
  ChangeWeights(dir, [&](io::TensorFile& file) {
    AppendWeights(*other->tokenizer, "tokenizer.", false, file);
  });
  io::ExpectStatus(LoadCheckpoint(dir).status(), absl::StatusCode::kFailedPrecondition,
                   {"tokenizer", TokenizerDigest(*other, false).substr(0, 12).c_str()});
}

TEST_F(CheckpointTest, MissingSurplusAndMisshapenTensorsAreNamed) {
  const std::string dir = Saved(*SomeModel());
  const std::string good = io::ReadFile(dir + "/model.safetensors").value();
  const auto expect = [&](const std::function<void(io::TensorFile&)>& change, const char* part) {
    ChangeWeights(dir, change);
    io::ExpectStatus(LoadCheckpoint(dir).status(), absl::StatusCode::kInvalidArgument, {part});
    Replace(dir, "model.safetensors", good);
  };
  expect([](io::TensorFile& f) { f.tensors.erase("dynamics.final.bias"); },
         "dynamics.final.bias is missing");
  expect(
      [](io::TensorFile& f) {
        f.tensors["dynamics.final.bias"] = HostTensor::Zeros(DType::kF32, {3});
      },
      "dynamics.final.bias is f32 [3]");
  expect(
      [](io::TensorFile& f) { f.tensors["dynamics.extra"] = HostTensor::Zeros(DType::kF32, {3}); },
      "'dynamics.'");
  EXPECT_TRUE(LoadCheckpoint(dir).ok());
}

TEST_F(CheckpointTest, MalformedStatisticsAndConfigAreRefused) {
  const std::string dir = Saved(*SomeModel());
  auto stats = io::ReadTensorFile(dir + "/normalizer.safetensors").value();
  stats.tensors["latent_std"] = HostTensor::Zeros(DType::kF32, {5});
  const std::string good = io::ReadFile(dir + "/normalizer.safetensors").value();
  Replace(dir, "normalizer.safetensors", io::SerializeTensors(stats));
  io::ExpectStatus(LoadCheckpoint(dir).status(), absl::StatusCode::kInvalidArgument,
                   {"latent_std"});
  Replace(dir, "normalizer.safetensors", good);
  Replace(dir, "config.json", R"({"colour": 1})");
  io::ExpectStatus(LoadCheckpoint(dir).status(), absl::StatusCode::kInvalidArgument, {"colour"});
}

TEST_F(CheckpointTest, SavingAgainKeepsOtherFilesAndSumsThem) {
  const auto model = SomeModel();
  const std::string dir = Saved(*model, {.model_card = "# Model\n"});
  ASSERT_TRUE(io::WriteFileAtomic(dir + "/notes.txt", "mine").ok());
  ASSERT_TRUE(SaveCheckpoint(dir, *model, {}).ok());
  EXPECT_EQ(io::ReadFile(dir + "/notes.txt").value(), "mine");
  EXPECT_EQ(io::ReadFile(dir + "/README.md").value(), "# Model\n");
  EXPECT_NE(io::ReadFile(dir + "/SHA256SUMS").value().find("notes.txt"), std::string::npos);
  EXPECT_TRUE(LoadCheckpoint(dir).ok());
}

TEST_F(CheckpointTest, CardSectionsAreReplacedAndStaySummed) {
  const std::string dir = Saved(*SomeModel(), {.model_card = "# Model\n\ntext\n"});
  ASSERT_TRUE(WriteCardSection(dir, "Figures", "old\n").ok());
  ASSERT_TRUE(WriteCardSection(dir, "Other", "kept\n").ok());
  ASSERT_TRUE(WriteCardSection(dir, "Figures", "new\n").ok());
  const std::string card = io::ReadFile(dir + "/README.md").value();
  EXPECT_EQ(card.find("old"), std::string::npos);
  EXPECT_NE(card.find("## Figures\n\nnew"), std::string::npos);
  EXPECT_NE(card.find("## Other\n\nkept"), std::string::npos);
  EXPECT_TRUE(LoadCheckpoint(dir).ok());
}

}  // namespace
}  // namespace gwm
