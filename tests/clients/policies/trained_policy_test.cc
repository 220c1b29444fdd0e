#include "clients/policies/trained_policy.h"

#include <limits>

#include "clients/base/state_file.h"
#include "engine/io/file.h"
#include "tests/clients/policies/test_support.h"

namespace gwm::policies {
namespace {

using ::testing::HasSubstr;

class TrainedPolicyTest : public ::testing::TestWithParam<HeadCase> {
 protected:
  TrainedPolicyTest() { torch::set_num_threads(1); }

  std::unique_ptr<TrainedPolicy> MakeFitted() {
    auto policy = MakePolicy(SmallConfig(GetParam().head, GetParam().denoiser));
    EXPECT_TRUE(
        policy->FitNormalizers(5 * Normals(8, {50, 3}) + 1, 20 * Normals(9, {50, 2}) - 3).ok());
    return policy;
  }
};

torch::Tensor ActOrDie(ChunkPolicy& policy, const torch::Tensor& observation,
                       const ChunkNoise& noise) {
  const auto action = policy.Act(observation, noise);
  EXPECT_TRUE(action.ok()) << action.status();
  return *action;
}

TEST_P(TrainedPolicyTest, ActsAsAFunctionOfObservationAndNoise) {
  const auto policy = MakeFitted();
  const torch::Tensor observation = Normals(1, {3, 2, 3});
  const ChunkNoise noise = ActNoiseOf(*policy, 3, 5);
  const torch::Tensor action = ActOrDie(*policy, observation, noise);
  EXPECT_EQ(action.sizes(), at::IntArrayRef({3, 4, 2}));
  EXPECT_FALSE(action.requires_grad());
  EXPECT_TRUE(SameBits(action, ActOrDie(*policy, observation, noise)));
  EXPECT_FALSE(torch::equal(action, ActOrDie(*policy, -observation, noise)));
  if (GetParam().head != HeadKind::kMse) {
    EXPECT_FALSE(torch::equal(action, ActOrDie(*policy, observation, ActNoiseOf(*policy, 3, 6))));
  }
}

TEST_P(TrainedPolicyTest, RowsDoNotDependOnEachOther) {
  const auto policy = MakeFitted();
  const torch::Tensor observation = Normals(1, {3, 2, 3});
  const ChunkNoise noise = ActNoiseOf(*policy, 3, 5);
  const torch::Tensor alone =
      ActOrDie(*policy, observation.narrow(0, 1, 1),
               {noise.uniform.narrow(0, 1, 1), noise.normal.narrow(0, 1, 1)});
  EXPECT_TRUE(torch::allclose(alone[0], ActOrDie(*policy, observation, noise)[1], 1e-4, 1e-4));
}

TEST_P(TrainedPolicyTest, LossIsAScalarThatReachesEveryWeight) {
  const auto policy = MakeFitted();
  const ChunkBatch batch = RandomBatch(policy->spec(), 6, 3);
  const ChunkNoise noise =
      DrawLossNoise(policy->LossNoise(), policy->spec(), 6, CounterRandom(1), 0);
  const auto loss = policy->Loss(batch, noise);
  ASSERT_TRUE(loss.ok()) << loss.status();
  ASSERT_EQ(loss->dim(), 0);
  loss->backward();
  for (const auto& item : policy->network().named_parameters()) {
    EXPECT_TRUE(item.value().grad().defined()) << item.key();
  }
}

TEST_P(TrainedPolicyTest, LossLeavesPaddingOut) {
  const auto policy = MakeFitted();
  ChunkBatch batch = RandomBatch(policy->spec(), 2, 3);
  batch.valid = torch::ones({2, 4});
  batch.valid.narrow(1, 3, 1).zero_();
  const ChunkNoise noise =
      DrawLossNoise(policy->LossNoise(), policy->spec(), 2, CounterRandom(1), 0);
  const double masked = policy->Loss(batch, noise)->item<double>();
  batch.valid = torch::ones({2, 4});
  const double whole = policy->Loss(batch, noise)->item<double>();
  batch.valid = torch::Tensor();
  EXPECT_NEAR(whole, policy->Loss(batch, noise)->item<double>(), 1e-5 * std::abs(whole));
  EXPECT_NE(masked, whole);
}

TEST_P(TrainedPolicyTest, ActsTheSameAfterSaveAndLoad) {
  const auto policy = MakeFitted();
  const std::string folder = TestPath("policy");
  ASSERT_TRUE(policy->Save(folder).ok());
  const auto loaded = TrainedPolicy::Load(folder);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const torch::Tensor observation = Normals(1, {3, 2, 3});
  const ChunkNoise noise = ActNoiseOf(*policy, 3, 5);
  EXPECT_TRUE(
      SameBits(ActOrDie(*policy, observation, noise), ActOrDie(**loaded, observation, noise)));
}

TEST_P(TrainedPolicyTest, ClonesShareNothing) {
  const auto policy = MakeFitted();
  const auto copy = policy->Clone();
  ASSERT_TRUE(copy.ok());
  const torch::Tensor observation = Normals(1, {1, 2, 3});
  const ChunkNoise noise = ActNoiseOf(*policy, 1, 5);
  const torch::Tensor before = ActOrDie(**copy, observation, noise);
  EXPECT_TRUE(SameBits(before, ActOrDie(*policy, observation, noise)));
  torch::NoGradGuard no_grad;
  for (torch::Tensor& parameter : policy->network().parameters()) parameter.zero_();
  EXPECT_TRUE(SameBits(before, ActOrDie(**copy, observation, noise)));
}

INSTANTIATE_TEST_SUITE_P(Heads, TrainedPolicyTest, ::testing::ValuesIn(kHeadCases), NameOfHead);

TEST(TrainedPolicyUnitsTest, ActionsComeInTheUnitsOfTheDemonstrations) {
  const auto policy = MakePolicy(SmallConfig(HeadKind::kDiffusion));
  // Clipped samples lie in [-1, 1]; the demonstrations in [10, 30].
  ASSERT_TRUE(
      policy->FitNormalizers(Normals(1, {9, 3}), torch::tensor({{10.0f, 10.0f}, {30.0f, 30.0f}}))
          .ok());
  const torch::Tensor action =
      ActOrDie(*policy, Normals(1, {20, 2, 3}), ActNoiseOf(*policy, 20, 5));
  EXPECT_GE(action.min().item<double>(), 10 - 1e-3);
  EXPECT_LE(action.max().item<double>(), 30 + 1e-3);
}

class TrainedPolicyErrorTest : public ::testing::Test {
 protected:
  std::string ErrorOf(const absl::Status& status) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    return std::string(status.message());
  }
  std::unique_ptr<TrainedPolicy> policy_ = MakePolicy(SmallConfig(HeadKind::kFlow));
};

TEST_F(TrainedPolicyErrorTest, NamesTheTensorOfAnotherShape) {
  const ChunkNoise noise = ActNoiseOf(*policy_, 2, 5);
  EXPECT_THAT(ErrorOf(policy_->Act(torch::zeros({2, 2, 4}), noise).status()),
              HasSubstr("observation is Float [2, 2, 4], expected Float [-1, 2, 3]"));
  EXPECT_THAT(ErrorOf(policy_->Act(torch::zeros({3, 2, 3}), noise).status()),
              HasSubstr("noise.uniform is Float [2, 0], expected Float [3, 0]"));
  EXPECT_THAT(ErrorOf(policy_->Act(torch::zeros({0, 2, 3}), noise).status()),
              HasSubstr("observation has no rows"));
  ChunkBatch batch = RandomBatch(policy_->spec(), 2, 1);
  batch.action = torch::zeros({2, 3, 2});
  const ChunkNoise loss_noise =
      DrawLossNoise(policy_->LossNoise(), policy_->spec(), 2, CounterRandom(1), 0);
  EXPECT_THAT(ErrorOf(policy_->Loss(batch, loss_noise).status()), HasSubstr("action is Float"));
  batch = RandomBatch(policy_->spec(), 2, 1);
  batch.valid = torch::full({2, 4}, 0.5);
  EXPECT_THAT(ErrorOf(policy_->Loss(batch, loss_noise).status()), HasSubstr("valid"));
  batch.valid = torch::Tensor();
  EXPECT_THAT(ErrorOf(policy_->Loss(batch, {loss_noise.uniform + 1, loss_noise.normal}).status()),
              HasSubstr("noise.uniform has an entry outside [0, 1)"));
}

TEST_F(TrainedPolicyErrorTest, RefusesNumbersThatAreNotFinite) {
  torch::Tensor observation = torch::zeros({1, 2, 3});
  observation[0][0][0] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(ErrorOf(policy_->Act(observation, ActNoiseOf(*policy_, 1, 5)).status()),
              HasSubstr("observation has an entry that is not finite"));
}

TEST_F(TrainedPolicyErrorTest, SaysThatItsActionsAreNotFinite) {
  torch::NoGradGuard no_grad;
  policy_->network().parameters().back().fill_(std::numeric_limits<float>::quiet_NaN());
  EXPECT_EQ(policy_->Act(torch::zeros({1, 2, 3}), ActNoiseOf(*policy_, 1, 5)).status().code(),
            absl::StatusCode::kInternal);
}

TEST_F(TrainedPolicyErrorTest, LoadingFromNowhereIsNotFound) {
  EXPECT_EQ(TrainedPolicy::Load(TestPath("nothing")).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(TrainedPolicyErrorTest, NamesTheTensorThatDoesNotFitTheConfig) {
  const std::string folder = TestPath("policy");
  ASSERT_TRUE(policy_->Save(folder).ok());
  PolicyConfig other = policy_->config();
  other.unet.time_width = 12;
  ASSERT_TRUE(io::WriteFileAtomic(folder + "/config.json", WriteConfig(other)).ok());
  EXPECT_THAT(ErrorOf(TrainedPolicy::Load(folder).status()),
              HasSubstr("model.safetensors does not fit config.json: tensor "
                        "model.diffusion_step_encoder.1.bias is Float [32], expected Float [48]"));
}

TEST_F(TrainedPolicyErrorTest, NamesTheTensorThatIsMissingOrTooMuch) {
  std::map<std::string, torch::Tensor> tensors = policy_->Tensors();
  tensors.erase("model.final_conv.1.bias");
  EXPECT_THAT(ErrorOf(policy_->SetTensors(tensors)),
              HasSubstr("tensor model.final_conv.1.bias is missing"));
  tensors = policy_->Tensors();
  tensors["model.other"] = torch::zeros({1});
  EXPECT_THAT(ErrorOf(policy_->SetTensors(tensors)), HasSubstr("tensor model.other belongs to no"));
  tensors = policy_->Tensors();
  tensors["normalizer.action.scale"] = torch::zeros({2});
  EXPECT_THAT(ErrorOf(policy_->SetTensors(tensors)),
              HasSubstr("tensor normalizer.action.scale has a zero"));
}

TEST_F(TrainedPolicyErrorTest, RefusesAChangedFile) {
  const std::string folder = TestPath("policy");
  ASSERT_TRUE(policy_->Save(folder).ok());
  std::string bytes = *io::ReadFile(folder + "/model.safetensors");
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  ASSERT_TRUE(io::WriteFileAtomic(folder + "/model.safetensors", bytes).ok());
  EXPECT_THAT(ErrorOf(TrainedPolicy::Load(folder).status()), HasSubstr("checksum"));
}

TEST_F(TrainedPolicyErrorTest, AFailedFitOfNormalizersChangesNothing) {
  const std::map<std::string, torch::Tensor> before = policy_->Tensors();
  const torch::Tensor scale = before.at("normalizer.observation.scale").clone();
  EXPECT_FALSE(policy_->FitNormalizers(Normals(1, {9, 3}), torch::zeros({0, 2})).ok());
  EXPECT_FALSE(policy_->FitNormalizers(Normals(1, {9, 3}), torch::zeros({9, 3})).ok());
  EXPECT_TRUE(SameBits(policy_->Tensors().at("normalizer.observation.scale"), scale));
}

}  // namespace
}  // namespace gwm::policies
