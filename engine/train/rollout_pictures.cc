#include "engine/train/rollout_pictures.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/base/status.h"
#include "engine/io/file.h"
#include "engine/io/image.h"
#include "engine/perception/rgbd.h"
#include "engine/scene/image_metrics.h"
#include "engine/train/contact_sheet.h"
#include "engine/train/rollout.h"

namespace gwm {
namespace {

constexpr int kZoom = 2;
constexpr int kGap = 6;
constexpr int kCaption = 18;
constexpr int kFrameMs = 150;
constexpr double kErrorGain = 4;
constexpr uint8_t kBlack[3] = {0, 0, 0};

// real, imagined: f32 [H, W, 3].
io::Image DrawStep(const torch::Tensor& real, const torch::Tensor& imagined,
                   const std::string& caption) {
  const auto error = ((imagined - real).abs() * kErrorGain).clamp(0, 1);
  const int width = static_cast<int>(real.size(1)) * kZoom;
  const int height = static_cast<int>(real.size(0)) * kZoom;
  auto frame = io::Image::Filled(3 * width + 2 * kGap, height + kCaption, 255, 255, 255);
  io::DrawText(caption, 4, 4, 1, kBlack, frame);
  int x = 0;
  for (const auto& image : {real, imagined, error}) {
    io::Paste(io::Upscale(ToImage(image), kZoom), x, kCaption, frame);
    x += width + kGap;
  }
  return frame;
}

std::vector<io::Image> DrawRollout(const WorldModel& model, const Dataset& data,
                                   const ScoredStart& chosen, const EvaluateOptions& options) {
  const auto& e = data.episodes[chosen.episode];
  const auto first = torch::full({1}, chosen.start, torch::kLong);
  const auto start =
      StartFromEpisode(model, data, chosen.episode, first, model.config.dynamics.context_frames);
  const auto steps = Rollout(model, start, ActionsAfter(e, first, chosen.steps),
                             {.calls = options.CallsFor(model),
                              .seed = options.seed,
                              .episode = static_cast<uint32_t>(chosen.episode)});
  std::vector<io::Image> frames;
  for (size_t h = 0; h < steps.size(); ++h) {
    const auto imagined = RenderLatents(model, steps[h].latents, start.anchors).rgb[0][0];
    const int64_t at = chosen.start + static_cast<int64_t>(h) + 1;
    const auto real = RgbInUnit(e.rgb[at][0]);
    const double psnr = PsnrOf((imagined - real).square().mean().item<double>());
    frames.push_back(DrawStep(real, imagined,
                              absl::StrFormat("%s %s  step %d: real | imagined %.1f dB | error x%g",
                                              chosen.task, e.kind, h + 1, psnr, kErrorGain)));
  }
  return frames;
}

}  // namespace

absl::Status WriteRolloutPictures(const WorldModel& model, const Dataset& data,
                                  const std::vector<ScoredStart>& scored,
                                  const EvaluateOptions& options, const std::string& folder) {
  std::map<std::string, std::vector<ScoredStart>> tasks;
  for (const auto& start : scored) tasks[start.task].push_back(start);
  GWM_RETURN_IF_ERROR(io::MakeDirectories(folder));
  for (auto& [task, starts] : tasks) {
    std::stable_sort(starts.begin(), starts.end(), [](const auto& a, const auto& b) {
      return a.squared_error < b.squared_error;
    });
    const std::pair<const char*, ScoredStart> choices[] = {{"median", starts[starts.size() / 2]},
                                                           {"worst", starts.back()}};
    for (const auto& [name, chosen] : choices) {
      const auto frames = DrawRollout(model, data, chosen, options);
      GWM_RETURN_IF_ERROR(
          io::WriteGif(absl::StrCat(folder, "/", task, "-", name, ".gif"), frames, kFrameMs));
    }
  }
  return absl::OkStatus();
}

}  // namespace gwm
