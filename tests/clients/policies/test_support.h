// Helpers shared by the tests of policies.
#ifndef GWM_TESTS_CLIENTS_POLICIES_TEST_SUPPORT_H_
#define GWM_TESTS_CLIENTS_POLICIES_TEST_SUPPORT_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <memory>
#include <string>

#include "clients/policies/noise.h"
#include "clients/policies/trained_policy.h"

namespace gwm::policies {

// A path of its own for each test.
inline std::string TestPath(const std::string& name) {
  const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
  std::string test = std::string(info->test_suite_name()) + "_" + info->name();
  for (char& c : test) c = c == '/' ? '_' : c;
  return ::testing::TempDir() + "gwm_policies_" + test + "_" + name;
}

inline bool SameBits(const torch::Tensor& a, const torch::Tensor& b) {
  return a.defined() && b.defined() && a.scalar_type() == b.scalar_type() && torch::equal(a, b);
}

// A few hundred weights: two observations of three numbers, four actions of two.
inline PolicyConfig SmallConfig(HeadKind head, DenoiserKind denoiser = DenoiserKind::kUnet) {
  PolicyConfig config;
  config.head = head;
  config.denoiser = denoiser;
  config.spec = {.observation_steps = 2,
                 .observation_dim = 3,
                 .horizon = 4,
                 .action_dim = 2,
                 .current_action = 1};
  config.seed = 7;
  config.mlp = {.width = 16, .layers = 1};
  config.gmm = {.modes = 3, .layers = 1, .heads = 2, .width = 8};
  config.unet = {.widths = {8, 16}, .kernel = 3, .groups = 4, .time_width = 8};
  config.transformer = {.layers = 1, .heads = 2, .width = 8};
  config.diffusion.training_steps = 10;
  config.diffusion.sampling_steps = 5;
  config.flow.sampling_steps = 4;
  return config;
}

inline std::unique_ptr<TrainedPolicy> MakePolicy(const PolicyConfig& config) {
  absl::StatusOr<std::unique_ptr<TrainedPolicy>> policy = TrainedPolicy::Create(config);
  EXPECT_TRUE(policy.ok()) << policy.status();
  return *std::move(policy);
}

inline torch::Tensor Normals(uint64_t seed, at::IntArrayRef shape) {
  return CounterRandom(seed).Normal(RandomStream::kActNormal, 0, shape);
}

inline ChunkBatch RandomBatch(const ChunkSpec& spec, int64_t rows, uint64_t seed) {
  return {Normals(seed, {rows, spec.observation_steps, spec.observation_dim}),
          Normals(seed + 1, {rows, spec.horizon, spec.action_dim}).clamp(-1, 1),
          {}};
}

// Noise of `rows` rows for acting.
inline ChunkNoise ActNoiseOf(const ChunkPolicy& policy, int64_t rows, uint64_t seed) {
  std::vector<torch::Tensor> uniforms, normals;
  for (int64_t row = 0; row < rows; ++row) {
    const ChunkNoise noise =
        DrawActNoise(policy.ActNoise(), policy.spec(), CounterRandom(seed), row);
    uniforms.push_back(noise.uniform);
    normals.push_back(noise.normal);
  }
  return {torch::cat(uniforms), torch::cat(normals)};
}

// Every kind of head.
struct HeadCase {
  const char* name;
  HeadKind head;
  DenoiserKind denoiser;
};
inline const HeadCase kHeadCases[] = {
    {"Mse", HeadKind::kMse, DenoiserKind::kUnet},
    {"Gmm", HeadKind::kGmm, DenoiserKind::kUnet},
    {"DiffusionUnet", HeadKind::kDiffusion, DenoiserKind::kUnet},
    {"DiffusionTransformer", HeadKind::kDiffusion, DenoiserKind::kTransformer},
    {"FlowUnet", HeadKind::kFlow, DenoiserKind::kUnet},
    {"FlowTransformer", HeadKind::kFlow, DenoiserKind::kTransformer},
};
inline std::string NameOfHead(const ::testing::TestParamInfo<HeadCase>& info) {
  return info.param.name;
}

}  // namespace gwm::policies

#endif  // GWM_TESTS_CLIENTS_POLICIES_TEST_SUPPORT_H_
