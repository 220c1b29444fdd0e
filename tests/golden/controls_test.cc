// golden_test must notice damage: each test runs it on a folder with one changed copy of a case.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include "engine/io/safetensors.h"

namespace gwm {
namespace {

namespace fs = std::filesystem;

struct Outcome {
  int exit_status = -1;
  std::string output;
};

Outcome RunGoldenTest(const std::string& arguments) {
  const std::string command = std::string(GWM_GOLDEN_TEST) + " " + arguments + " 2>&1";
  Outcome run;
  FILE* pipe = popen(command.c_str(), "r");
  std::array<char, 4096> buffer;
  while (size_t count = fread(buffer.data(), 1, buffer.size(), pipe)) {
    run.output.append(buffer.data(), count);
  }
  run.exit_status = WEXITSTATUS(pclose(pipe));
  return run;
}

class GoldenControlTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) /
              (std::string("golden_control_") +
               testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  // Runs golden_test on a copy of tests/golden/cases/<name>.safetensors after `change`.
  Outcome RunChanged(const std::string& name, const std::function<void(io::TensorFile&)>& change) {
    absl::StatusOr<io::TensorFile> file =
        io::ReadTensorFile("tests/golden/cases/" + name + ".safetensors");
    EXPECT_TRUE(file.ok()) << file.status();
    change(*file);
    const absl::Status written =
        io::WriteTensorFile((folder_ / (name + ".safetensors")).string(), *file);
    EXPECT_TRUE(written.ok()) << written;
    return RunGoldenTest("--dir " + folder_.string());
  }

  fs::path folder_;
};

TEST_F(GoldenControlTest, PassesAnUnchangedCopy) {
  const Outcome run = RunChanged("edm_conditioners", [](io::TensorFile&) {});
  EXPECT_EQ(run.exit_status, 0);
  EXPECT_NE(run.output.find("PASS edm_conditioners edm_conditioners.safetensors"),
            std::string::npos)
      << run.output;
  EXPECT_NE(run.output.find("1 passed, 0 failed, 0 skipped"), std::string::npos) << run.output;
}

TEST_F(GoldenControlTest, FailsOneWrongNumberInAnOutput) {
  const Outcome run = RunChanged("dit_released_b", [](io::TensorFile& file) {
    file.tensors.at("out.block1").mutable_values<float>()[7] += 1e-2f;
  });
  EXPECT_NE(run.exit_status, 0);
  EXPECT_NE(run.output.find("FAIL dit_released"), std::string::npos) << run.output;
  EXPECT_NE(run.output.find("out.block1"), std::string::npos) << run.output;
}

TEST_F(GoldenControlTest, FailsOneWrongIndex) {
  const Outcome run = RunChanged("fps", [](io::TensorFile& file) {
    file.tensors.at("out.b.indices").mutable_values<int64_t>()[500] ^= 1;
  });
  EXPECT_NE(run.exit_status, 0);
  EXPECT_NE(run.output.find("out.b.indices"), std::string::npos) << run.output;
}

TEST_F(GoldenControlTest, FailsAWrongGradient) {
  const Outcome run = RunChanged("chamfer", [](io::TensorFile& file) {
    file.tensors.at("grad.in.y").mutable_values<float>()[0] *= 1.01f;
  });
  EXPECT_NE(run.exit_status, 0);
  EXPECT_NE(run.output.find("grad.in.y"), std::string::npos) << run.output;
}

TEST_F(GoldenControlTest, FailsAnOutputOfUnknownName) {
  const Outcome run = RunChanged("norms", [](io::TensorFile& file) {
    auto node = file.tensors.extract("out.rms");
    node.key() = "out.renamed";
    file.tensors.insert(std::move(node));
  });
  EXPECT_NE(run.exit_status, 0);
  EXPECT_NE(run.output.find("out.renamed"), std::string::npos) << run.output;
}

TEST_F(GoldenControlTest, FailsAWrongWeight) {
  const Outcome run = RunChanged("sampler_released", [](io::TensorFile& file) {
    file.tensors.at("w.inner_model.final_layer.linear.bias").mutable_values<float>()[0] += 1;
  });
  EXPECT_NE(run.exit_status, 0);
  EXPECT_NE(run.output.find("FAIL sampler_released"), std::string::npos) << run.output;
}

TEST_F(GoldenControlTest, FailsAFileThatIsNoCase) {
  std::ofstream(folder_ / "broken.safetensors") << "not a tensor file";
  const Outcome run = RunGoldenTest("--dir " + folder_.string());
  EXPECT_NE(run.exit_status, 0);
  EXPECT_NE(run.output.find("0 passed, 1 failed, 0 skipped"), std::string::npos) << run.output;
}

TEST_F(GoldenControlTest, SkipsAnOpThatNobodyImplements) {
  const Outcome run =
      RunChanged("norms", [](io::TensorFile& file) { file.metadata["op"] = "teleport"; });
  EXPECT_EQ(run.exit_status, 0);
  EXPECT_NE(run.output.find("SKIP teleport norms.safetensors"), std::string::npos) << run.output;
  EXPECT_NE(run.output.find("0 passed, 0 failed, 1 skipped"), std::string::npos) << run.output;
}

TEST_F(GoldenControlTest, FindsCasesInSubfolders) {
  fs::create_directories(folder_ / "deeper" / "still");
  fs::copy("tests/golden/cases/fps.safetensors", folder_ / "deeper" / "still");
  const Outcome run = RunGoldenTest("--dir " + folder_.string());
  EXPECT_EQ(run.exit_status, 0);
  EXPECT_NE(run.output.find("PASS fps deeper/still/fps.safetensors"), std::string::npos)
      << run.output;
}

TEST_F(GoldenControlTest, RefusesAFolderThatDoesNotExist) {
  EXPECT_EQ(RunGoldenTest("--dir " + (folder_ / "nowhere").string()).exit_status, 2);
}

}  // namespace
}  // namespace gwm
