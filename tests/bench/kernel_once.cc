// Runs one CPU kernel once on fixed inputs, on one thread at the AVX2 level (what valgrind knows):
// check_instructions.py counts the instructions of the GwmBench... function named by the kernel.
//
//   kernel_once fps|nearest|nearest_boxes|nearest_backward|render|render_backward|norm_modulate
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/bench/kernels_c_api.h"

namespace {

constexpr int kAvx2 = 1;
constexpr int kSide = 128;  // pixels
constexpr float kDistanceM = 2;

// Uniform in [low, high), the same on every machine.
std::vector<float> Uniform(int64_t count, float low, float high) {
  static uint64_t state = 1;
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    value = low + (high - low) * static_cast<float>(state >> 40) / static_cast<float>(1 << 24);
  }
  return values;
}

void Fps(GwmBenchContext* context) {
  constexpr int64_t kPoints = 4096, kSamples = 128;
  const auto points = Uniform(3 * kPoints, 0, 1);
  std::vector<int64_t> indices(kSamples);
  GwmBenchFps(context, points.data(), kPoints, kSamples, indices.data());
}

void Nearest(GwmBenchContext* context, int64_t n) {
  const auto a = Uniform(3 * n, 0, 1), b = Uniform(3 * n, 0, 1);
  std::vector<float> squares(static_cast<size_t>(n));
  std::vector<int64_t> index(static_cast<size_t>(n));
  GwmBenchNearest(context, a.data(), b.data(), 1, n, n, squares.data(), index.data());
  std::vector<float> grad(static_cast<size_t>(n), 1), into_a(a.size()), into_b(b.size());
  GwmBenchNearestBackward(context, a.data(), b.data(), index.data(), grad.data(), 1, n, n,
                          into_a.data(), into_b.data());
}

void Render(GwmBenchContext* context) {
  constexpr int64_t kGaussians = 4096;
  auto means = Uniform(3 * kGaussians, -1, 1);
  const auto quats = Uniform(4 * kGaussians, 0.1F, 1);
  const auto scales = Uniform(3 * kGaussians, 0.01F, 0.03F);
  const auto opacities = Uniform(kGaussians, 0.1F, 0.9F);
  const auto colors = Uniform(3 * kGaussians, 0, 1);
  const std::vector<float> view = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, kDistanceM, 0, 0, 0, 1};
  const std::vector<float> intrinsics = {kSide, 0, kSide / 2.0F, 0, kSide, kSide / 2.0F, 0, 0, 1};
  const GwmBenchScene scene = {.means = means.data(),
                               .quats = quats.data(),
                               .scales = scales.data(),
                               .opacities = opacities.data(),
                               .colors = colors.data(),
                               .viewmat = view.data(),
                               .intrinsics = intrinsics.data(),
                               .gaussians = kGaussians,
                               .width = kSide,
                               .height = kSide};
  constexpr size_t kPixels = size_t{kSide} * kSide;
  std::vector<float> rgb(3 * kPixels), alpha(kPixels), depth(kPixels);
  GwmBenchRender(context, &scene, rgb.data(), alpha.data(), depth.data());
  std::vector<float> grad(3 * kPixels, 1), g_means(means.size()), g_quats(quats.size()),
      g_scales(scales.size()), g_opacities(opacities.size()), g_colors(colors.size());
  const GwmBenchSceneGrads out = {g_means.data(), g_quats.data(), g_scales.data(),
                                  g_opacities.data(), g_colors.data()};
  GwmBenchRenderBackward(context, &scene, grad.data(), &out);
}

void Norm(GwmBenchContext* context) {
  constexpr int64_t kRows = 512, kWidth = 384;
  const auto x = Uniform(kRows * kWidth, -1, 1), branch = Uniform(kRows * kWidth, -1, 1);
  const auto gate = Uniform(kWidth, 0, 1);
  std::vector<float> residual(x.size()), out(x.size());
  const GwmBenchNorm norm = {.x = x.data(),
                             .branch = branch.data(),
                             .gate = gate.data(),
                             .weight = gate.data(),
                             .scale = gate.data(),
                             .shift = gate.data(),
                             .rows = kRows,
                             .width = kWidth,
                             .residual = residual.data(),
                             .out = out.data()};
  GwmBenchNormModulate(context, &norm);
}

}  // namespace

int main(int argc, char** argv) {
  constexpr int64_t kBrutePoints = 1024, kTreePoints = 8192;
  const std::map<std::string, std::function<void(GwmBenchContext*)>> kernels = {
      {"fps", Fps},
      {"nearest", [](GwmBenchContext* context) { Nearest(context, kBrutePoints); }},
      {"nearest_boxes", [](GwmBenchContext* context) { Nearest(context, kTreePoints); }},
      {"nearest_backward", [](GwmBenchContext* context) { Nearest(context, kBrutePoints); }},
      {"render", Render},
      {"render_backward", Render},
      {"norm_modulate", Norm}};
  const auto kernel = kernels.find(argc == 2 ? argv[1] : "");
  GwmBenchContext* context = GwmBenchOpen(1, kAvx2);
  if (kernel == kernels.end() || context == nullptr) {
    std::fputs("kernel_once NAME: unknown kernel, or no AVX2 here\n", stderr);
    return 2;
  }
  kernel->second(context);
  GwmBenchClose(context);
  return 0;
}
