#include "kernels/render.h"

namespace gwm::kernels {
namespace {

template <typename T>
void Grow(std::vector<T>* buffer, int64_t size) {
  if (static_cast<int64_t>(buffer->size()) < size) buffer->resize(size);
}

// Hands out consecutive pieces of one buffer.
template <typename T>
struct Pieces {
  T* next;
  T* Take(int64_t count) {
    T* piece = next;
    next += count;
    return piece;
  }
};

constexpr int64_t kSplatFloats = 2 + 1 + 3 + 2 + 1 + 3 + 1;
constexpr int64_t kGradFloats = 2 + 1 + 3 + 3 + 1;

RasterArgs MakeRasterArgs(const GaussianInputs& gaussians, const CameraInputs& cameras,
                          const RenderOptions& options, const float* background,
                          const RenderScratch& scratch) {
  RasterArgs args;
  args.splats = scratch.splats();
  args.num_views = gaussians.num_scenes * cameras.views_per_scene;
  args.num_gaussians = gaussians.num_gaussians;
  args.width = cameras.width;
  args.height = cameras.height;
  args.background = background;
  args.max_alpha = options.max_alpha;
  return args;
}

}  // namespace

void RenderScratch::Resize(int64_t num_views, int64_t num_gaussians, int width, int height) {
  const int64_t splats = num_views * num_gaussians;
  const int64_t pixels = num_views * width * height;
  Grow(&floats_, splats * kSplatFloats + 2 * pixels);
  Grow(&ints_, splats * (2 + 4) + pixels);
  Grow(&offsets_, splats + 1 + num_views * NumTiles(width, height) + 1);
  Grow(&sort_entries_, 2 * splats);
  Pieces<float> floats = {floats_.data()};
  Pieces<int32_t> ints = {ints_.data()};
  splats_.means2d = floats.Take(2 * splats);
  splats_.depths = floats.Take(splats);
  splats_.conics = floats.Take(3 * splats);
  splats_.sigmas = floats.Take(2 * splats);
  splats_.compensations = floats.Take(splats);
  splats_.colors = floats.Take(3 * splats);
  splats_.opacities = floats.Take(splats);
  splats_.radii = ints.Take(2 * splats);
  state_.tile_boxes = ints.Take(4 * splats);
  state_.splat_offsets = offsets_.data();
  state_.tile_offsets = offsets_.data() + splats + 1;
  state_.sort_entries = sort_entries_.data();
  state_.final_transmittance = floats.Take(pixels);
  state_.depth_sum = floats.Take(pixels);
  state_.last_pair = ints.Take(pixels);
}

void RenderScratch::ResizePairs(int64_t pairs) {
  Grow(&pair_splats_, pairs);
  Grow(&pair_slots_, pairs);
  state_.pair_splats = pair_splats_.data();
  state_.pair_slots = pair_slots_.data();
  state_.pair_capacity = pairs;
}

RasterSplatGrads RenderScratch::ResizeGrads(int64_t num_views, int64_t num_gaussians) {
  const int64_t splats = num_views * num_gaussians;
  Grow(&splat_grads_, splats * kGradFloats);
  Grow(&pair_grads_, state_.pair_capacity * kPairGradFloats);
  Pieces<float> floats = {splat_grads_.data()};
  RasterSplatGrads grads;
  grads.means2d = floats.Take(2 * splats);
  grads.depths = floats.Take(splats);
  grads.conics = floats.Take(3 * splats);
  grads.colors = floats.Take(3 * splats);
  grads.opacities = floats.Take(splats);
  return grads;
}

KernelStatus RenderForward(const GaussianInputs& gaussians, const CameraInputs& cameras,
                           const RenderOptions& options, const float* background,
                           const RasterOutputs& out, RenderScratch* scratch,
                           const CpuContext& cpu) {
  if (gaussians.num_scenes < 0 || gaussians.num_gaussians < 0 || cameras.views_per_scene < 0 ||
      cameras.width < 0 || cameras.height < 0) {
    return KernelStatus::kInvalidArgument;
  }
  scratch->Resize(gaussians.num_scenes * cameras.views_per_scene, gaussians.num_gaussians,
                  cameras.width, cameras.height);
  const KernelStatus projected =
      ProjectGaussians(gaussians, cameras, options, scratch->splats(), cpu);
  if (projected != KernelStatus::kOk) return projected;
  const RasterArgs args = MakeRasterArgs(gaussians, cameras, options, background, *scratch);
  scratch->ResizePairs(CountRasterPairs(args, scratch->state(), cpu));
  return RasterForward(args, scratch->state(), out, cpu);
}

// NOLINTNEXTLINE(readability-function-size): the arguments of the forward pass and their gradients.
KernelStatus RenderBackward(const GaussianInputs& gaussians, const CameraInputs& cameras,
                            const RenderOptions& options, const float* background,
                            const RasterOutputGrads& grads, const GaussianGrads& out,
                            float* grad_background, RenderScratch* scratch, const CpuContext& cpu) {
  const RasterArgs args = MakeRasterArgs(gaussians, cameras, options, background, *scratch);
  RasterSplatGrads splat_grads = scratch->ResizeGrads(args.num_views, args.num_gaussians);
  splat_grads.background = grad_background;
  const KernelStatus rastered =
      RasterBackward(args, scratch->state(), grads, scratch->pair_grads(), splat_grads, cpu);
  if (rastered != KernelStatus::kOk) return rastered;
  const SplatGrads incoming = {splat_grads.means2d, splat_grads.depths, splat_grads.conics,
                               splat_grads.colors, splat_grads.opacities};
  return ProjectGaussiansBackward(gaussians, cameras, options, scratch->splats(), incoming, out,
                                  cpu);
}

}  // namespace gwm::kernels
