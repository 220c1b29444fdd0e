#include "clients/base/counter_random.h"

#include <cmath>
#include <numbers>
#include <numeric>
#include <utility>

namespace gwm::clients {
namespace {

constexpr double kTwoToMinus53 = 0x1.0p-53;

// In (0, 1], so that its logarithm is finite.
double OpenUnit(uint64_t bits) { return (static_cast<double>(bits >> 11) + 1.0) * kTwoToMinus53; }

}  // namespace

std::array<uint32_t, 4> Philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  constexpr uint64_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
  constexpr uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = kMultiplier0 * counter[0], product1 = kMultiplier1 * counter[2];
    counter = {static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key[0],
               static_cast<uint32_t>(product1),
               static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key[1],
               static_cast<uint32_t>(product0)};
    key = {key[0] + kWeyl0, key[1] + kWeyl1};
  }
  return counter;
}

uint64_t StreamRandom::Bits(uint32_t stream, uint64_t counter, uint64_t element) const {
  // One block gives two elements.
  const uint64_t block = element / 2;
  const std::array<uint32_t, 4> words =
      Philox({static_cast<uint32_t>(block), stream, static_cast<uint32_t>(counter),
              static_cast<uint32_t>(counter >> 32)},
             {static_cast<uint32_t>(seed_), static_cast<uint32_t>(seed_ >> 32)});
  const size_t first = element % 2 == 0 ? 0 : 2;
  return words[first] | static_cast<uint64_t>(words[first + 1]) << 32;
}

torch::Tensor StreamRandom::Uniform(uint32_t stream, uint64_t counter,
                                    at::IntArrayRef shape) const {
  torch::Tensor out = torch::empty(shape, torch::kFloat32);
  float* values = out.data_ptr<float>();
  for (int64_t i = 0; i < out.numel(); ++i) {
    values[i] = static_cast<float>(Bits(stream, counter, i) >> 40) * 0x1.0p-24f;
  }
  return out;
}

torch::Tensor StreamRandom::Normal(uint32_t stream, uint64_t counter, at::IntArrayRef shape) const {
  torch::Tensor out = torch::empty(shape, torch::kFloat32);
  float* values = out.data_ptr<float>();
  const int64_t count = out.numel();
  for (int64_t i = 0; i < count; i += 2) {
    const double radius = std::sqrt(-2 * std::log(OpenUnit(Bits(stream, counter, i))));
    const double angle = 2 * std::numbers::pi * OpenUnit(Bits(stream, counter, i + 1));
    values[i] = static_cast<float>(radius * std::cos(angle));
    if (i + 1 < count) values[i + 1] = static_cast<float>(radius * std::sin(angle));
  }
  return out;
}

torch::Tensor StreamRandom::Integers(uint32_t stream, uint64_t counter, int64_t bound,
                                     at::IntArrayRef shape) const {
  torch::Tensor out = torch::empty(shape, torch::kInt64);
  int64_t* values = out.data_ptr<int64_t>();
  for (int64_t i = 0; i < out.numel(); ++i) {
    values[i] = static_cast<int64_t>(Bits(stream, counter, i) % static_cast<uint64_t>(bound));
  }
  return out;
}

torch::Tensor StreamRandom::Permutation(uint32_t stream, uint64_t counter, int64_t count) const {
  torch::Tensor out = torch::arange(count, torch::kInt64);
  int64_t* values = out.data_ptr<int64_t>();
  for (int64_t i = count - 1; i > 0; --i) {
    std::swap(values[i], values[Bits(stream, counter, i) % static_cast<uint64_t>(i + 1)]);
  }
  return out;
}

}  // namespace gwm::clients
