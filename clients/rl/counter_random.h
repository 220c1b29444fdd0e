// Random draws as pure functions of (seed, stream, counter, element): nothing is consumed, so a run
// that stops and goes on draws what it would have drawn, and no global generator is touched.
#ifndef GWM_CLIENTS_RL_COUNTER_RANDOM_H_
#define GWM_CLIENTS_RL_COUNTER_RANDOM_H_

#include <torch/torch.h>

#include <array>
#include <cstdint>

namespace gwm::rl {

// What a draw is for. Draws of two streams are independent; the numbers are part of saved runs.
enum class RandomStream : uint32_t {
  kWeights = 0,
  kExploration = 1,
  kTargetNoise = 2,
  kActorNoise = 3,
  kShift = 4,
  kReplay = 5,
  kImaginedReplay = 6,
  kEnsembleSplit = 7,
  kEnsembleBootstrap = 8,
  kEnsembleSample = 9,
  kPlanner = 10,
};

// Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): 128 bits for
// one counter and key.
std::array<uint32_t, 4> Philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

// Thread-safe: const after construction. All tensors are on the CPU.
class CounterRandom {
 public:
  explicit CounterRandom(uint64_t seed) : seed_(seed) {}

  // 64 bits of element `element` (below 2^33) of draw `counter` (below 2^63).
  uint64_t Bits(RandomStream stream, uint64_t counter, uint64_t element) const;
  // f32 of that shape, in [0, 1): multiples of 2^-24.
  torch::Tensor Uniform(RandomStream stream, uint64_t counter, at::IntArrayRef shape) const;
  // f32 of that shape, standard normal (Box-Muller in f64).
  torch::Tensor Normal(RandomStream stream, uint64_t counter, at::IntArrayRef shape) const;
  // i64 of that shape, in [0, bound). Requires bound >= 1.
  torch::Tensor Integers(RandomStream stream, uint64_t counter, int64_t bound,
                         at::IntArrayRef shape) const;
  // [count] i64: the numbers 0..count-1 in random order.
  torch::Tensor Permutation(RandomStream stream, uint64_t counter, int64_t count) const;

 private:
  uint64_t seed_;
};

}  // namespace gwm::rl

#endif  // GWM_CLIENTS_RL_COUNTER_RANDOM_H_
