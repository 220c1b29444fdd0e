#include "clients/policies/fitter.h"

#include <limits>

#include "tests/clients/policies/test_support.h"

namespace gwm::policies {
namespace {

using ::testing::HasSubstr;

FitOptions QuickOptions() {
  FitOptions options;
  options.learning_rate = {
      .shape = LearningRateShape::kCosine, .peak = 1e-2, .warmup_steps = 2, .total_steps = 60};
  options.seed = 4;
  return options;
}

std::unique_ptr<Fitter> MakeFitter(TrainedPolicy& policy,
                                   const FitOptions& options = QuickOptions()) {
  absl::StatusOr<std::unique_ptr<Fitter>> fitter = Fitter::Create(policy, options);
  EXPECT_TRUE(fitter.ok()) << fitter.status();
  return *std::move(fitter);
}

bool SameTensors(const TrainedPolicy& a, const TrainedPolicy& b) {
  const auto left = a.Tensors(), right = b.Tensors();
  bool same = left.size() == right.size();
  for (const auto& [name, tensor] : left) same &= SameBits(tensor, right.at(name));
  return same;
}

class FitterTest : public ::testing::TestWithParam<HeadCase> {
 protected:
  FitterTest() { torch::set_num_threads(1); }
  std::unique_ptr<TrainedPolicy> Make() {
    return MakePolicy(SmallConfig(GetParam().head, GetParam().denoiser));
  }
};

TEST_P(FitterTest, LowersTheLossOfOneBatch) {
  const auto policy = Make();
  const auto fitter = MakeFitter(*policy);
  const ChunkBatch batch = RandomBatch(policy->spec(), 16, 3);
  const ChunkNoise noise =
      DrawLossNoise(policy->LossNoise(), policy->spec(), 16, CounterRandom(9), 0);
  const double before = policy->Loss(batch, noise)->item<double>();
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(fitter->Step(batch).ok());
  EXPECT_LT(policy->Loss(batch, noise)->item<double>(), before);
  EXPECT_LT(fitter->average().Loss(batch, noise)->item<double>(), before);
}

TEST_P(FitterTest, GoesOnAfterLoadingWithTheSameBits) {
  const auto whole = Make(), halves = Make(), fresh = Make();
  const auto whole_fitter = MakeFitter(*whole), first = MakeFitter(*halves),
             second = MakeFitter(*fresh);
  const auto step = [&](Fitter& fitter, int i) {
    ASSERT_TRUE(fitter.Step(RandomBatch(whole->spec(), 4, i)).ok());
  };
  for (int i = 0; i < 6; ++i) step(*whole_fitter, i);
  for (int i = 0; i < 3; ++i) step(*first, i);
  ASSERT_TRUE(first->Save(TestPath("state")).ok());
  ASSERT_TRUE(second->Load(TestPath("state")).ok());
  EXPECT_EQ(second->steps(), 3);
  for (int i = 3; i < 6; ++i) step(*second, i);
  EXPECT_TRUE(SameTensors(*fresh, *whole));
  EXPECT_TRUE(SameTensors(second->average(), whole_fitter->average()));
}

INSTANTIATE_TEST_SUITE_P(Heads, FitterTest, ::testing::ValuesIn(kHeadCases), NameOfHead);

TEST(FitterStepTest, ReportsTheRateAndTheDecayOfItsSchedules) {
  const auto policy = MakePolicy(SmallConfig(HeadKind::kMse));
  const auto fitter = MakeFitter(*policy);
  for (int64_t i = 0; i < 4; ++i) {
    const auto metrics = fitter->Step(RandomBatch(policy->spec(), 4, 1));
    ASSERT_TRUE(metrics.ok());
    EXPECT_EQ(metrics->learning_rate, QuickOptions().learning_rate.At(i));
    EXPECT_EQ(metrics->average_decay, QuickOptions().average.At(i));
    EXPECT_GT(metrics->loss, 0);
    EXPECT_GT(metrics->gradient_norm, 0);
  }
  EXPECT_EQ(fitter->steps(), 4);
}

TEST(FitterStepTest, TheFirstAveragesAreCopies) {
  const auto policy = MakePolicy(SmallConfig(HeadKind::kMse));
  const auto fitter = MakeFitter(*policy);
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(fitter->Step(RandomBatch(policy->spec(), 4, 1)).ok());
  EXPECT_TRUE(SameTensors(*policy, fitter->average()));
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(fitter->Step(RandomBatch(policy->spec(), 4, 1)).ok());
  EXPECT_FALSE(SameTensors(*policy, fitter->average()));
}

TEST(FitterStepTest, WeightsDecayAndBiasesDoNot) {
  const auto policy = MakePolicy(SmallConfig(HeadKind::kMse));
  FitOptions options = QuickOptions();
  options.learning_rate = {LearningRateShape::kConstant, 1e-9, 0, 0};
  options.weight_decay = 1e8;  // a step takes a tenth
  const auto before = policy->Clone();
  const auto fitter = MakeFitter(*policy, options);
  ASSERT_TRUE(fitter->Step(RandomBatch(policy->spec(), 4, 1)).ok());
  const auto old_tensors = (*before)->Tensors(), new_tensors = policy->Tensors();
  EXPECT_TRUE(torch::allclose(new_tensors.at("model.0.weight"),
                              0.9 * old_tensors.at("model.0.weight"), 1e-4, 1e-6));
  EXPECT_TRUE(
      torch::allclose(new_tensors.at("model.0.bias"), old_tensors.at("model.0.bias"), 1e-4, 1e-6));
}

TEST(FitterStepTest, AWrongBatchChangesNothing) {
  const auto policy = MakePolicy(SmallConfig(HeadKind::kFlow));
  const auto fitter = MakeFitter(*policy);
  const auto before = policy->Clone();
  ChunkBatch batch = RandomBatch(policy->spec(), 4, 1);
  batch.action = batch.action.narrow(0, 0, 3);
  EXPECT_EQ(fitter->Step(batch).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(fitter->Step({}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(fitter->steps(), 0);
  EXPECT_TRUE(SameTensors(*policy, **before));
}

TEST(FitterStepTest, ALossThatIsNotFiniteChangesNothing) {
  const auto policy = MakePolicy(SmallConfig(HeadKind::kMse));
  const auto fitter = MakeFitter(*policy);
  const auto before = policy->Clone();
  ChunkBatch batch = RandomBatch(policy->spec(), 4, 1);
  batch.action.fill_(std::numeric_limits<float>::max());
  const absl::Status status = fitter->Step(batch).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("at step 0 the loss is inf"));
  EXPECT_TRUE(SameTensors(*policy, **before));
  EXPECT_TRUE(SameTensors(fitter->average(), **before));
}

TEST(FitterFileTest, RefusesTheStateOfAnotherPolicy) {
  const auto policy = MakePolicy(SmallConfig(HeadKind::kMse));
  ASSERT_TRUE(MakeFitter(*policy)->Save(TestPath("state")).ok());
  PolicyConfig config = SmallConfig(HeadKind::kMse);
  config.seed = 8;
  const auto other = MakePolicy(config);
  const auto before = other->Clone();
  const absl::Status status = MakeFitter(*other)->Load(TestPath("state"));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(SameTensors(*other, **before));
  EXPECT_EQ(MakeFitter(*other)->Load(TestPath("none")).code(), absl::StatusCode::kNotFound);
}

TEST(FitterOptionsTest, NamesTheOptionThatIsOutOfRange) {
  const auto policy = MakePolicy(SmallConfig(HeadKind::kMse));
  const auto error = [&](auto change) {
    FitOptions options = QuickOptions();
    change(options);
    return std::string(Fitter::Create(*policy, options).status().message());
  };
  EXPECT_THAT(error([](FitOptions& o) { o.learning_rate.total_steps = 0; }),
              HasSubstr("learning_rate.total_steps must exceed"));
  EXPECT_THAT(error([](FitOptions& o) { o.learning_rate.peak = 0; }),
              HasSubstr("learning_rate.peak"));
  EXPECT_THAT(error([](FitOptions& o) { o.beta2 = 1; }), HasSubstr("beta2"));
  EXPECT_THAT(error([](FitOptions& o) { o.average.power = 0; }), HasSubstr("average.power"));
  EXPECT_TRUE(Fitter::Create(*policy, BcTransformerFitOptions()).ok());
}

}  // namespace
}  // namespace gwm::policies
