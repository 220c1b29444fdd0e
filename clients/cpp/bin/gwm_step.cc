// gwm-step: steps a world from the shell, as an example of the client library. See kUsage.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/flags/usage_config.h"
#include "absl/strings/match.h"
#include "engine/io/episode.h"
#include "engine/io/image.h"
#include "gwm/client.h"

ABSL_FLAG(std::string, address, "127.0.0.1:50051", "server: HOST:PORT or unix:PATH");
ABSL_FLAG(std::string, episode, "", "episode file to start from and to take the actions of");
ABSL_FLAG(int, frame, 0, "frame of --episode to start from");
ABSL_FLAG(int, steps, 20, "steps to make (fewer when --episode ends)");
ABSL_FLAG(uint64_t, seed, 0, "seed of the session and of random actions");
ABSL_FLAG(int, pool_index, -1, "without --episode: entry of the reset pool; -1: the seed chooses");
ABSL_FLAG(std::string, out, "", "folder for strip.png and rollout.json; empty: print only");

namespace {

using gwm::client::Client;
using gwm::client::Session;
using gwm::client::Tensor;

constexpr char kUsage[] =
    "steps a world on a gwm server and prints what comes back.\n\n"
    "  gwm-step --address=localhost:50051 --steps=10\n"
    "      from the server's pool of real frames, with random actions\n"
    "  gwm-step --episode=tests/data/episodes/hammer-v3/expert_005.safetensors.zst --frame=2 "
    "--out=/tmp/steps\n"
    "      from a real frame, with the episode's own actions; writes strip.png (real above, "
    "imagined\n"
    "      below) and rollout.json\n\n"
    "Exit status: 0 done, 1 the server refused, 2 bad usage or unreadable file.";
constexpr int kStripScale = 2;
constexpr auto kConnectTimeout = std::chrono::seconds(10);

struct Rollout {
  std::vector<gwm::io::Image> real;  // empty without an episode
  std::vector<gwm::io::Image> imagined;
  nlohmann::json steps = nlohmann::json::array();
  std::vector<double> step_ms;
};

// The rows first..first+count-1 of `tensor` with the leading dimensions `lead`.
Tensor Rows(const gwm::HostTensor& tensor, gwm::client::DType dtype, int64_t first, int64_t count,
            std::vector<int64_t> lead) {
  Tensor rows{dtype, std::move(lead), {}};
  const size_t row_bytes = tensor.data.size() / static_cast<size_t>(tensor.shape[0]);
  rows.shape.insert(rows.shape.end(), tensor.shape.begin() + 1, tensor.shape.end());
  rows.data = tensor.data.substr(static_cast<size_t>(first) * row_bytes,
                                 static_cast<size_t>(count) * row_bytes);
  return rows;
}

// Up to `context` frames that end at `frame`, as one world.
gwm::client::Frames FramesOf(const gwm::io::Episode& episode, int64_t frame, int64_t context) {
  using gwm::client::DType;
  const int64_t count = std::clamp<int64_t>(context, 1, frame + 1);
  const int64_t first = frame + 1 - count;
  gwm::client::Frames frames;
  frames.rgb = Rows(episode.rgb, DType::kU8, first, count, {1, count});
  frames.depth_mm = Rows(episode.depth_mm, DType::kU16, first, count, {1, count});
  frames.intrinsics = Tensor{DType::kF32, episode.intrinsics.shape, episode.intrinsics.data};
  frames.world_from_cam =
      Tensor{DType::kF32, episode.world_from_cam.shape, episode.world_from_cam.data};
  if (count > 1)
    frames.actions = Rows(episode.action, DType::kF32, first + 1, count - 1, {1, count - 1});
  return frames;
}

// First view of u8 [..., V, H, W, 3] at `row`.
gwm::io::Image FirstView(const std::string& pixels, const std::vector<int64_t>& shape,
                         int64_t row) {
  const size_t rank = shape.size();
  const int64_t views = shape[rank - 4];
  gwm::io::Image image;
  image.height = static_cast<int>(shape[rank - 3]);
  image.width = static_cast<int>(shape[rank - 2]);
  const int64_t bytes = int64_t{3} * image.width * image.height;
  const auto begin = pixels.begin() + row * views * bytes;
  image.pixels.assign(begin, begin + bytes);
  return image;
}

// f32 [steps, A]: the episode's actions after `frame`, or uniform ones within the server's range.
std::vector<std::vector<float>> Actions(const std::optional<gwm::io::Episode>& episode,
                                        const gwm::client::Spec& spec) {
  const auto steps = static_cast<int64_t>(absl::GetFlag(FLAGS_steps));
  std::vector<std::vector<float>> actions;
  if (episode) {
    const int64_t frame = absl::GetFlag(FLAGS_frame);
    const auto values = episode->action.values<float>();
    const int64_t width = episode->action_dim();
    for (int64_t t = frame + 1; t < std::min(episode->frames(), frame + 1 + steps); ++t) {
      actions.emplace_back(values.begin() + t * width, values.begin() + (t + 1) * width);
    }
    return actions;
  }
  std::mt19937_64 random(absl::GetFlag(FLAGS_seed));
  std::uniform_real_distribution<float> uniform(static_cast<float>(spec.action.min),
                                                static_cast<float>(spec.action.max));
  actions.assign(static_cast<size_t>(steps), std::vector<float>(spec.action.shape.at(0)));
  for (auto& action : actions) {
    std::generate(action.begin(), action.end(), [&] { return uniform(random); });
  }
  return actions;
}

gwm::client::ResetOptions ResetFrom(const std::optional<gwm::io::Episode>& episode,
                                    const gwm::client::Spec& spec) {
  gwm::client::ResetOptions options;
  if (episode) {
    options.init = FramesOf(*episode, absl::GetFlag(FLAGS_frame), spec.context_frames);
  } else if (const int index = absl::GetFlag(FLAGS_pool_index); index >= 0) {
    options.init = gwm::client::FromPool{{static_cast<uint32_t>(index)}};
  }
  return options;
}

Rollout Roll(Session& session, const std::optional<gwm::io::Episode>& episode,
             const gwm::client::Spec& spec) {
  Rollout rollout;
  const auto first = session.Reset(ResetFrom(episode, spec));
  const auto keep = [&](const Tensor& rgb) {
    rollout.imagined.push_back(FirstView(rgb.data, rgb.shape, 0));
    if (!episode) return;
    const auto row = absl::GetFlag(FLAGS_frame) + static_cast<int64_t>(rollout.real.size());
    rollout.real.push_back(FirstView(episode->rgb.data, episode->rgb.shape, row));
  };
  keep(first.observations.at("rgb"));
  std::printf("%5s %9s %9s %8s %10s %9s\n", "step", "reward", "success", "p", "terminated", "ms");
  for (const auto& action : Actions(episode, spec)) {
    const auto begin = std::chrono::steady_clock::now();
    const auto step =
        session.Step(Tensor::From<float>({1, static_cast<int64_t>(action.size())}, action));
    const std::chrono::duration<double, std::milli> elapsed =
        std::chrono::steady_clock::now() - begin;
    keep(step.observations.at("rgb"));
    rollout.step_ms.push_back(elapsed.count());
    rollout.steps.push_back({{"step", step.step_index.at(0)},
                             {"reward", step.reward.at(0)},
                             {"success", static_cast<bool>(step.success.at(0))},
                             {"terminated", static_cast<bool>(step.terminated.at(0))},
                             {"ms", elapsed.count()}});
    std::printf("%5llu %9.4f %9s %8.3f %10s %9.2f\n",
                static_cast<unsigned long long>(step.step_index.at(0)), step.reward.at(0),
                step.success.at(0) ? "yes" : "no", step.success_probability.at(0),
                step.terminated.at(0) ? "yes" : "no", elapsed.count());
    if (step.terminated.at(0) || step.truncated.at(0)) break;
  }
  return rollout;
}

absl::Status Write(const Rollout& rollout, const gwm::client::Spec& spec, const std::string& out) {
  std::error_code error;
  std::filesystem::create_directories(out, error);
  if (error) return absl::NotFoundError("cannot make folder " + out + ": " + error.message());
  const int cell = rollout.imagined.front().width * kStripScale;
  const int height = rollout.imagined.front().height * kStripScale;
  const int rows = rollout.real.empty() ? 1 : 2;
  auto strip = gwm::io::Image::Filled(cell * static_cast<int>(rollout.imagined.size()),
                                      height * rows, 255, 255, 255);
  for (size_t i = 0; i < rollout.imagined.size(); ++i) {
    const int x = cell * static_cast<int>(i);
    if (rows == 2) gwm::io::Paste(gwm::io::Upscale(rollout.real[i], kStripScale), x, 0, strip);
    gwm::io::Paste(gwm::io::Upscale(rollout.imagined[i], kStripScale), x, height * (rows - 1),
                   strip);
  }
  std::ofstream json(out + "/rollout.json");
  json << nlohmann::json{{"model_id", spec.model_id},
                         {"checkpoint_digest", spec.checkpoint_digest},
                         {"steps", rollout.steps}}
              .dump(1)
       << '\n';
  if (!json) return absl::UnavailableError("cannot write " + out + "/rollout.json");
  return gwm::io::WritePng(out + "/strip.png", strip);
}

int Run() {
  std::optional<gwm::io::Episode> episode;
  if (const std::string path = absl::GetFlag(FLAGS_episode); !path.empty()) {
    auto read = gwm::io::ReadEpisode(path);
    const int frame = absl::GetFlag(FLAGS_frame);
    if (read.ok() && (frame < 0 || frame >= read->frames())) {
      read = absl::OutOfRangeError("--frame=" + std::to_string(frame) + "; the episode has " +
                                   std::to_string(read->frames()));
    }
    if (!read.ok()) {
      std::fprintf(stderr, "gwm-step: %s\n", read.status().ToString().c_str());
      return 2;
    }
    episode = *std::move(read);
  }
  Client client(absl::GetFlag(FLAGS_address));
  client.WaitUntilConnected(kConnectTimeout);
  const auto spec = client.GetSpec();
  std::printf("%s on %s, checkpoint %.12s\n", spec.model_id.c_str(), spec.device.c_str(),
              spec.checkpoint_digest.c_str());
  auto session = client.CreateSession({.seed = absl::GetFlag(FLAGS_seed), .observations = {"rgb"}});
  Rollout rollout = Roll(session, episode, spec);
  session.Close();
  std::sort(rollout.step_ms.begin(), rollout.step_ms.end());
  if (!rollout.step_ms.empty()) {
    std::printf("median %.2f ms per step\n", rollout.step_ms[rollout.step_ms.size() / 2]);
  }
  if (const std::string out = absl::GetFlag(FLAGS_out); !out.empty()) {
    if (const auto status = Write(rollout, spec, out); !status.ok()) {
      std::fprintf(stderr, "gwm-step: %s\n", status.ToString().c_str());
      return 2;
    }
    std::printf("wrote %s/strip.png and %s/rollout.json\n", out.c_str(), out.c_str());
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(kUsage);
  absl::FlagsUsageConfig help;
  help.contains_help_flags = [](absl::string_view file) {
    return absl::EndsWith(file, "gwm_step.cc");
  };
  absl::SetFlagsUsageConfig(help);
  if (absl::ParseCommandLine(argc, argv).size() > 1 || absl::GetFlag(FLAGS_steps) < 1) {
    std::fprintf(stderr, "gwm-step: takes flags only, --steps at least 1; see --help\n");
    return 2;
  }
  try {
    return Run();
  } catch (const gwm::client::Error& error) {
    std::fprintf(stderr, "gwm-step: %s\n", error.what());
    return 1;
  }
}
