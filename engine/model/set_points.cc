#include "engine/model/set_points.h"

#include "engine/base/gpu_stream.h"
#include "engine/model/layers.h"
#include "engine/scene/camera.h"
#include "kernels/fps.h"
#include "kernels/nearest.h"

namespace gwm {
namespace {

constexpr int64_t kPlaceBands = 6;     // of the position
constexpr int64_t kRelativeBands = 4;  // of the place within the token
constexpr double kDepthShareM = 0.25;  // weight of the inverse distance beside the direction

// One value per Gaussian of what belongs to its view. x: [B, V, ...] -> [B, V * pixels, ...]
torch::Tensor PerGaussian(const torch::Tensor& x, const SceneBatch& scene) {
  return x.repeat_interleave(scene.height * scene.width, 1);
}

}  // namespace

torch::Tensor NetworkPositions(const torch::Tensor& p) { return ContractPositions(p * 0.5); }

torch::Tensor SightPositions(const torch::Tensor& points, const SceneBatch& scene) {
  const auto eye = scene.world_from_cam.slice(-2, 0, 3).select(-1, 3).mean(1, /*keepdim=*/true);
  const auto axes = scene.world_from_cam.select(1, 0).slice(-2, 0, 3).slice(-1, 0, 3);  // [B, 3, 3]
  const auto offset = torch::matmul(points - eye, axes);
  const auto inverse = offset.norm(2, -1, /*keepdim=*/true).clamp_min(0.05).reciprocal();
  return offset * inverse * (1.0 + kDepthShareM * inverse);
}

torch::Tensor PointFeatures(const Gaussians& g) {
  auto sign = torch::where(g.quats.slice(-1, 0, 1) < 0, -1.0, 1.0);
  return torch::cat({NetworkPositions(g.means), g.log_scales * 0.25, g.quats * sign,
                     g.sh.select(-2, 0), g.opacity_logits.unsqueeze(-1) * 0.25},
                    -1);
}

torch::Tensor GatherPoints(const torch::Tensor& x, const torch::Tensor& index) {
  return x.gather(1, index.unsqueeze(-1).expand({-1, -1, x.size(-1)}));
}

SceneNews News(const SceneBatch& scene, const SceneBatch& reset) {
  torch::NoGradGuard no_grad;
  const Cameras cameras{reset.intrinsics, reset.world_from_cam, reset.height, reset.width};
  const auto seen = Project(scene.gaussians.means, cameras);
  const auto column = seen.uv.select(-1, 0), row = seen.uv.select(-1, 1);  // [B, V, N]
  auto inside = (seen.depth > 0) & (column >= 0) & (column < static_cast<double>(reset.width)) &
                (row >= 0) & (row < static_cast<double>(reset.height));
  // A pixel's own Gaussian lies at its centre; in other views it lies anywhere.
  auto off_centre = (column.frac() - 0.5).abs() + (row.frac() - 0.5).abs();
  auto view = torch::where(inside, off_centre, 2.0).argmin(1, /*keepdim=*/true);  // [B, 1, N]
  const auto own = [&](const torch::Tensor& x) { return x.gather(1, view).squeeze(1); };
  auto pixel =
      ((view.squeeze(1) * reset.height + own(row).clamp(0, reset.height - 1).to(torch::kLong)) *
           reset.width +
       own(column).clamp(0, reset.width - 1).to(torch::kLong));
  auto known = own(inside).unsqueeze(-1);
  auto colour = scene.gaussians.rgb0() - GatherPoints(reset.gaussians.rgb0(), pixel);
  auto depth = own(seen.depth).clamp_min(0.02).reciprocal().unsqueeze(-1) -
               GatherPoints(SightOf(reset).inverse_depth, pixel);
  auto change = torch::cat({colour, depth}, -1) * known;
  auto novelty = 1.0 - torch::exp(-100.0 * change.square().sum(-1, /*keepdim=*/true));
  return {torch::cat({change, torch::where(known, novelty, 1.0)}, -1),
          torch::where(known.squeeze(-1), pixel, -1)};
}

Sight SightOf(const SceneBatch& scene) {
  const auto pose = PerGaussian(scene.world_from_cam.slice(-2, 0, 3), scene);  // [B, N, 3, 4]
  auto ray = scene.gaussians.means - pose.select(-1, 3);
  return {ray, (ray * pose.select(-1, 2)).sum(-1, /*keepdim=*/true).reciprocal()};
}

torch::Tensor RelativeFeatures(const torch::Tensor& offset, const torch::Tensor& radii) {
  return FourierFeatures(offset / radii * 0.5, kRelativeBands);
}

torch::Tensor Places(const SceneBatch& scene, const Sight& sight, const torch::Tensor& centres,
                     const torch::Tensor& radii) {
  return torch::cat(
      {FourierFeatures(NetworkPositions(scene.gaussians.means), kPlaceBands),
       RelativeFeatures(scene.gaussians.means - centres, radii), sight.ray * sight.inverse_depth,
       sight.inverse_depth, 2.0 * scene.gaussians.rgb0() - 1.0},
      -1);
}

torch::Tensor SampleFarthest(const torch::Tensor& points, int64_t count) {
  const auto clouds = points.detach().to(KernelDevice(points.device())).contiguous();
  auto index = torch::empty({clouds.size(0), count}, clouds.options().dtype(torch::kLong));
  kernels::FpsArgs args;
  args.points = clouds.const_data_ptr<float>();
  args.batch = clouds.size(0);
  args.num_points = clouds.size(1);
  args.dims = clouds.size(2);
  args.num_samples = count;
  args.indices = index.mutable_data_ptr<int64_t>();
  auto scratch = torch::empty({kernels::FpsScratchFloats(args)}, clouds.options());
  auto* floats = scratch.mutable_data_ptr<float>();
  CheckKernel(clouds.is_cuda() ? kernels::FarthestPointSampleCuda(args, floats,
                                                                  CurrentGpuStream(clouds.device()))
                               : kernels::FarthestPointSample(args, floats),
              "farthest point sampling");
  return index.to(points.device());
}

Neighbours NearestOf(const torch::Tensor& queries, const torch::Tensor& targets) {
  const auto where = KernelDevice(queries.device());
  const auto q = queries.detach().to(where).contiguous();
  const auto t = targets.detach().to(where).contiguous();
  const Neighbours out{torch::empty({q.size(0), q.size(1)}, q.options()),
                       torch::empty({q.size(0), q.size(1)}, q.options().dtype(torch::kLong))};
  kernels::NearestArgs args;
  args.queries = q.const_data_ptr<float>();
  args.targets = t.const_data_ptr<float>();
  args.batch = q.size(0);
  args.num_queries = q.size(1);
  args.num_targets = t.size(1);
  args.dims = q.size(2);
  args.sqdist = out.sqdist.mutable_data_ptr<float>();
  args.index = out.index.mutable_data_ptr<int64_t>();
  CheckKernel(q.is_cuda() ? kernels::NearestNeighboursCuda(args, CurrentGpuStream(q.device()))
                          : kernels::NearestNeighbours(args),
              "nearest neighbours");
  return {out.sqdist.to(queries.device()), out.index.to(queries.device())};
}

torch::Tensor MeanByOwner(const torch::Tensor& x, const torch::Tensor& owner, int64_t owners) {
  auto index = owner.unsqueeze(-1).expand({-1, -1, x.size(-1)});
  auto sum = torch::zeros({x.size(0), owners, x.size(-1)}, x.options()).scatter_add(1, index, x);
  auto count = torch::zeros({x.size(0), owners}, x.options())
                   .scatter_add(1, owner, torch::ones_like(owner, x.options()));
  return sum / count.clamp_min(1).unsqueeze(-1);
}

}  // namespace gwm
