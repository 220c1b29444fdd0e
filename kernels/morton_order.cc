#include "kernels/morton_order.h"

#include <algorithm>
#include <utility>

namespace gwm::kernels {
namespace {
struct MortonGrid {
  float low[3];
  float scale[3];  // cells per unit of length
  int32_t cells;   // per axis
};
}  // namespace
}  // namespace gwm::kernels

#define GWM_SIMD_BODY "kernels/morton_body.inc"
#include "kernels/simd_variants.h"

namespace gwm::kernels {
namespace {

constexpr int64_t kSamples = 128;
// Of the samples at each end of an axis; the grid then spans the rest and a margin.
constexpr int64_t kTrimmed = 2;
constexpr float kMargin = 0.125f;
constexpr int kMaxPasses = 3;

// Seven bits an axis leave 16 points to a cell of a surface of 260k and take two passes of 2^11;
// ten bits take three of 2^10.
struct KeyShape {
  int bits_per_axis;
  int passes;
  int bits_per_pass;
};
KeyShape ShapeFor(int64_t count) {
  return count <= (1 << 18) ? KeyShape{7, 2, 11} : KeyShape{10, 3, 10};
}

MortonGrid GridOver(const float* points, int64_t count, int64_t dims, int bits_per_axis) {
  MortonGrid grid = {};
  grid.cells = 1 << bits_per_axis;
  const int64_t samples = std::min(count, kSamples);
  const int64_t trimmed = samples == kSamples ? kTrimmed : 0;
  for (int64_t axis = 0; axis < std::min<int64_t>(dims, 3); ++axis) {
    float sample[kSamples];
    for (int64_t s = 0; s < samples; ++s) sample[s] = points[s * count / samples * dims + axis];
    std::sort(sample, sample + samples);
    const float low = sample[trimmed], high = sample[samples - 1 - trimmed];
    const float margin = kMargin * (high - low);
    const float extent = high - low + 2.0f * margin;
    grid.low[axis] = low - margin;
    grid.scale[axis] = extent > 0.0f ? static_cast<float>(grid.cells) / extent : 0.0f;
  }
  return grid;
}

struct Histograms {
  uint32_t bins[kMaxPasses][1 << 11];
};

void Count(const uint32_t* keys, int64_t count, const KeyShape& shape, Histograms* h) {
  const uint32_t mask = (1u << shape.bits_per_pass) - 1;
  for (int pass = 0; pass < shape.passes; ++pass) std::fill_n(h->bins[pass], mask + 1, 0u);
  for (int64_t i = 0; i < count; ++i) {
    for (int pass = 0; pass < shape.passes; ++pass) {
      ++h->bins[pass][keys[i] >> (pass * shape.bits_per_pass) & mask];
    }
  }
  for (int pass = 0; pass < shape.passes; ++pass) {
    uint32_t begin = 0;
    for (uint32_t b = 0; b <= mask; ++b) begin += std::exchange(h->bins[pass][b], begin);
  }
}

// One stable pass. A null `order_in` is 0, 1, ...; a null `keys_out` is not wanted.
void Deal(const uint32_t* keys_in, const int32_t* order_in, int64_t count, int shift, uint32_t mask,
          uint32_t* bins, uint32_t* keys_out, int32_t* order_out) {
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t key = keys_in[i];
    const uint32_t place = bins[key >> shift & mask]++;
    if (keys_out != nullptr) keys_out[place] = key;
    order_out[place] = order_in != nullptr ? order_in[i] : static_cast<int32_t>(i);
  }
}

}  // namespace

void MortonOrder(const float* points, int64_t count, int64_t dims, SimdLevel simd,
                 const MortonBuffers& buffers) {
  if (count <= 0) return;
  const KeyShape shape = ShapeFor(count);
  const MortonGrid grid = GridOver(points, count, dims, shape.bits_per_axis);
  MortonBuffers from = buffers, to = {buffers.keys2, buffers.order2, buffers.keys, buffers.order};
  // The last pass must end in buffers.order.
  if (shape.passes % 2 == 1) std::swap(from, to);
  GWM_SIMD_CALL(simd, FillKeys)(grid, points, dims, 0, count, from.keys);
  Histograms histograms;
  Count(from.keys, count, shape, &histograms);
  const uint32_t mask = (1u << shape.bits_per_pass) - 1;
  for (int pass = 0; pass < shape.passes; ++pass) {
    Deal(from.keys, pass == 0 ? nullptr : from.order, count, pass * shape.bits_per_pass, mask,
         histograms.bins[pass], pass + 1 == shape.passes ? nullptr : to.keys, to.order);
    std::swap(from, to);
  }
}

}  // namespace gwm::kernels
