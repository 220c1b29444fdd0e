// Gaussians: covariances and spherical harmonics, projection and rasterisation with gradients.
#include <cmath>
#include <stdexcept>

#include "engine/scene/gaussian_ops.h"
#include "engine/scene/rotations.h"
#include "kernels/gaussian_math.h"
#include "kernels/render.h"
#include "kernels/sh_math.h"
#include "tests/golden/kernel_call.h"
#include "tests/golden/ops.h"

namespace gwm::golden {
namespace {

// The per-element maths that the kernels share, row by row.
void CheckKernelMaths(Case& golden, const Tolerance& tolerance) {
  const torch::Tensor quats = F32(golden.Get("in.quats_wxyz")),
                      scales = F32(golden.Get("in.scales"));
  const int64_t n = quats.size(0);
  const torch::Tensor rotations = torch::empty({n, 3, 3}), covariances = torch::empty({n, 3, 3});
  for (int64_t i = 0; i < n; ++i) {
    const float* q = quats.data_ptr<float>() + 4 * i;
    kernels::QuatToRotation(q, rotations.data_ptr<float>() + 9 * i);
    kernels::Covariance(q, scales.data_ptr<float>() + 3 * i, covariances.data_ptr<float>() + 9 * i);
  }
  golden.Check("out.rotmat", rotations, tolerance);
  golden.Check("out.covariance", covariances, tolerance);
}

void CheckKernelSh(Case& golden, int degree, const torch::Tensor& coefficients,
                   const std::string& name, const Tolerance& tolerance) {
  const torch::Tensor dirs = F32(golden.Get("in.dirs"));
  const int64_t n = dirs.size(0), stored = coefficients.size(1);
  const torch::Tensor rgb = torch::empty({n, 3});
  for (int64_t i = 0; i < n; ++i) {
    kernels::ShColor(degree, dirs.data_ptr<float>() + 3 * i,
                     coefficients.data_ptr<float>() + 3 * stored * i,
                     rgb.data_ptr<float>() + 3 * i);
  }
  golden.Check(name, rgb, tolerance);
}

void RunGaussianOps(Case& golden) {
  const Tolerance tolerance = golden.tolerance().General({2e-6, 2e-5});
  const torch::Tensor quats = golden.Find("in.quats_wxyz"), scales = golden.Find("in.scales");
  if (quats.defined() && scales.defined()) {
    const torch::Tensor covariance = CovarianceFrom(quats, scales);
    golden.Check("out.rotmat", MatrixFromQuat(quats), tolerance);
    golden.Check("out.covariance", covariance, tolerance);
    golden.Check("out.covariance_triu", UpperTriangle(covariance), tolerance);
    const torch::Tensor precision = PrecisionFrom(quats, scales);
    const Tolerance inverse = golden.tolerance().For({"precision"}, {2e-6, 1e-3});
    golden.Check("out.precision", precision, inverse);
    golden.Check("out.precision_triu", UpperTriangle(precision), inverse);
    CheckKernelMaths(golden, tolerance);
  }
  const torch::Tensor dirs = golden.Find("in.dirs");
  if (!dirs.defined()) return;
  const torch::Tensor bases = golden.Find("out.sh_bases");
  if (bases.defined()) {
    const auto degree = static_cast<int64_t>(std::lround(std::sqrt(bases.size(-1)))) - 1;
    golden.Check("out.sh_bases", ShBases(dirs, degree), tolerance);
  }
  for (int degree = 0; degree <= 4; ++degree) {
    const std::string name = "out.sh_value_deg" + std::to_string(degree);
    if (!golden.Wants(name)) continue;
    const torch::Tensor coefficients = F32(golden.Get("in.sh_coeffs"));
    const int64_t count = (degree + 1) * (degree + 1);
    golden.Check(name, ShValue(coefficients.narrow(1, 0, count), dirs), tolerance);
    CheckKernelSh(golden, degree, coefficients, name, tolerance);
  }
}

// Inputs of one rasterise case, kept alive for the pointers of the kernels.
struct Scene {
  explicit Scene(const Case& golden);

  kernels::GaussianInputs gaussians() const;
  kernels::CameraInputs cameras() const;

  torch::Tensor means, quats, scales, opacities, colors, viewmats, intrinsics, background;
  int sh_degree, width, height;
  kernels::RenderOptions options;
};

Scene::Scene(const Case& golden)
    : means(F32(golden.Get("in.means"))),
      quats(F32(golden.Get("in.quats"))),
      scales(F32(golden.Get("in.scales"))),
      opacities(F32(golden.Get("in.opacities"))),
      colors(F32(golden.Get("in.colors"))),
      viewmats(F32(golden.Get("in.viewmats"))),
      intrinsics(F32(golden.Get("in.Ks"))),
      background(golden.Find("in.backgrounds")),
      sh_degree(golden.ParamOr("sh_degree", kernels::kDirectColors)),
      width(golden.Param<int>("width")),
      height(golden.Param<int>("height")) {
  if (background.defined()) background = F32(background);
  if (colors.dim() == 2) sh_degree = kernels::kDirectColors;
  options.eps2d = golden.ParamOr("eps2d", options.eps2d);
  options.max_alpha = golden.ParamOr("max_alpha", options.max_alpha);
  options.near_plane_m = golden.ParamOr("near_plane", options.near_plane_m);
  options.far_plane_m = golden.ParamOr("far_plane", options.far_plane_m);
  if (golden.ParamOr<std::string>("rasterize_mode", "classic") == "antialiased") {
    options.antialias = kernels::Antialias::kCompensate;
  }
  // What the kernels fix.
  const bool fixed = std::abs(golden.ParamOr("alpha_threshold", 1.0 / 255) - 1.0 / 255) < 1e-9 &&
                     std::abs(golden.ParamOr("transmittance_stop", 1e-4) - 1e-4) < 1e-12 &&
                     std::abs(golden.ParamOr("radius_sigma", 3.33) - 3.33) < 1e-9;
  if (!fixed) throw std::invalid_argument("another alpha threshold, stop value or radius factor");
}

kernels::GaussianInputs Scene::gaussians() const {
  return {.means = means.data_ptr<float>(),
          .quats = quats.data_ptr<float>(),
          .scales = scales.data_ptr<float>(),
          .opacities = opacities.data_ptr<float>(),
          .colors = colors.data_ptr<float>(),
          .num_scenes = 1,
          .num_gaussians = means.size(0),
          .sh_degree = sh_degree,
          .sh_coefficients = colors.dim() == 3 ? static_cast<int>(colors.size(1)) : 0};
}

kernels::CameraInputs Scene::cameras() const {
  return {.viewmats = viewmats.data_ptr<float>(),
          .intrinsics = intrinsics.data_ptr<float>(),
          .views_per_scene = viewmats.size(0),
          .width = width,
          .height = height};
}

// A copy of `size` values behind `data`.
template <typename T>
torch::Tensor Copy(const T* data, std::vector<int64_t> shape) {
  return torch::from_blob(const_cast<T*>(data), shape, torch::CppTypeToScalarType<T>::value)
      .clone();
}

// Tolerances of what the text does not name: f32 rounding of pixel coordinates and of an inverse 2
// x 2 matrix.
void CheckSplats(Case& golden, const Scene& scene, const kernels::Splats& splats) {
  const int64_t views = scene.viewmats.size(0), n = scene.means.size(0);
  // A culled Gaussian has radius 0 in both; its other entries mean nothing.
  const torch::Tensor radii = Copy(splats.radii, {views, n, 2});
  const torch::Tensor drawn = (radii > 0).all(-1, /*keepdim=*/true);
  golden.Check("out.radii", radii, {0, 0, 0.005, 1});
  auto mask = [&](int64_t columns) { return drawn.expand({views, n, columns}); };
  golden.Check("out.means2d", Copy(splats.means2d, {views, n, 2}), {1e-4, 1e-5}, mask(2));
  golden.Check("out.depths", Copy(splats.depths, {views, n}), {1e-5, 1e-5}, drawn.squeeze(-1));
  golden.Check("out.conics", Copy(splats.conics, {views, n, 3}), {1e-4, 1e-3}, mask(3));
  golden.Check("out.compensations", Copy(splats.compensations, {views, n}), {1e-5, 1e-3},
               drawn.squeeze(-1));
}

void CheckRasterGradients(Case& golden, const Scene& scene, kernels::RenderScratch& scratch,
                          const kernels::RasterOutputGrads& grads) {
  const torch::Tensor means = torch::zeros_like(scene.means),
                      quats = torch::zeros_like(scene.quats);
  const torch::Tensor scales = torch::zeros_like(scene.scales);
  const torch::Tensor opacities = torch::zeros_like(scene.opacities);
  const torch::Tensor colors = torch::zeros_like(scene.colors);
  const torch::Tensor background = torch::zeros({scene.viewmats.size(0), 3});
  Require(kernels::RenderBackward(scene.gaussians(), scene.cameras(), scene.options,
                                  Data<float>(scene.background), grads,
                                  {.means = means.data_ptr<float>(),
                                   .quats = quats.data_ptr<float>(),
                                   .scales = scales.data_ptr<float>(),
                                   .opacities = opacities.data_ptr<float>(),
                                   .colors = colors.data_ptr<float>()},
                                  background.data_ptr<float>(), &scratch),
          "RenderBackward");
  const Tolerance tolerance = golden.tolerance().For({"gradient"}, {1e-6, 2e-3});
  golden.Check("grad.in.means", means, tolerance);
  golden.Check("grad.in.quats", quats, tolerance);
  golden.Check("grad.in.scales", scales, tolerance);
  golden.Check("grad.in.opacities", opacities, tolerance);
  golden.Check("grad.in.colors", colors, tolerance);
  golden.Check("grad.in.backgrounds", background, tolerance);
}

void RunRasterise(Case& golden) {
  const Scene scene(golden);
  const int64_t views = scene.viewmats.size(0);
  const torch::Tensor rgb = torch::empty({views, scene.height, scene.width, 3});
  const torch::Tensor alpha = torch::empty({views, scene.height, scene.width, 1});
  const torch::Tensor depth = torch::empty_like(alpha);
  kernels::RenderScratch scratch;
  Require(kernels::RenderForward(scene.gaussians(), scene.cameras(), scene.options,
                                 Data<float>(scene.background),
                                 {.rgb = rgb.data_ptr<float>(),
                                  .alpha = alpha.data_ptr<float>(),
                                  .depth = depth.data_ptr<float>()},
                                 &scratch),
          "RenderForward");
  const Tolerance colour = golden.tolerance().For({"rgb", "alpha abs"}, {2e-5, 0});
  golden.Check("out.rgb", rgb, colour);
  golden.Check("out.alpha", alpha, colour);
  golden.Check("out.expected_depth", depth, golden.tolerance().For({"expected depth"}, {2e-4, 0}),
               alpha > 0.01);
  CheckSplats(golden, scene, scratch.splats());

  // loss = sum over the images of mean(image * weight); a weight that is absent drops its term.
  torch::Tensor loss = torch::zeros({}, torch::kFloat64);
  auto weigh = [&](const torch::Tensor& image, const char* name) {
    torch::Tensor weight = golden.Find(name);
    if (!weight.defined()) return weight;
    loss = loss + (image.to(torch::kFloat64) * weight.to(torch::kFloat64)).mean();
    return F32(weight / static_cast<double>(image.numel()));
  };
  const torch::Tensor grad_rgb = weigh(rgb, "in.loss_rgb");
  const torch::Tensor grad_alpha = weigh(alpha, "in.loss_alpha");
  const torch::Tensor grad_depth = weigh(depth, "in.loss_depth");
  golden.Check("out.loss", loss, golden.tolerance().For({"loss"}, {2e-5, 1e-4}));
  CheckRasterGradients(golden, scene, scratch,
                       {.rgb = Data<float>(grad_rgb),
                        .alpha = Data<float>(grad_alpha),
                        .depth = Data<float>(grad_depth)});
}

}  // namespace

std::vector<Op> RenderOps() {
  return {{"gaussian_ops", RunGaussianOps}, {"rasterise", RunRasterise}};
}

}  // namespace gwm::golden
