// golden_test --dir DIR: checks every golden case (*.safetensors) below DIR by its "op".
// One line per case, "PASS|FAIL|SKIP op file max_abs max_rel", with the reason after a FAIL or
// SKIP; exit status 0 exactly when nothing failed, 2 for a wrong command line.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tests/golden/case.h"
#include "tests/golden/ops.h"

namespace gwm::golden {
namespace {

namespace fs = std::filesystem;

using Registry = std::map<std::string, Op>;

Registry AllOps() {
  Registry registry;
  for (const std::vector<Op>& group : {DitOps(), DiffusionOps(), EncoderOps(), PointOps(),
                                       RenderOps(), LayerOps(), FileOps(), RlOps(), PolicyOps()}) {
    for (const Op& op : group) registry[op.name] = op;
  }
  return registry;
}

enum class Verdict { kPass, kFail, kSkip };

// First line only: Torch appends a stack trace.
std::string FirstLine(const std::string& text) { return text.substr(0, text.find('\n')); }

Verdict RunCase(const Registry& registry, const std::string& path, const std::string& shown) {
  absl::StatusOr<Case> golden = Case::Open(path);
  if (!golden.ok()) {
    std::printf("FAIL ? %s - - %s\n", shown.c_str(),
                std::string(golden.status().message()).c_str());
    return Verdict::kFail;
  }
  const auto op = registry.find(golden->op());
  if (op == registry.end()) {
    std::printf("SKIP %s %s - - op %s: no implementation yet\n", golden->op().c_str(),
                shown.c_str(), golden->op().c_str());
    return Verdict::kSkip;
  }
  try {
    op->second.run(*golden);
    golden->FailUnchecked();
  } catch (const std::exception& error) {
    golden->Fail(FirstLine(error.what()));
  }
  const bool passed = golden->failures().empty();
  std::printf("%s %s %s %.3g %.3g", passed ? "PASS" : "FAIL", golden->op().c_str(), shown.c_str(),
              golden->max_abs(), golden->max_rel());
  for (size_t i = 0; i < golden->failures().size(); ++i) {
    std::printf("%s%s", i == 0 ? " " : "; ", golden->failures()[i].c_str());
  }
  std::printf("\n");
  return passed ? Verdict::kPass : Verdict::kFail;
}

int Run(const std::string& directory) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (entry.is_regular_file() && entry.path().extension() == ".safetensors") {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  const Registry registry = AllOps();
  std::map<Verdict, int> counts;
  for (const fs::path& file : files) {
    ++counts[RunCase(registry, file.string(), fs::relative(file, directory).string())];
    std::fflush(stdout);
  }
  std::printf("%d passed, %d failed, %d skipped\n", counts[Verdict::kPass], counts[Verdict::kFail],
              counts[Verdict::kSkip]);
  return counts[Verdict::kFail] == 0 ? 0 : 1;
}

}  // namespace
}  // namespace gwm::golden

int main(int argc, char** argv) {
  std::string directory = "tests/golden/cases";
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() == 2 && arguments[0] == "--dir") {
    directory = arguments[1];
  } else if (arguments.size() == 1 && arguments[0].starts_with("--dir=")) {
    directory = arguments[0].substr(6);
  } else if (!arguments.empty()) {
    std::fprintf(stderr, "usage: golden_test [--dir DIR]   (default %s)\n", directory.c_str());
    return 2;
  }
  if (!std::filesystem::is_directory(directory)) {
    std::fprintf(stderr, "golden_test: '%s' is not a directory\n", directory.c_str());
    return 2;
  }
  return gwm::golden::Run(directory);
}
