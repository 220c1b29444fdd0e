// gwm-train: trains and evaluates checkpoints.
#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "engine/base/catch_torch.h"
#include "engine/base/compute.h"
#include "engine/base/device.h"
#include "engine/base/memory.h"
#include "engine/base/status.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/data/dataset.h"
#include "engine/io/file.h"
#include "engine/io/image.h"
#include "engine/train/evaluate.h"
#include "engine/train/recipe.h"
#include "engine/train/rollout_pictures.h"

ABSL_FLAG(std::vector<std::string>, data, {},
          "training: folders of episode files, comma separated");
ABSL_FLAG(std::string, out, "",
          "training: the checkpoint folder to write; OUT.work holds states and logs");
ABSL_FLAG(std::string, profile, "gwm-small", "training: gwm-tiny, gwm-small or gwm-paper");
ABSL_FLAG(std::string, model, "", "training: JSON file whose fields replace those of the profile");
ABSL_FLAG(std::string, train, "", "training: JSON file whose fields replace the training defaults");
ABSL_FLAG(std::string, checkpoint, "", "eval: the checkpoint folder");
ABSL_FLAG(std::string, episodes, "", "eval: folder of episode files");
ABSL_FLAG(std::string, gifs, "",
          "eval: folder for GIFs of the median and the worst rollout of each task");
ABSL_FLAG(std::vector<std::string>, horizons, std::vector<std::string>({"1", "5", "10", "20"}),
          "eval: steps after which images are judged");
ABSL_FLAG(std::string, novel_view, "",
          "eval: folder of episodes with one view more than the model takes, for novel views");
ABSL_FLAG(std::string, json, "", "eval: where the figures go");
ABSL_FLAG(std::string, sheet, "", "eval: where a contact sheet (PNG) goes");
ABSL_FLAG(std::string, card, "",
          "eval: write the table into this section of the checkpoint's model card");
ABSL_FLAG(int, calls, 0, "eval: denoiser calls per step; 0 takes the checkpoint's");
ABSL_FLAG(std::string, device, "auto", "auto, cpu or cuda");
ABSL_FLAG(int, threads, 0, "compute threads; 0 lets a short probe choose");
ABSL_FLAG(std::string, precision, "fp32",
          "eval: of the denoiser's matrix products; fp32, bf16, or auto as servers choose it");

namespace {

constexpr char kUsage[] = R"(trains and evaluates Gaussian World Models.

  gwm-train all      --data=DIR[,DIR] --out=DIR [--profile=gwm-small] [--model=FILE] [--train=FILE]
  gwm-train vae|dynamics|reward|error  (the same flags: one stage; the stages before it are read from --out)
  gwm-train heads    (the same flags: reward and error head on a finished tokenizer and dynamics)
  gwm-train eval     --checkpoint=DIR --episodes=DIR [--json=FILE] [--sheet=FILE.png] [--calls=N]
                     [--horizons=1,5,10,20] [--novel_view=DIR] [--gifs=DIR] [--card=TITLE]

A killed training goes on where it stopped when the same command is given again.

Examples:
  gwm-train all --data=data/collected --out=build/my-model
  gwm-train eval --checkpoint=checkpoints/gwm-small --episodes=tests/data/episodes --json=eval.json
)";

constexpr std::array<std::string_view, 6> kTraining = {"all",   "vae",    "dynamics",
                                                       "heads", "reward", "error"};

absl::Status Train(const std::string& command) {
  gwm::RecipeOptions options;
  options.data = absl::GetFlag(FLAGS_data);
  options.out = absl::GetFlag(FLAGS_out);
  if (options.data.empty())
    return absl::InvalidArgumentError("--data is missing: folders of episode files");
  if (options.out.empty())
    return absl::InvalidArgumentError("--out is missing: the checkpoint folder to write");
  while (options.out.size() > 1 && options.out.back() == '/') options.out.pop_back();
  GWM_ASSIGN_OR_RETURN(options.model, gwm::ProfileConfig(absl::GetFlag(FLAGS_profile)));
  if (const auto path = absl::GetFlag(FLAGS_model); !path.empty()) {
    GWM_ASSIGN_OR_RETURN(auto json, gwm::io::ReadFile(path));
    GWM_ASSIGN_OR_RETURN(options.model, gwm::OverrideConfig(options.model, json));
  }
  if (const auto path = absl::GetFlag(FLAGS_train); !path.empty()) {
    GWM_ASSIGN_OR_RETURN(auto json, gwm::io::ReadFile(path));
    GWM_ASSIGN_OR_RETURN(options.train, gwm::OverrideTrainOptions(options.train, json));
  }
  const bool all = command == "all", heads = all || command == "heads";
  options.tokenizer = all || command == "vae";
  options.dynamics = all || command == "dynamics";
  options.reward = heads || command == "reward";
  options.error = heads || command == "error";
  options.device = absl::GetFlag(FLAGS_device);
  options.threads = absl::GetFlag(FLAGS_threads);
  return gwm::RunRecipe(options);
}

absl::StatusOr<std::vector<int64_t>> Horizons() {
  std::vector<int64_t> horizons;
  for (const auto& word : absl::GetFlag(FLAGS_horizons)) {
    int64_t horizon = 0;
    if (!absl::SimpleAtoi(word, &horizon) || horizon < 1 || horizon > 1000) {
      return absl::InvalidArgumentError(
          absl::StrCat("--horizons has '", word, "'; whole numbers from 1 to 1000 are allowed"));
    }
    horizons.push_back(horizon);
  }
  if (horizons.empty()) return absl::InvalidArgumentError("--horizons is empty; 1,5 for example");
  return horizons;
}

absl::Status WriteResults(const gwm::WorldModel& model, const gwm::Dataset& data,
                          const gwm::Evaluation& result, const gwm::EvaluateOptions& options) {
  std::fputs(result.table.c_str(), stdout);
  if (const auto path = absl::GetFlag(FLAGS_json); !path.empty()) {
    GWM_RETURN_IF_ERROR(gwm::io::WriteFileAtomic(path, result.json));
  }
  if (const auto title = absl::GetFlag(FLAGS_card); !title.empty()) {
    GWM_RETURN_IF_ERROR(gwm::WriteCardSection(absl::GetFlag(FLAGS_checkpoint), title,
                                              absl::StrCat("```text\n", result.table, "```\n")));
  }
  if (const auto path = absl::GetFlag(FLAGS_sheet); !path.empty()) {
    GWM_RETURN_IF_ERROR(gwm::io::WritePng(path, result.contact_sheet));
  }
  if (const auto folder = absl::GetFlag(FLAGS_gifs); !folder.empty()) {
    GWM_RETURN_IF_ERROR(gwm::WriteRolloutPictures(model, data, result.starts, options, folder));
  }
  return absl::OkStatus();
}

absl::Status Eval() {
  const std::string checkpoint = absl::GetFlag(FLAGS_checkpoint);
  const std::string episodes = absl::GetFlag(FLAGS_episodes);
  if (checkpoint.empty()) return absl::InvalidArgumentError("--checkpoint is missing");
  if (episodes.empty())
    return absl::InvalidArgumentError("--episodes is missing: a folder of episode files");
  return gwm::CatchTorch("eval", [&]() -> absl::Status {
    gwm::EvaluateOptions options{.calls = absl::GetFlag(FLAGS_calls)};
    GWM_ASSIGN_OR_RETURN(options.horizons, Horizons());
    GWM_ASSIGN_OR_RETURN(const auto device, gwm::ChooseDevice(absl::GetFlag(FLAGS_device)));
    GWM_ASSIGN_OR_RETURN(const gwm::Compute compute,
                         gwm::ChooseCompute(device, {.threads = absl::GetFlag(FLAGS_threads),
                                                     .precision = absl::GetFlag(FLAGS_precision)}));
    GWM_ASSIGN_OR_RETURN(auto loaded, gwm::LoadCheckpoint(checkpoint));
    loaded.model->To(device);
    if (compute.precision == gwm::Precision::kBf16) loaded.model->UseBf16();
    GWM_ASSIGN_OR_RETURN(auto data, gwm::LoadDataset({episodes}, loaded.model->config));
    gwm::Dataset novel_view;
    if (const auto folder = absl::GetFlag(FLAGS_novel_view); !folder.empty()) {
      auto config = loaded.model->config;
      ++config.views;
      GWM_ASSIGN_OR_RETURN(novel_view, gwm::LoadDataset({folder}, config));
      options.novel_view = &novel_view;
    }
    GWM_ASSIGN_OR_RETURN(auto result, gwm::Evaluate(*loaded.model, data, options));
    return WriteResults(*loaded.model, data, result, options);
  });
}

}  // namespace

int main(int argc, char** argv) {
  gwm::WaitPassively(argv);
  gwm::KeepFreedMemory();
  absl::SetProgramUsageMessage(kUsage);
  const auto words = absl::ParseCommandLine(argc, argv);
  const std::string command = words.size() == 2 ? words[1] : "";
  absl::Status status;
  if (command == "eval") {
    status = Eval();
  } else if (std::ranges::count(kTraining, command) > 0) {
    status = Train(command);
  } else {
    std::fprintf(stderr, "gwm-train %s", kUsage);
    return 2;
  }
  if (!status.ok()) {
    std::fprintf(stderr, "gwm-train: %s\n", std::string(status.message()).c_str());
    return 1;
  }
  return 0;
}
