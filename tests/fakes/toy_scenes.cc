#include "tests/fakes/toy_scenes.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <vector>

#include "engine/scene/camera.h"

namespace gwm::testing {
namespace {

using Vec3 = std::array<double, 3>;

constexpr double kBallRadiusM = 0.12;
constexpr double kFloorRadiusM = 1.3;
constexpr int kSamples = 3;  // colour samples per pixel side

struct Ball {
  Vec3 centre;
  Vec3 colour;
};

struct Hit {
  double depth = 0;  // m along the optical axis; 0: nothing
  Vec3 colour = {0.05, 0.05, 0.08};
};

double Dot(const Vec3& a, const Vec3& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

Vec3 FloorColour(double x, double y) {
  return {0.5 + 0.15 * std::sin(2.5 * x), 0.5 + 0.15 * std::sin(2 * y + 1),
          0.45 + 0.1 * std::cos(2 * (x - y))};
}

// `ray` has length 1 along the optical axis, so that its parameter is the depth.
Hit Trace(const Vec3& eye, const Vec3& ray, const std::vector<Ball>& balls) {
  Hit hit;
  if (ray[2] < 0) {
    const double t = -eye[2] / ray[2];
    const double x = eye[0] + t * ray[0], y = eye[1] + t * ray[1];
    if (std::hypot(x, y) < kFloorRadiusM) hit = {t, FloorColour(x, y)};
  }
  for (const Ball& ball : balls) {
    const Vec3 to_eye = {eye[0] - ball.centre[0], eye[1] - ball.centre[1], eye[2] - ball.centre[2]};
    const double a = Dot(ray, ray), b = Dot(ray, to_eye);
    const double discriminant = b * b - a * (Dot(to_eye, to_eye) - kBallRadiusM * kBallRadiusM);
    if (discriminant <= 0) continue;
    const double t = (-b - std::sqrt(discriminant)) / a;
    if (hit.depth > 0 && t > hit.depth) continue;
    const double up = (to_eye[2] + t * ray[2]) / kBallRadiusM;  // of the surface normal
    const double shade = 0.75 + 0.25 * up;
    hit = {t, {ball.colour[0] * shade, ball.colour[1] * shade, ball.colour[2] * shade}};
  }
  return hit;
}

Camera ToyCamera(int64_t view) {
  Camera camera{.width = kToySize, .height = kToySize};
  const auto size = static_cast<float>(kToySize);
  camera.intrinsics = {size, 0, size / 2, 0, size, size / 2, 0, 0, 1};
  const Vec3 eye = view == 0 ? Vec3{0.9, 0.2, 0.9} : Vec3{-0.3, 0.9, 0.9};
  return LookAt(camera, eye, {0, 0, 0.05});
}

Hit TracePixel(const Camera& camera, double column, double row, const std::vector<Ball>& balls) {
  const auto& k = camera.intrinsics;
  const auto& pose = camera.world_from_cam;
  const double x = (column - k[2]) / k[0], y = (row - k[5]) / k[4];
  Vec3 ray, eye;
  for (size_t i = 0; i < 3; ++i) {
    ray[i] = pose[4 * i] * x + pose[4 * i + 1] * y + pose[4 * i + 2];
    eye[i] = pose[4 * i + 3];
  }
  return Trace(eye, ray, balls);
}

// Colour averaged over the pixel, depth at its centre.
void Paint(const Camera& camera, const std::vector<Ball>& balls, uint8_t* rgb, uint16_t* depth_mm) {
  for (int row = 0; row < camera.height; ++row) {
    for (int column = 0; column < camera.width; ++column) {
      Vec3 sum = {0, 0, 0};
      for (int s = 0; s < kSamples * kSamples; ++s) {
        const double dx = (s % kSamples + 0.5) / kSamples, dy = (s / kSamples + 0.5) / kSamples;
        const Hit hit = TracePixel(camera, column + dx, row + dy, balls);
        for (size_t c = 0; c < 3; ++c) sum[c] += hit.colour[c];
      }
      for (double value : sum) {
        *rgb++ = static_cast<uint8_t>(std::lround(255 * value / (kSamples * kSamples)));
      }
      *depth_mm++ = static_cast<uint16_t>(
          std::lround(1e3 * TracePixel(camera, column + 0.5, row + 0.5, balls).depth));
    }
  }
}

io::Episode EmptyEpisode(int64_t frames) {
  io::Episode e;
  e.rgb = HostTensor::Zeros(DType::kU8, {frames, kToyViews, kToySize, kToySize, 3});
  e.depth_mm = HostTensor::Zeros(DType::kU16, {frames, kToyViews, kToySize, kToySize});
  e.intrinsics = HostTensor::Zeros(DType::kF32, {kToyViews, 3, 3});
  e.world_from_cam = HostTensor::Zeros(DType::kF32, {kToyViews, 4, 4});
  e.action = HostTensor::Zeros(DType::kF32, {frames, kToyActionDim});
  e.reward = HostTensor::Zeros(DType::kF32, {frames});
  e.terminated = HostTensor::Zeros(DType::kU8, {frames});
  e.success = HostTensor::Zeros(DType::kU8, {frames});
  e.metadata = {{"task", "toy-push"}, {"kind", "random"}};
  return e;
}

}  // namespace

io::Episode ToyEpisode(const ToyOptions& options) {
  io::Episode e = EmptyEpisode(options.frames);
  std::mt19937_64 bits(options.seed * 7919 + 1);
  const auto uniform = [&](double low, double high) {
    return low + (high - low) * static_cast<double>(bits() >> 11) * 0x1p-53;
  };
  std::vector<Ball> balls = {
      {{uniform(-0.25, 0.25), uniform(-0.25, 0.25), kBallRadiusM}, {0.9, 0.15, 0.1}}};
  for (const Vec3& colour : {Vec3{0.1, 0.7, 0.2}, Vec3{0.15, 0.25, 0.85}}) {
    const double angle = uniform(0, 6.28);
    balls.push_back({{0.5 * std::cos(angle), 0.5 * std::sin(angle), kBallRadiusM}, colour});
  }
  std::array<double, 2> push = {0, 0};
  for (int64_t t = 0; t < options.frames; ++t) {
    auto& ball = balls[0].centre;
    if (t > 0 && !options.still) {
      // A direction is held for three steps: the ball covers ground within a short rollout.
      if (t % 3 == 1) push = {uniform(-1, 1), uniform(-1, 1)};
      for (size_t i = 0; i < 2; ++i) {
        e.action.mutable_values<float>()[static_cast<size_t>(t * kToyActionDim) + i] =
            static_cast<float>(push[i]);
        ball[i] = std::clamp(ball[i] + kToyStepM * push[i], -kToyArenaM, kToyArenaM);
      }
    }
    const double distance = std::hypot(ball[0], ball[1]);
    const auto row = static_cast<size_t>(t);
    e.reward.mutable_values<float>()[row] = static_cast<float>(-4 * distance);
    e.terminated.mutable_values<uint8_t>()[row] = distance < kToyGoalM;
    e.success.mutable_values<uint8_t>()[row] = distance < kToyGoalM;
    for (int64_t v = 0; v < kToyViews; ++v) {
      const auto pixel = static_cast<size_t>((t * kToyViews + v) * kToySize * kToySize);
      Paint(ToyCamera(v), balls, e.rgb.mutable_values<uint8_t>().data() + 3 * pixel,
            e.depth_mm.mutable_values<uint16_t>().data() + pixel);
    }
  }
  for (int64_t v = 0; v < kToyViews; ++v) {
    const Camera camera = ToyCamera(v);
    std::copy(camera.intrinsics.begin(), camera.intrinsics.end(),
              e.intrinsics.mutable_values<float>().data() + 9 * v);
    std::copy(camera.world_from_cam.begin(), camera.world_from_cam.end(),
              e.world_from_cam.mutable_values<float>().data() + 16 * v);
  }
  return e;
}

Dataset ToyDataset(int64_t episodes, const ToyOptions& first) {
  Dataset dataset;
  for (int64_t i = 0; i < episodes; ++i) {
    ToyOptions options = first;
    options.seed += static_cast<uint64_t>(i);
    dataset.episodes.push_back(ToTensors(ToyEpisode(options)));
  }
  return dataset;
}

}  // namespace gwm::testing
