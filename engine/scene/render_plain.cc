// The renderer in plain Torch: projection and compositing as in kernels/project.h and
// kernels/raster.h, written for reading.
#include <cmath>
#include <vector>

#include "engine/base/shape.h"
#include "engine/scene/gaussian_ops.h"
#include "engine/scene/render.h"

namespace gwm {
namespace {

constexpr int64_t kTile = 16;                  // pixels; bounds the memory of one step
constexpr double kAlphaThreshold = 1.0 / 255;  // fainter splats are skipped
constexpr double kStopTransmittance = 1e-4;    // the splat that would go below is not drawn
constexpr double kRadiusSigmas = 3.33;         // sqrt(2 ln 255): alpha is below 1/255 further out

// The Gaussians that one camera sees, nearest first: n <= N.
struct ScreenSplats {
  torch::Tensor means2d;    // [n, 2] px
  torch::Tensor conics;     // [n, 3] px^-2: xx, xy, yy of the inverse covariance
  torch::Tensor opacities;  // [n]
  torch::Tensor colours;    // [n, 3]
  torch::Tensor depths;     // [n] m
  torch::Tensor radii;      // [n, 2] px, no gradient
};

// x / z limited to 1.3 times the field of view, where the linearised projection still makes sense.
torch::Tensor ClampToFrustum(const torch::Tensor& slope, double principal, double focal,
                             double pixels) {
  const double margin = 0.15 * pixels / focal;
  return slope.clamp(-(principal / focal + margin), (pixels - principal) / focal + margin);
}

struct Covariance2d {
  torch::Tensor xx, xy, yy;    // [n] px^2, dilated by eps2d
  torch::Tensor compensation;  // [n] factor on the opacity
};

// EWA: J W Sigma W^T J^T with the Jacobian J of the projection at the mean.
Covariance2d ProjectCovariance(const torch::Tensor& cov_world, const torch::Tensor& p_cam,
                               const torch::Tensor& rotation, const torch::Tensor& k,
                               const Cameras& cameras, const SplatOptions& options) {
  const double fx = k[0][0].item<double>(), fy = k[1][1].item<double>();
  const torch::Tensor z = p_cam.select(-1, 2);
  const torch::Tensor x =
      z * ClampToFrustum(p_cam.select(-1, 0) / z, k[0][2].item<double>(), fx, cameras.width);
  const torch::Tensor y =
      z * ClampToFrustum(p_cam.select(-1, 1) / z, k[1][2].item<double>(), fy, cameras.height);
  const torch::Tensor zero = torch::zeros_like(z);
  const torch::Tensor jacobian = torch::stack({torch::stack({fx / z, zero, -fx * x / (z * z)}, -1),
                                               torch::stack({zero, fy / z, -fy * y / (z * z)}, -1)},
                                              -2);
  const torch::Tensor map = torch::matmul(jacobian, rotation);
  const torch::Tensor cov = torch::matmul(torch::matmul(map, cov_world), map.transpose(-1, -2));
  const auto entry = [&](int64_t i, int64_t j) { return cov.select(-2, i).select(-1, j); };
  const torch::Tensor xx = entry(0, 0) + options.eps2d, yy = entry(1, 1) + options.eps2d;
  const torch::Tensor xy = entry(0, 1);
  torch::Tensor compensation = torch::ones_like(z);
  if (options.antialiased) {
    const torch::Tensor before = entry(0, 0) * entry(1, 1) - xy * xy;
    compensation = (before / (xx * yy - xy * xy)).clamp_min(0).sqrt();
  }
  return {xx, xy, yy, compensation};
}

// Of those listed: in front of the camera, not degenerate and touching the image.
torch::Tensor Visible(const Covariance2d& cov, const torch::Tensor& uv, const torch::Tensor& radii,
                      const Cameras& cameras) {
  const torch::Tensor u = uv.select(-1, 0), v = uv.select(-1, 1);
  const torch::Tensor ru = radii.select(-1, 0), rv = radii.select(-1, 1);
  return (cov.xx * cov.yy - cov.xy * cov.xy > 0)
      .logical_and(u + ru > 0)
      .logical_and(u - ru < static_cast<double>(cameras.width))
      .logical_and(v + rv > 0)
      .logical_and(v - rv < static_cast<double>(cameras.height));
}

ScreenSplats Select(const ScreenSplats& splats, const torch::Tensor& indices) {
  const auto pick = [&](const torch::Tensor& x) { return x.index_select(0, indices); };
  return {pick(splats.means2d), pick(splats.conics), pick(splats.opacities),
          pick(splats.colours), pick(splats.depths), pick(splats.radii)};
}

// One camera, V = 1.
ScreenSplats ProjectGaussians(const Gaussians& all, const Cameras& camera,
                              const SplatOptions& options) {
  const torch::Tensor depth_all = Project(all.means.detach(), camera).depth[0];
  const Gaussians g = all.Index(
      (depth_all >= options.near_m).logical_and(depth_all <= options.far_m).nonzero().squeeze(1));
  const Projection projection = Project(g.means, camera);
  const torch::Tensor depth = projection.depth[0], uv = projection.uv[0];
  const torch::Tensor pose = camera.cam_from_world()[0];
  const torch::Tensor rotation = pose.slice(0, 0, 3).slice(1, 0, 3);
  const torch::Tensor p_cam =
      torch::matmul(g.means, rotation.t()) + pose.slice(0, 0, 3).select(1, 3);
  const Covariance2d cov = ProjectCovariance(CovarianceFrom(g.quats, g.scales()), p_cam, rotation,
                                             camera.intrinsics[0], camera, options);
  const torch::Tensor determinant = cov.xx * cov.yy - cov.xy * cov.xy;
  const torch::Tensor radii =
      (kRadiusSigmas * torch::stack({cov.xx, cov.yy}, -1).detach().clamp_min(0).sqrt()).ceil();
  const torch::Tensor eye = camera.world_from_cam[0].slice(0, 0, 3).select(1, 3);
  const ScreenSplats splats = {
      uv,
      torch::stack({cov.yy / determinant, -cov.xy / determinant, cov.xx / determinant}, -1),
      g.opacities() * cov.compensation,
      (ShValue(g.sh, g.means - eye) + 0.5).clamp_min(0),
      depth,
      radii};
  const ScreenSplats seen = Select(splats, Visible(cov, uv, radii, camera).nonzero().squeeze(1));
  return Select(seen, std::get<1>(seen.depths.detach().sort(/*stable=*/true, 0, false)));
}

struct TileImage {
  torch::Tensor rgb;    // [h, w, 3]
  torch::Tensor depth;  // [h, w]
  torch::Tensor alpha;  // [h, w]
};

// Front-to-back compositing of a rectangle of pixels.
TileImage CompositeTile(const ScreenSplats& splats, int64_t row, int64_t column, int64_t height,
                        int64_t width, const torch::Tensor& background,
                        const SplatOptions& options) {
  const auto float_options = splats.means2d.options().requires_grad(false);
  const torch::Tensor u = torch::arange(column, column + width, float_options) + 0.5;
  const torch::Tensor v = torch::arange(row, row + height, float_options) + 0.5;
  const torch::Tensor dx = u.view({1, width, 1}) - splats.means2d.select(1, 0);   // [1, w, n]
  const torch::Tensor dy = v.view({height, 1, 1}) - splats.means2d.select(1, 1);  // [h, 1, n]
  const torch::Tensor sigma =
      0.5 * (splats.conics.select(1, 0) * dx * dx + splats.conics.select(1, 2) * dy * dy) +
      splats.conics.select(1, 1) * dx * dy;
  const torch::Tensor raw = (splats.opacities * torch::exp(-sigma)).clamp_max(options.max_alpha);
  const torch::Tensor drawn = (raw >= kAlphaThreshold).logical_and(sigma >= 0);
  const torch::Tensor alpha = torch::where(drawn, raw, torch::zeros_like(raw));
  // Transmittance behind each splat; once below the threshold it stays there, so the mask cuts a
  // tail off.
  const torch::Tensor behind = torch::cumprod(1 - alpha, -1);
  const torch::Tensor kept =
      torch::where(behind > kStopTransmittance, alpha, torch::zeros_like(alpha));
  const torch::Tensor in_front =
      torch::cat({torch::ones_like(behind.slice(-1, 0, 1)), behind.slice(-1, 0, -1)}, -1);
  const torch::Tensor weights = kept * in_front;  // [h, w, n]
  const torch::Tensor transmittance = (1 - kept).prod(-1);
  const torch::Tensor covered = 1 - transmittance;
  const torch::Tensor rgb =
      torch::matmul(weights, splats.colours) + transmittance.unsqueeze(-1) * background;
  const torch::Tensor depth = (weights * splats.depths).sum(-1) / covered.clamp_min(1e-10);
  return {rgb, depth, covered};
}

ScreenSplats TouchingTile(const ScreenSplats& splats, int64_t row, int64_t column, int64_t height,
                          int64_t width) {
  const torch::Tensor u = splats.means2d.detach().select(1, 0), ru = splats.radii.select(1, 0);
  const torch::Tensor v = splats.means2d.detach().select(1, 1), rv = splats.radii.select(1, 1);
  const torch::Tensor touches = (u + ru >= static_cast<double>(column))
                                    .logical_and(u - ru <= static_cast<double>(column + width))
                                    .logical_and(v + rv >= static_cast<double>(row))
                                    .logical_and(v - rv <= static_cast<double>(row + height));
  return Select(splats, touches.nonzero().squeeze(1));
}

TileImage EmptyTile(int64_t height, int64_t width, const torch::Tensor& background) {
  return {background.expand({height, width, 3}),
          torch::zeros({height, width}, background.options()),
          torch::zeros({height, width}, background.options())};
}

TileImage RenderView(const Gaussians& gaussians, const Cameras& camera,
                     const SplatOptions& options) {
  const ScreenSplats splats = ProjectGaussians(gaussians, camera, options);
  const torch::Tensor background =
      options.backgrounds.defined()
          ? options.backgrounds[0]
          : torch::tensor({options.background[0], options.background[1], options.background[2]})
                .to(gaussians.device());
  std::vector<torch::Tensor> rgb_rows, depth_rows, alpha_rows;
  for (int64_t row = 0; row < camera.height; row += kTile) {
    std::vector<torch::Tensor> rgb, depth, alpha;
    const int64_t height = std::min(kTile, camera.height - row);
    for (int64_t column = 0; column < camera.width; column += kTile) {
      const int64_t width = std::min(kTile, camera.width - column);
      const ScreenSplats touching = TouchingTile(splats, row, column, height, width);
      const TileImage tile =
          touching.depths.size(0) == 0
              ? EmptyTile(height, width, background)
              : CompositeTile(touching, row, column, height, width, background, options);
      rgb.push_back(tile.rgb);
      depth.push_back(tile.depth);
      alpha.push_back(tile.alpha);
    }
    rgb_rows.push_back(torch::cat(rgb, 1));
    depth_rows.push_back(torch::cat(depth, 1));
    alpha_rows.push_back(torch::cat(alpha, 1));
  }
  return {torch::cat(rgb_rows, 0), torch::cat(depth_rows, 0), torch::cat(alpha_rows, 0)};
}

}  // namespace

RenderResult RenderPlain(const Gaussians& gaussians, const Cameras& cameras,
                         const SplatOptions& options) {
  gaussians.Check();
  cameras.Check();
  CheckShape(gaussians.means, {kAny, 3}, "means");
  CheckShape(cameras.intrinsics, {kAny, 3, 3}, "intrinsics");
  std::vector<torch::Tensor> rgb, depth, alpha;
  for (int64_t v = 0; v < cameras.count(); ++v) {
    const TileImage image = RenderView(gaussians, cameras.Slice(v, v + 1), options);
    rgb.push_back(image.rgb);
    depth.push_back(image.depth);
    alpha.push_back(image.alpha);
  }
  return {torch::stack(rgb), torch::stack(depth), torch::stack(alpha)};
}

}  // namespace gwm
