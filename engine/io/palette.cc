#include "engine/io/palette.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <span>

namespace gwm::io {
namespace {

constexpr size_t kMaxColours = 256;

struct Weighted {
  Rgb colour;
  double weight;
};

// A run of different colours with the statistics of their widest channel.
struct Box {
  std::span<Weighted> colours;
  double weight = 0;
  std::array<double, 3> mean{};
  std::array<double, 3> squared_error{};  // weighted, per channel

  double error() const { return squared_error[0] + squared_error[1] + squared_error[2]; }
  size_t widest() const {
    return std::max_element(squared_error.begin(), squared_error.end()) - squared_error.begin();
  }
};

Box Measure(std::span<Weighted> colours) {
  Box box{.colours = colours};
  std::array<double, 3> sum{};
  std::array<double, 3> sum_of_squares{};
  for (const Weighted& entry : colours) {
    box.weight += entry.weight;
    for (int c = 0; c < 3; ++c) {
      const double value = entry.colour[c];
      sum[c] += entry.weight * value;
      sum_of_squares[c] += entry.weight * value * value;
    }
  }
  for (int c = 0; c < 3; ++c) {
    box.mean[c] = sum[c] / box.weight;
    box.squared_error[c] = std::max(0.0, sum_of_squares[c] - sum[c] * box.mean[c]);
  }
  // One colour has no error; rounding must not make it look splittable.
  if (colours.size() == 1) box.squared_error = {};
  return box;
}

std::vector<Weighted> CountColours(std::vector<Rgb> colours) {
  std::sort(colours.begin(), colours.end());
  std::vector<Weighted> counted;
  for (const Rgb& colour : colours) {
    if (counted.empty() || counted.back().colour != colour) counted.push_back({colour, 0});
    counted.back().weight += 1;
  }
  return counted;
}

// Splits at the mean of the widest channel; both parts hold at least one colour.
std::array<Box, 2> Split(const Box& box) {
  const size_t channel = box.widest();
  const auto middle = std::partition(
      box.colours.begin(), box.colours.end(),
      [&](const Weighted& entry) { return entry.colour[channel] <= box.mean[channel]; });
  const size_t low = std::clamp<size_t>(middle - box.colours.begin(), 1, box.colours.size() - 1);
  return {Measure(box.colours.first(low)), Measure(box.colours.subspan(low))};
}

}  // namespace

std::vector<Rgb> ChoosePalette(std::vector<Rgb> colours) {
  std::vector<Weighted> counted = CountColours(std::move(colours));
  std::vector<Rgb> palette;
  if (counted.size() <= kMaxColours) {
    for (const Weighted& entry : counted) palette.push_back(entry.colour);
    return palette;
  }
  std::vector<Box> boxes = {Measure(counted)};
  while (boxes.size() < kMaxColours) {
    const auto worst = std::max_element(boxes.begin(), boxes.end(), [](const Box& a, const Box& b) {
      return a.error() < b.error();
    });
    const std::array<Box, 2> halves = Split(*worst);
    *worst = halves[0];
    boxes.push_back(halves[1]);
  }
  for (const Box& box : boxes) {
    Rgb colour{};
    for (int c = 0; c < 3; ++c) colour[c] = static_cast<uint8_t>(std::lround(box.mean[c]));
    palette.push_back(colour);
  }
  return palette;
}

uint8_t PaletteMap::Nearest(Rgb colour) {
  const uint32_t key = colour[0] | colour[1] << 8 | colour[2] << 16;
  const auto [known, is_new] = known_.try_emplace(key, uint8_t{0});
  if (!is_new) return known->second;
  int best = std::numeric_limits<int>::max();
  for (size_t i = 0; i < palette_.size(); ++i) {
    int distance = 0;
    for (int c = 0; c < 3; ++c) {
      const int difference = int{palette_[i][c]} - int{colour[c]};
      distance += difference * difference;
    }
    if (distance < best) {
      best = distance;
      known->second = static_cast<uint8_t>(i);
    }
  }
  return known->second;
}

}  // namespace gwm::io
