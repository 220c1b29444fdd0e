// Helpers shared by the tests of learners.
#ifndef GWM_TESTS_CLIENTS_RL_TEST_SUPPORT_H_
#define GWM_TESTS_CLIENTS_RL_TEST_SUPPORT_H_

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <string>

#include "clients/rl/batch.h"
#include "clients/rl/counter_random.h"

namespace gwm::rl {

// A path of its own for each test.
inline std::string TestPath(const std::string& name) {
  const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
  return ::testing::TempDir() + "gwm_rl_" + info->test_suite_name() + "_" + info->name() + "_" +
         name;
}

inline bool SameBits(const torch::Tensor& a, const torch::Tensor& b) {
  return a.defined() && b.defined() && a.scalar_type() == b.scalar_type() && torch::equal(a, b);
}

// Transitions of random numbers: vectors of `observation_shape` f32, or u8 pixels.
inline Batch RandomBatch(int64_t rows, std::vector<int64_t> observation_shape,
                         torch::ScalarType type, int64_t action_dim, uint64_t seed) {
  const CounterRandom random(seed);
  const auto uniform = [&](uint64_t counter, at::IntArrayRef shape) {
    return random.Uniform(RandomStream::kReplay, counter, shape);
  };
  observation_shape.insert(observation_shape.begin(), rows);
  const double scale = type == torch::kUInt8 ? 255 : 1;
  return {(scale * uniform(0, observation_shape)).to(type), 2 * uniform(1, {rows, action_dim}) - 1,
          uniform(2, {rows}), 0.97 * torch::ones({rows}),
          (scale * uniform(3, observation_shape)).to(type)};
}

}  // namespace gwm::rl

#endif  // GWM_TESTS_CLIENTS_RL_TEST_SUPPORT_H_
