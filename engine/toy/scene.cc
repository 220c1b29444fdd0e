#include "engine/toy/scene.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <span>
#include <utility>

#include "kernels/render.h"

namespace gwm::toy {
namespace {

constexpr int kTableRows = 15;
constexpr int kBeamGaussians = 4;
// Of the Gaussians of a rectangle: how far they spread, as a share of their tile, and their height.
constexpr float kTileSigmas = 0.6F, kThinMetres = 0.01F;
constexpr Colour kDark = {0.42F, 0.42F, 0.45F}, kLight = {0.55F, 0.55F, 0.57F};
// The public form of colours: 0.5 + SH basis of degree 0 times this.
constexpr float kShBasis0 = 0.28209479177387814F;
constexpr float kOpacity = 0.995F;
constexpr int kImagePixels = 64;
constexpr float kCameraHeight = 3.0F, kVisibleMetres = 2.4F;

// OpenCV axes of TopCamera in the world, then its place.
constexpr std::array<float, 16> kTopPose = {1, 0, 0, 0, 0, -1, 0, 0, 0, 0, -1, kCameraHeight,
                                            0, 0, 0, 1};

// The inverse of a rigid transform, row-major.
std::array<float, 16> RigidInverse(const std::array<float, 16>& pose) {
  std::array<float, 16> inverse = {};
  for (size_t i = 0; i < 3; ++i) {
    for (size_t j = 0; j < 3; ++j) {
      inverse[4 * i + j] = pose[4 * j + i];
      inverse[4 * i + 3] -= pose[4 * j + i] * pose[4 * j + 3];
    }
  }
  inverse[15] = 1;
  return inverse;
}

HostTensor ToTensor(std::vector<int64_t> shape, const std::vector<float>& values) {
  return HostTensor::From<float>(std::move(shape), std::span(values));
}

HostTensor Colours(int64_t height, int64_t width, const std::vector<float>& rgb, DType dtype) {
  if (dtype == DType::kF32) return ToTensor({height, width, 3}, rgb);
  HostTensor bytes = HostTensor::Zeros(DType::kU8, {height, width, 3});
  std::transform(rgb.begin(), rgb.end(), bytes.mutable_values<uint8_t>().begin(), [](float value) {
    return static_cast<uint8_t>(std::lround(std::clamp(value, 0.0F, 1.0F) * 255));
  });
  return bytes;
}

Ellipsoid Ball(float x, float y, float z, float sigma_m, const Colour& colour) {
  return {.mean_m = {x, y, z}, .sigmas_m = {sigma_m, sigma_m, sigma_m}, .colour = colour};
}

}  // namespace

void Scene::Add(const Ellipsoid& ellipsoid) {
  const auto append = [](std::vector<float>& to, const auto& values) {
    to.insert(to.end(), values.begin(), values.end());
  };
  append(means_m_, ellipsoid.mean_m);
  append(quats_, ellipsoid.rotation);
  append(sigmas_m_, ellipsoid.sigmas_m);
  append(colours_, ellipsoid.colour);
}

void Scene::AddTable(float half_width_m) {
  const float side = 2 * half_width_m / kTableRows;
  for (int row = 0; row < kTableRows; ++row) {
    for (int column = 0; column < kTableRows; ++column) {
      const float x = (static_cast<float>(column) + 0.5F) * side - half_width_m;
      const float y = (static_cast<float>(row) + 0.5F) * side - half_width_m;
      Add(Ball(x, y, 0, 0.7F * side, (row + column) % 2 == 0 ? kDark : kLight));
    }
  }
}

void Scene::AddDisc(float x, float y, float z, float radius_m, const Colour& colour) {
  const float sigma_m = 0.22F * radius_m;
  Add(Ball(x, y, z, sigma_m, colour));
  for (int ring = 1; ring <= 2; ++ring) {
    const int count = 6 * ring;
    const float distance_m = 0.36F * static_cast<float>(ring) * radius_m;
    for (int i = 0; i < count; ++i) {
      const float angle_rad =
          2 * std::numbers::pi_v<float> * static_cast<float>(i) / static_cast<float>(count);
      Add(Ball(x + distance_m * std::cos(angle_rad), y + distance_m * std::sin(angle_rad), z,
               sigma_m, colour));
    }
  }
}

void Scene::AddBeam(float x, float y, float z, float heading_rad, float length_m,
                    const Colour& colour) {
  for (int i = 0; i < kBeamGaussians; ++i) {
    const float along_m = length_m * (static_cast<float>(i) + 0.5F) / kBeamGaussians;
    Add(Ball(x + along_m * std::cos(heading_rad), y + along_m * std::sin(heading_rad), z,
             0.3F * length_m / kBeamGaussians, colour));
  }
}

void Scene::AddRectangle(float x, float y, float z, float heading_rad, const RectangleShape& shape,
                         const Colour& colour) {
  const Quaternion rotation = FromYaw(heading_rad);
  const float length_m = shape.length_m / static_cast<float>(shape.rows);
  const float width_m = shape.width_m / static_cast<float>(shape.columns);
  for (int row = 0; row < shape.rows; ++row) {
    for (int column = 0; column < shape.columns; ++column) {
      const float along_m = (static_cast<float>(row) + 0.5F) * length_m - shape.length_m / 2;
      const float across_m = (static_cast<float>(column) + 0.5F) * width_m - shape.width_m / 2;
      const Vector place_m = Rotated(rotation, {along_m, across_m, 0});
      Add({.mean_m = {x + place_m[0], y + place_m[1], z},
           .rotation = rotation,
           .sigmas_m = {kTileSigmas * length_m, kTileSigmas * width_m, kThinMetres},
           .colour = colour});
    }
  }
}

GaussianCloud Scene::Cloud() const {
  const auto count = static_cast<int64_t>(size());
  std::vector<float> log_scales, sh;
  for (float sigma_m : sigmas_m_) log_scales.push_back(std::log(sigma_m));
  for (float colour : colours_) sh.push_back((colour - 0.5F) / kShBasis0);
  const std::vector<float> logits(size(), std::log(kOpacity / (1 - kOpacity)));
  return {.means = ToTensor({count, 3}, means_m_),
          .log_scales = ToTensor({count, 3}, log_scales),
          .quats = ToTensor({count, 4}, quats_),
          .sh = ToTensor({count, 1, 3}, sh),
          .opacity_logits = ToTensor({count}, logits)};
}

RenderedView Scene::Render(const Camera& camera, const RenderOptions& options) const {
  const std::vector<float> opacities(size(), kOpacity);
  const auto view = RigidInverse(camera.world_from_cam);
  const int64_t height = camera.height, width = camera.width;
  const auto pixels = static_cast<size_t>(height * width);
  std::vector<float> rgb(3 * pixels), alpha(pixels), depth(pixels);
  kernels::RenderScratch scratch;
  // Nothing in it can be refused: the sizes are those of the vectors.
  static_cast<void>(kernels::RenderForward(
      {.means = means_m_.data(),
       .quats = quats_.data(),
       .scales = sigmas_m_.data(),
       .opacities = opacities.data(),
       .colors = colours_.data(),
       .num_gaussians = static_cast<int64_t>(size())},
      {.viewmats = view.data(),
       .intrinsics = camera.intrinsics.data(),
       .width = camera.width,
       .height = camera.height},
      {}, nullptr, {.rgb = rgb.data(), .alpha = alpha.data(), .depth = depth.data()}, &scratch));
  RenderedView out;
  if (options.outputs & kRenderRgb) out.rgb = Colours(height, width, rgb, options.rgb_dtype);
  if (options.outputs & kRenderDepth) out.depth = ToTensor({height, width}, depth);
  if (options.outputs & kRenderAlpha) out.alpha = ToTensor({height, width}, alpha);
  return out;
}

Camera TopCamera() {
  constexpr float kFocal = kImagePixels * kCameraHeight / kVisibleMetres;
  constexpr float kCentre = 0.5F * kImagePixels;
  return {.intrinsics = {kFocal, 0, kCentre, 0, kFocal, kCentre, 0, 0, 1},
          .world_from_cam = kTopPose,
          .width = kImagePixels,
          .height = kImagePixels};
}

}  // namespace gwm::toy
