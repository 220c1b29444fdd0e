// Host side only: the layout of the workspace and the order of the calls.
#include "kernels/render_cuda.h"

namespace gwm::kernels {
namespace {

constexpr int64_t kPieceBytes = 256;

// Hands out consecutive pieces of one block of memory; counts them when there is none.
class Pieces {
 public:
  explicit Pieces(void* memory) : memory_(static_cast<char*>(memory)) {}
  template <typename T>
  void Take(int64_t count, T** piece) {
    *piece = memory_ ? reinterpret_cast<T*>(memory_ + bytes_) : nullptr;
    bytes_ +=
        (count * static_cast<int64_t>(sizeof(T)) + kPieceBytes - 1) / kPieceBytes * kPieceBytes;
  }
  int64_t bytes() const { return bytes_; }

 private:
  char* memory_;
  int64_t bytes_ = 0;
};

void TakeSplats(int64_t splats, Pieces* pieces, Splats* out) {
  pieces->Take(2 * splats, &out->means2d);
  pieces->Take(splats, &out->depths);
  pieces->Take(3 * splats, &out->conics);
  pieces->Take(2 * splats, &out->sigmas);
  pieces->Take(splats, &out->compensations);
  pieces->Take(3 * splats, &out->colors);
  pieces->Take(splats, &out->opacities);
  pieces->Take(2 * splats, &out->radii);
}

void TakeState(const RenderCudaSizes& sizes, Pieces* pieces, RasterCudaState* out) {
  const int64_t v = sizes.num_views, n = sizes.num_gaussians, c = sizes.pair_capacity;
  const int64_t tiles = NumTiles(sizes.width, sizes.height);
  const int64_t pixels = v * sizes.width * sizes.height;
  out->pair_capacity = c;
  pieces->Take(4 * v * n, &out->tile_boxes);
  pieces->Take(v * (n + 1), &out->splat_offsets);
  pieces->Take(2 * v * n, &out->sort_entries);
  pieces->Take(v * n, &out->order);
  pieces->Take(v * (n + 1), &out->order_offsets);
  pieces->Take(v, &out->num_ordered);
  pieces->Take(v * NumPairChunks(c) * tiles, &out->chunk_counts);
  pieces->Take(v * (tiles + 1), &out->tile_offsets);
  pieces->Take(v * c, &out->pair_splats);
  pieces->Take(v * c, &out->pair_slots);
  pieces->Take(v, &out->pairs_needed);
  pieces->Take(pixels, &out->final_transmittance);
  pieces->Take(pixels, &out->last_pair);
  pieces->Take(pixels, &out->depth_sum);
}

void TakeGrads(const RenderCudaSizes& sizes, Pieces* pieces, RenderCudaWorkspace* out) {
  const int64_t splats = sizes.num_views * sizes.num_gaussians;
  pieces->Take(2 * splats, &out->splat_grads.means2d);
  pieces->Take(splats, &out->splat_grads.depths);
  pieces->Take(3 * splats, &out->splat_grads.conics);
  pieces->Take(3 * splats, &out->splat_grads.colors);
  pieces->Take(splats, &out->splat_grads.opacities);
  pieces->Take(sizes.num_views * sizes.pair_capacity * kPairGradFloats, &out->pair_grads);
}

RenderCudaWorkspace LayOut(const RenderCudaSizes& sizes, Pieces* pieces) {
  RenderCudaWorkspace workspace;
  workspace.sizes = sizes;
  TakeSplats(sizes.num_views * sizes.num_gaussians, pieces, &workspace.splats);
  TakeState(sizes, pieces, &workspace.state);
  if (sizes.backward) TakeGrads(sizes, pieces, &workspace);
  return workspace;
}

bool Fits(const GaussianInputs& gaussians, const CameraInputs& cameras,
          const RenderCudaSizes& sizes) {
  return gaussians.num_scenes * cameras.views_per_scene == sizes.num_views &&
         gaussians.num_gaussians == sizes.num_gaussians && cameras.width == sizes.width &&
         cameras.height == sizes.height;
}

RasterArgs MakeRasterArgs(const RenderCudaWorkspace& workspace, const RenderOptions& options,
                          const float* background) {
  RasterArgs args;
  args.splats = workspace.splats;
  args.num_views = workspace.sizes.num_views;
  args.num_gaussians = workspace.sizes.num_gaussians;
  args.width = workspace.sizes.width;
  args.height = workspace.sizes.height;
  args.background = background;
  args.max_alpha = options.max_alpha;
  return args;
}

}  // namespace

int64_t RenderCudaBytes(const RenderCudaSizes& sizes) {
  if (sizes.num_views < 0 || sizes.num_gaussians < 0 || sizes.width < 0 || sizes.height < 0 ||
      sizes.pair_capacity < 0 || sizes.pair_capacity > kMaxPairCapacity) {
    return -1;
  }
  Pieces pieces(nullptr);
  LayOut(sizes, &pieces);
  return pieces.bytes();
}

RenderCudaWorkspace LayOutRenderWorkspace(const RenderCudaSizes& sizes, void* memory) {
  Pieces pieces(memory);
  return LayOut(sizes, &pieces);
}

KernelStatus RenderForwardCuda(const GaussianInputs& gaussians, const CameraInputs& cameras,
                               const RenderOptions& options, const float* background,
                               const RasterOutputs& out, const RenderCudaWorkspace& workspace,
                               GpuStream stream) {
  if (!Fits(gaussians, cameras, workspace.sizes)) return KernelStatus::kInvalidArgument;
  const KernelStatus projected =
      ProjectGaussiansCuda(gaussians, cameras, options, workspace.splats, stream);
  if (projected != KernelStatus::kOk) return projected;
  return RasterForwardCuda(MakeRasterArgs(workspace, options, background), workspace.state, out,
                           stream);
}

// NOLINTNEXTLINE(readability-function-size): the arguments of the forward pass and their gradients.
KernelStatus RenderBackwardCuda(const GaussianInputs& gaussians, const CameraInputs& cameras,
                                const RenderOptions& options, const float* background,
                                const RasterOutputGrads& grads, const GaussianGrads& out,
                                float* grad_background, const RenderCudaWorkspace& workspace,
                                GpuStream stream) {
  if (!Fits(gaussians, cameras, workspace.sizes) || !workspace.sizes.backward) {
    return KernelStatus::kInvalidArgument;
  }
  RasterSplatGrads splat_grads = workspace.splat_grads;
  splat_grads.background = grad_background;
  const KernelStatus rastered =
      RasterBackwardCuda(MakeRasterArgs(workspace, options, background), workspace.state, grads,
                         workspace.pair_grads, splat_grads, stream);
  if (rastered != KernelStatus::kOk) return rastered;
  const SplatGrads incoming = {splat_grads.means2d, splat_grads.depths, splat_grads.conics,
                               splat_grads.colors, splat_grads.opacities};
  return ProjectGaussiansBackwardCuda(gaussians, cameras, options, workspace.splats, incoming, out,
                                      stream);
}

}  // namespace gwm::kernels
