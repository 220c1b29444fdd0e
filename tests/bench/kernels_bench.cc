// Kernels on one CPU thread beside the plain loops that they replace: BM_<op>/<size> against
// BM_<op>Plain/<size>.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "kernels/fps.h"
#include "kernels/nearest.h"
#include "kernels/noise.h"
#include "kernels/render.h"

namespace gwm::kernels {
namespace {

constexpr int64_t kSamples = 64;
constexpr int kImageSide = 64;
constexpr float kFocalPixels = 80.0F;

std::vector<float> RandomPoints(int64_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> points(static_cast<size_t>(count * 3));
  std::generate(points.begin(), points.end(), [&] { return normal(random); });
  return points;
}

float SquaredDistance(const float* a, const float* b) {
  float sum = 0;
  for (int axis = 0; axis < 3; ++axis) sum += (a[axis] - b[axis]) * (a[axis] - b[axis]);
  return sum;
}

void BM_FarthestPoints(benchmark::State& state) {
  const int64_t count = state.range(0);
  const auto points = RandomPoints(count, 1);
  std::vector<int64_t> indices(kSamples);
  const FpsArgs args{.points = points.data(),
                     .batch = 1,
                     .num_points = count,
                     .num_samples = kSamples,
                     .indices = indices.data()};
  std::vector<float> scratch(static_cast<size_t>(FpsScratchFloats(args)));
  for (auto _ : state) {
    benchmark::DoNotOptimize(FarthestPointSample(args, scratch.data()));
    benchmark::ClobberMemory();
  }
}
BENCHMARK(BM_FarthestPoints)->Arg(4096)->Arg(16384)->Unit(benchmark::kMicrosecond);

void BM_FarthestPointsPlain(benchmark::State& state) {
  const int64_t count = state.range(0);
  const auto points = RandomPoints(count, 1);
  std::vector<float> nearest(static_cast<size_t>(count));
  for (auto _ : state) {
    std::fill(nearest.begin(), nearest.end(), std::numeric_limits<float>::infinity());
    int64_t picked = 0;
    for (int64_t sample = 1; sample < kSamples; ++sample) {
      int64_t farthest = 0;
      for (int64_t i = 0; i < count; ++i) {
        nearest[i] = std::min(nearest[i], SquaredDistance(&points[3 * i], &points[3 * picked]));
        if (nearest[i] > nearest[farthest]) farthest = i;
      }
      picked = farthest;
    }
    benchmark::DoNotOptimize(picked);
  }
}
BENCHMARK(BM_FarthestPointsPlain)->Arg(4096)->Arg(16384)->Unit(benchmark::kMicrosecond);

void BM_Nearest(benchmark::State& state) {
  const int64_t count = state.range(0);
  const auto queries = RandomPoints(count, 1);
  const auto targets = RandomPoints(count, 2);
  std::vector<float> sqdist(static_cast<size_t>(count));
  std::vector<int64_t> index(static_cast<size_t>(count));
  const NearestArgs args{.queries = queries.data(),
                         .targets = targets.data(),
                         .batch = 1,
                         .num_queries = count,
                         .num_targets = count,
                         .sqdist = sqdist.data(),
                         .index = index.data()};
  for (auto _ : state) {
    benchmark::DoNotOptimize(NearestNeighbours(args));
    benchmark::ClobberMemory();
  }
}
BENCHMARK(BM_Nearest)->Arg(1024)->Arg(8192)->Unit(benchmark::kMicrosecond);

void BM_NearestPlain(benchmark::State& state) {
  const int64_t count = state.range(0);
  const auto queries = RandomPoints(count, 1);
  const auto targets = RandomPoints(count, 2);
  for (auto _ : state) {
    for (int64_t i = 0; i < count; ++i) {
      float best = std::numeric_limits<float>::infinity();
      for (int64_t j = 0; j < count; ++j) {
        best = std::min(best, SquaredDistance(&queries[3 * i], &targets[3 * j]));
      }
      benchmark::DoNotOptimize(best);
    }
  }
}
BENCHMARK(BM_NearestPlain)->Arg(1024)->Arg(8192)->Unit(benchmark::kMicrosecond);

void BM_NormalNoise(benchmark::State& state) {
  std::vector<float> out(static_cast<size_t>(state.range(0)));
  for (auto _ : state) {
    benchmark::DoNotOptimize(NormalNoise({.seed = 1}, 0, state.range(0), out.data()));
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_NormalNoise)->Arg(1 << 16)->Unit(benchmark::kMicrosecond);

void BM_NormalNoisePlain(benchmark::State& state) {
  std::vector<float> out(static_cast<size_t>(state.range(0)));
  std::mt19937_64 random(1);
  std::normal_distribution<float> normal;
  for (auto _ : state) {
    std::generate(out.begin(), out.end(), [&] { return normal(random); });
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_NormalNoisePlain)->Arg(1 << 16)->Unit(benchmark::kMicrosecond);

// A ball of small Gaussians, three metres before the camera.
void BM_Render(benchmark::State& state) {
  const int64_t count = state.range(0);
  auto means = RandomPoints(count, 3);
  for (int64_t i = 0; i < count; ++i) means[3 * i + 2] = 3.0F + 0.3F * means[3 * i + 2];
  std::vector<float> quats(static_cast<size_t>(4 * count), 0.5F);
  std::vector<float> scales(static_cast<size_t>(3 * count), 0.02F);
  std::vector<float> opacities(static_cast<size_t>(count), 0.9F);
  std::vector<float> colors(static_cast<size_t>(3 * count), 0.5F);
  const std::vector<float> view = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
  const std::vector<float> intrinsics = {
      kFocalPixels, 0, kImageSide / 2.0F, 0, kFocalPixels, kImageSide / 2.0F, 0, 0, 1};
  constexpr size_t kPixels = size_t{kImageSide} * kImageSide;
  std::vector<float> rgb(3 * kPixels);
  std::vector<float> alpha(kPixels);
  std::vector<float> depth(kPixels);
  const GaussianInputs gaussians{.means = means.data(),
                                 .quats = quats.data(),
                                 .scales = scales.data(),
                                 .opacities = opacities.data(),
                                 .colors = colors.data(),
                                 .num_gaussians = count};
  const CameraInputs cameras{.viewmats = view.data(),
                             .intrinsics = intrinsics.data(),
                             .width = kImageSide,
                             .height = kImageSide};
  const RasterOutputs outputs{.rgb = rgb.data(), .alpha = alpha.data(), .depth = depth.data()};
  RenderScratch scratch;
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        RenderForward(gaussians, cameras, {.eps2d = 0}, nullptr, outputs, &scratch));
    benchmark::ClobberMemory();
  }
}
BENCHMARK(BM_Render)->Arg(4096)->Arg(16384)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace gwm::kernels

BENCHMARK_MAIN();
