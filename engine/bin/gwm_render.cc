// gwm-render: pictures of Gaussian files, of episodes and of a checkpoint's imagination.
#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/flags/usage_config.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "engine/base/catch_torch.h"
#include "engine/base/device.h"
#include "engine/base/status.h"
#include "engine/bin/camera_path.h"
#include "engine/bin/render_source.h"
#include "engine/io/image.h"
#include "engine/scene/glb.h"
#include "engine/scene/ply.h"
#include "engine/scene/render.h"
#include "engine/scene/splat.h"

ABSL_FLAG(std::string, ply, "", "what: a 3DGS .ply file");
ABSL_FLAG(std::string, episode, "", "what: an episode file");
ABSL_FLAG(std::string, checkpoint, "",
          "what: a checkpoint's rollout from --episode with its actions");
ABSL_FLAG(int, frame, 0, "first frame of the episode");
ABSL_FLAG(int, frames, 1, "frames of the episode, or states of the rollout");
ABSL_FLAG(int, view, 0, "camera view of the episode");
ABSL_FLAG(
    std::string, out, "",
    "where to: .png (several pictures side by side), .gif, or .ply .splat .glb (first scene)");
ABSL_FLAG(std::vector<std::string>, move, {}, "X,Y,Z: camera offset in m: right, down, forward");
ABSL_FLAG(std::vector<std::string>, eye, {}, "X,Y,Z: camera position in the world, m");
ABSL_FLAG(std::vector<std::string>, target, {},
          "X,Y,Z: point in the world that --eye or --orbit looks at, m");
ABSL_FLAG(int, orbit, 0, "pictures on an arc around the target");
ABSL_FLAG(double, orbit_deg, 0,
          "length of the arc in degrees; 0: 40 for an episode, 360 for a PLY file");
ABSL_FLAG(double, fov_deg, 0,
          "vertical field of view in degrees; 0: the episode's, 50 for a PLY file");
ABSL_FLAG(int, width, 0, "pixels; 0: the episode's, 256 for a PLY file");
ABSL_FLAG(int, height, 0, "pixels; 0: the episode's, 256 for a PLY file");
ABSL_FLAG(int, upscale, 1, "every pixel becomes this many pixels squared");
ABSL_FLAG(std::vector<std::string>, background, {},
          "R,G,B in 0..1; default: the mean colour of the images, black for a PLY file");
ABSL_FLAG(double, eps2d, 0,
          "px^2 of screen-space dilation; 0.3 is usual for PLY files of large photographs");
ABSL_FLAG(int, delay_ms, 0, "GIF: time per picture; 0: as recorded");
ABSL_FLAG(uint64_t, seed, 0, "rollout: noise seed");
ABSL_FLAG(std::string, device, "auto", "rollout: auto, cpu or cuda");

namespace gwm {
namespace {

constexpr char kUsage[] = R"(renders Gaussians to pictures.

  gwm-render --ply=FILE | --episode=FILE [--frame=N --frames=N] | --checkpoint=DIR --episode=FILE --frames=N
             --out=FILE.png|.gif|.ply|.splat|.glb  [camera flags]

Without --out it prints what the first scene holds and what looks wrong in it.
Camera: the episode's own by default; --move shifts it, --eye and --target place it, --orbit swings it.

Examples:
  gwm-render --ply=scene.ply --orbit=36 --out=turn.gif
  gwm-render --ply=scene.ply
  gwm-render --episode=tests/data/episodes/hammer-v3/expert_004.safetensors.zst --frame=30 --move=0.05,0,0 --out=moved.png
  gwm-render --episode=E.safetensors.zst --frames=100 --orbit=50 --width=256 --height=256 --out=swing.gif
  gwm-render --checkpoint=checkpoints/gwm-small --episode=E.safetensors.zst --frame=10 --frames=20 --out=imagined.gif
)";

constexpr int kSheetColumns = 8;

absl::StatusOr<std::vector<double>> Triple(const char* flag,
                                           const std::vector<std::string>& words) {
  std::vector<double> values;
  for (const std::string& word : words) {
    double value = 0;
    if (!absl::SimpleAtod(word, &value)) break;
    values.push_back(value);
  }
  if (values.size() != 3 || words.size() != 3) {
    return absl::InvalidArgumentError(absl::StrCat("--", flag, " wants three numbers: A,B,C"));
  }
  return values;
}

using Point = std::array<double, 3>;

absl::StatusOr<std::optional<Point>> PointFlag(const char* flag,
                                               const std::vector<std::string>& words) {
  if (words.empty()) return std::optional<Point>();
  GWM_ASSIGN_OR_RETURN(const std::vector<double> values, Triple(flag, words));
  return std::make_optional(Point{values[0], values[1], values[2]});
}

absl::StatusOr<RenderSource> OpenSource() {
  const std::string ply = absl::GetFlag(FLAGS_ply), checkpoint = absl::GetFlag(FLAGS_checkpoint);
  const EpisodeRange range{.path = absl::GetFlag(FLAGS_episode),
                           .first = absl::GetFlag(FLAGS_frame),
                           .count = absl::GetFlag(FLAGS_frames),
                           .view = absl::GetFlag(FLAGS_view)};
  if (ply.empty() == range.path.empty()) {
    return absl::InvalidArgumentError("give one of --ply and --episode");
  }
  if (!ply.empty() && !checkpoint.empty()) {
    return absl::InvalidArgumentError("--checkpoint starts from an --episode, not from a --ply");
  }
  if (!ply.empty()) return SourceFromPly(ply);
  if (checkpoint.empty()) return SourceFromEpisode(range);
  return SourceFromRollout(checkpoint, range, absl::GetFlag(FLAGS_device),
                           absl::GetFlag(FLAGS_seed));
}

absl::StatusOr<CameraPathOptions> CameraFlags() {
  CameraPathOptions options;
  GWM_ASSIGN_OR_RETURN(options.eye_m, PointFlag("eye", absl::GetFlag(FLAGS_eye)));
  GWM_ASSIGN_OR_RETURN(options.target_m, PointFlag("target", absl::GetFlag(FLAGS_target)));
  GWM_ASSIGN_OR_RETURN(const auto move, PointFlag("move", absl::GetFlag(FLAGS_move)));
  options.move_m = move.value_or(Point{});
  options.fov_deg = absl::GetFlag(FLAGS_fov_deg);
  options.width = absl::GetFlag(FLAGS_width);
  options.height = absl::GetFlag(FLAGS_height);
  options.orbit = absl::GetFlag(FLAGS_orbit);
  options.orbit_deg = absl::GetFlag(FLAGS_orbit_deg);
  return options;
}

absl::StatusOr<SplatOptions> SplatFlags(const RenderSource& source) {
  SplatOptions options;
  options.eps2d = static_cast<float>(absl::GetFlag(FLAGS_eps2d));
  options.background = source.mean_colour;
  if (const auto words = absl::GetFlag(FLAGS_background); !words.empty()) {
    GWM_ASSIGN_OR_RETURN(const std::vector<double> values, Triple("background", words));
    for (size_t i = 0; i < 3; ++i) options.background[i] = static_cast<float>(values[i]);
  }
  return options;
}

io::Image ToImage(const torch::Tensor& rgb) {
  const torch::Tensor bytes = ToU8(rgb).contiguous();
  io::Image image;
  image.height = static_cast<int>(bytes.size(0));
  image.width = static_cast<int>(bytes.size(1));
  image.pixels.assign(bytes.data_ptr<uint8_t>(), bytes.data_ptr<uint8_t>() + bytes.numel());
  return image;
}

absl::StatusOr<std::vector<io::Image>> RenderPictures(const RenderSource& source) {
  GWM_ASSIGN_OR_RETURN(const CameraPathOptions path, CameraFlags());
  GWM_ASSIGN_OR_RETURN(const std::vector<Camera> cameras, MakeCameraPath(source, path));
  GWM_ASSIGN_OR_RETURN(const SplatOptions options, SplatFlags(source));
  const int upscale = std::clamp(absl::GetFlag(FLAGS_upscale), 1, 16);
  return CatchTorch("render", [&]() -> absl::StatusOr<std::vector<io::Image>> {
    torch::NoGradGuard no_grad;
    std::vector<io::Image> pictures;
    for (size_t i = 0; i < cameras.size(); ++i) {
      const Gaussians& scene = source.scenes[i % source.scenes.size()];
      const RenderResult result = Render(scene, CamerasFrom({&cameras[i], 1}), options);
      pictures.push_back(io::Upscale(ToImage(result.rgb[0]), upscale));
    }
    return pictures;
  });
}

io::Image Sheet(const std::vector<io::Image>& pictures) {
  const int count = static_cast<int>(pictures.size());
  const int columns = std::min(count, kSheetColumns), rows = (count + columns - 1) / columns;
  const int width = pictures[0].width, height = pictures[0].height;
  io::Image sheet = io::Image::Filled(columns * width, rows * height, 255, 255, 255);
  for (int i = 0; i < count; ++i) {
    io::Paste(pictures[static_cast<size_t>(i)], i % columns * width, i / columns * height, sheet);
  }
  return sheet;
}

absl::Status WriteOut(const std::string& out, const RenderSource& source) {
  if (absl::EndsWith(out, ".ply")) return WritePly(out, ToCloud(source.scenes[0]));
  if (absl::EndsWith(out, ".splat")) return WriteSplat(out, ToCloud(source.scenes[0]));
  if (absl::EndsWith(out, ".glb")) return WriteGlb(out, ToCloud(source.scenes[0]));
  const bool gif = absl::EndsWith(out, ".gif");
  if (!gif && !absl::EndsWith(out, ".png")) {
    return absl::InvalidArgumentError(
        absl::StrCat("--out ends in none of .png .gif .ply .splat .glb: ", out));
  }
  GWM_ASSIGN_OR_RETURN(const std::vector<io::Image> pictures, RenderPictures(source));
  if (!gif) return io::WritePng(out, Sheet(pictures));
  const int delay_ms = absl::GetFlag(FLAGS_delay_ms);
  return io::WriteGif(out, pictures,
                      delay_ms > 0 ? delay_ms : static_cast<int>(1000 * source.frame_s));
}

absl::Status Run() {
  const std::string out = absl::GetFlag(FLAGS_out);
  GWM_ASSIGN_OR_RETURN(const RenderSource source, OpenSource());
  if (out.empty()) {
    std::fputs(ToString(InspectCloud(ToCloud(source.scenes[0]))).c_str(), stdout);
    return absl::OkStatus();
  }
  GWM_RETURN_IF_ERROR(WriteOut(out, source));
  std::printf("%s\n", out.c_str());
  return absl::OkStatus();
}

}  // namespace
}  // namespace gwm

int main(int argc, char** argv) {
  gwm::WaitPassively(argv);
  absl::SetProgramUsageMessage(gwm::kUsage);
  absl::FlagsUsageConfig help;
  // --help lists this program's flags; by default the file would have to be named like the program.
  help.contains_help_flags = [](absl::string_view file) {
    return absl::EndsWith(file, "gwm_render.cc");
  };
  absl::SetFlagsUsageConfig(help);
  const auto words = absl::ParseCommandLine(argc, argv);
  if (argc == 1 || words.size() > 1) {
    std::fprintf(stderr, "gwm-render %s", gwm::kUsage);
    return 2;
  }
  const absl::Status status = gwm::Run();
  if (status.ok()) return 0;
  std::fprintf(stderr, "gwm-render: %s\n", std::string(status.message()).c_str());
  return 1;
}
