// Random draws as pure functions of (seed, stream, counter, element): nothing is consumed, so a run
// that stops and goes on draws what it would have drawn, and no global generator is touched.
#ifndef GWM_CLIENTS_BASE_COUNTER_RANDOM_H_
#define GWM_CLIENTS_BASE_COUNTER_RANDOM_H_

#include <torch/torch.h>

#include <array>
#include <cstdint>

namespace gwm::clients {

// Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): 128 bits for
// one counter and key.
std::array<uint32_t, 4> Philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

// Draws of one seed. Draws of two streams are independent. Thread-safe: const after construction.
// All tensors are on the CPU.
class StreamRandom {
 public:
  explicit StreamRandom(uint64_t seed) : seed_(seed) {}

  // 64 bits of element `element` (below 2^33) of draw `counter` (below 2^63).
  uint64_t Bits(uint32_t stream, uint64_t counter, uint64_t element) const;
  // f32 of that shape, in [0, 1): multiples of 2^-24.
  torch::Tensor Uniform(uint32_t stream, uint64_t counter, at::IntArrayRef shape) const;
  // f32 of that shape, standard normal (Box-Muller in f64).
  torch::Tensor Normal(uint32_t stream, uint64_t counter, at::IntArrayRef shape) const;
  // i64 of that shape, in [0, bound). Requires bound >= 1.
  torch::Tensor Integers(uint32_t stream, uint64_t counter, int64_t bound,
                         at::IntArrayRef shape) const;
  // [count] i64: the numbers 0..count-1 in random order.
  torch::Tensor Permutation(uint32_t stream, uint64_t counter, int64_t count) const;

 private:
  uint64_t seed_;
};

// The same with streams that one library names: `Stream` is an enum over uint32_t that says what a
// draw is for; its numbers are part of saved runs.
template <typename Stream>
class CounterRandom {
 public:
  explicit CounterRandom(uint64_t seed) : random_(seed) {}

  uint64_t Bits(Stream stream, uint64_t counter, uint64_t element) const {
    return random_.Bits(static_cast<uint32_t>(stream), counter, element);
  }
  torch::Tensor Uniform(Stream stream, uint64_t counter, at::IntArrayRef shape) const {
    return random_.Uniform(static_cast<uint32_t>(stream), counter, shape);
  }
  torch::Tensor Normal(Stream stream, uint64_t counter, at::IntArrayRef shape) const {
    return random_.Normal(static_cast<uint32_t>(stream), counter, shape);
  }
  torch::Tensor Integers(Stream stream, uint64_t counter, int64_t bound,
                         at::IntArrayRef shape) const {
    return random_.Integers(static_cast<uint32_t>(stream), counter, bound, shape);
  }
  torch::Tensor Permutation(Stream stream, uint64_t counter, int64_t count) const {
    return random_.Permutation(static_cast<uint32_t>(stream), counter, count);
  }

 private:
  StreamRandom random_;
};

}  // namespace gwm::clients

#endif  // GWM_CLIENTS_BASE_COUNTER_RANDOM_H_
