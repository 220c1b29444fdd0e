// Encode, Decode and Features.
#include <limits>

#include "tests/server/rpc/server_fixture.h"

namespace gwm::server {
namespace {

using fakes::DetailsOf;
using fakes::F32;
using fakes::Floats;
using fakes::Shape;
using PerceptionRpcTest = ServerTest;
using Stub = v1::Perception::Stub;

TEST_F(PerceptionRpcTest, EncodesEveryWorld) {
  v1::EncodeRequest request;
  *request.mutable_frames() = fakes::TestFrames(3, 1, 51);
  v1::EncodeReply reply;
  ASSERT_TRUE(Call(*perception_, &Stub::Encode, request, &reply).ok());
  EXPECT_EQ(Shape(reply.latents()), (std::vector<int64_t>{3, 3, 4}));
  EXPECT_EQ(Shape(reply.centres()), (std::vector<int64_t>{3, 3, 3}));
  EXPECT_EQ(Floats(reply.latents())[0], 0.2f);
  EXPECT_EQ(controls_->live_states, 0);
}

TEST_F(PerceptionRpcTest, FeaturesHaveTheSizesOfTheSpec) {
  v1::FeaturesRequest request;
  *request.mutable_frames() = fakes::TestFrames(2, 1, 51);
  v1::FeaturesReply reply;
  ASSERT_TRUE(Call(*perception_, &Stub::Features, request, &reply).ok());
  EXPECT_EQ(Shape(reply.features()), (std::vector<int64_t>{2, 3, 5}));
  EXPECT_EQ(Shape(reply.centres()), (std::vector<int64_t>{2, 3, 3}));
}

TEST_F(PerceptionRpcTest, FeaturesComeInTheShapesThatPoliciesTake) {
  v1::FeaturesRequest request;
  *request.mutable_frames() = fakes::TestFrames(2, 1, 51);
  request.set_pooling(v1::FEATURE_POOLING_MEAN);
  v1::FeaturesReply mean;
  ASSERT_TRUE(Call(*perception_, &Stub::Features, request, &mean).ok());
  EXPECT_EQ(Shape(mean.features()), (std::vector<int64_t>{2, 5}));
  EXPECT_FALSE(mean.has_centres());
  // Of three tokens the first has 51 / 255 in its first entry; all else is zero.
  EXPECT_FLOAT_EQ(Floats(mean.features())[0], 0.2f / 3);
  EXPECT_EQ(Floats(mean.features())[1], 0.0f);
  request.set_pooling(v1::FEATURE_POOLING_ATTENTION);
  v1::FeaturesReply attention;
  ASSERT_TRUE(Call(*perception_, &Stub::Features, request, &attention).ok());
  EXPECT_EQ(Shape(attention.features()), (std::vector<int64_t>{2, 8, 5}));
}

TEST_F(PerceptionRpcTest, FeaturesSayWhatTheyCanBeKeptUnder) {
  v1::FeaturesRequest request;
  *request.mutable_frames() = fakes::TestFrames(1, 1, 51);
  v1::FeaturesReply whole;
  ASSERT_TRUE(Call(*perception_, &Stub::Features, request, &whole).ok());
  EXPECT_EQ(whole.checkpoint_digest(), controls_->digest);
  EXPECT_EQ(whole.model_id(), controls_->model_id);
  EXPECT_NE(whole.cache_key().find(whole.checkpoint_digest()), std::string::npos);
  v1::FeaturesReply other;
  request.set_dtype(v1::DTYPE_BF16);
  ASSERT_TRUE(Call(*perception_, &Stub::Features, request, &other).ok());
  EXPECT_NE(other.cache_key(), whole.cache_key());
  request.set_dtype(v1::DTYPE_F32);
  request.set_pooling(v1::FEATURE_POOLING_TOKENS);
  *request.mutable_frames() = fakes::TestFrames(2, 1, 102);
  ASSERT_TRUE(Call(*perception_, &Stub::Features, request, &other).ok());
  EXPECT_EQ(other.cache_key(), whole.cache_key());
}

TEST_F(PerceptionRpcTest, FeaturesAreRoundedToTheDtypeAskedFor) {
  v1::FeaturesRequest request;
  *request.mutable_frames() = fakes::TestFrames(1, 1, 51);
  request.set_dtype(v1::DTYPE_F16);
  v1::FeaturesReply reply;
  ASSERT_TRUE(Call(*perception_, &Stub::Features, request, &reply).ok());
  EXPECT_EQ(reply.features().dtype(), v1::DTYPE_F16);
  EXPECT_EQ(reply.features().data().size(), 3u * 5 * 2);
  EXPECT_EQ(reply.features().data().substr(0, 2), "\x66\x32");  // 0.2 = 0x3266
  EXPECT_EQ(reply.centres().dtype(), v1::DTYPE_F32);
}

TEST_F(PerceptionRpcTest, RefusesPoolingsAndDtypesThatThereAreNot) {
  v1::FeaturesRequest request;
  *request.mutable_frames() = fakes::TestFrames(1, 1, 51);
  request.set_pooling(static_cast<v1::FeaturePooling>(9));
  v1::FeaturesReply reply;
  grpc::Status status = Call(*perception_, &Stub::Features, request, &reply);
  EXPECT_EQ(status.error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_EQ(DetailsOf(status).field, "pooling");
  request.set_pooling(v1::FEATURE_POOLING_MEAN);
  request.set_dtype(v1::DTYPE_U8);
  status = Call(*perception_, &Stub::Features, request, &reply);
  EXPECT_EQ(DetailsOf(status).field, "dtype");
  EXPECT_NE(status.error_message().find("DTYPE_BF16"), std::string::npos);
}

TEST_F(PerceptionRpcTest, EncodeGivesAsManyGaussiansAsAreAskedFor) {
  v1::EncodeRequest request;
  *request.mutable_frames() = fakes::TestFrames(2, 1, 51);
  request.set_gaussian_count(1);
  v1::EncodeReply reply;
  ASSERT_TRUE(Call(*perception_, &Stub::Encode, request, &reply).ok());
  ASSERT_EQ(reply.gaussians_size(), 2);
  EXPECT_EQ(Shape(reply.gaussians(1).means()), (std::vector<int64_t>{1, 3}));
  EXPECT_EQ(reply.checkpoint_digest(), controls_->digest);
  request.set_gaussian_count(0);
  ASSERT_TRUE(Call(*perception_, &Stub::Encode, request, &reply).ok());
  EXPECT_EQ(reply.gaussians_size(), 0);
}

TEST_F(PerceptionRpcTest, RefusesMoreGaussiansThanThereAreOrAreAllowed) {
  v1::EncodeRequest request;
  *request.mutable_frames() = fakes::TestFrames(1, 1, 51);
  request.set_gaussian_count(2);
  v1::EncodeReply reply;
  grpc::Status status = Call(*perception_, &Stub::Encode, request, &reply);
  EXPECT_EQ(status.error_code(), grpc::OUT_OF_RANGE);
  EXPECT_EQ(DetailsOf(status).field, "gaussian_count");
  EXPECT_NE(status.error_message().find("SimulatorSpec.gaussians"), std::string::npos);
  controls_->gaussians = 10;
  options_.limits.max_sampled_gaussians = 1;
  StartServer();
  status = Call(*perception_, &Stub::Encode, request, &reply);
  EXPECT_EQ(DetailsOf(status).reason, "LIMIT");
  EXPECT_NE(status.error_message().find("max_sampled_gaussians = 1"), std::string::npos);
  v1::Limits limits;
  ASSERT_TRUE(Call(*info_, &v1::Server::Stub::GetLimits, v1::GetLimitsRequest(), &limits).ok());
  EXPECT_EQ(limits.max_sampled_gaussians(), 1u);
}

TEST_F(PerceptionRpcTest, DecodesLatentsOnSharedAnchors) {
  v1::DecodeRequest request;
  std::vector<float> latents(24, 0.0f);
  latents[0] = 0.5f;
  latents[12] = 0.75f;
  *request.mutable_latents() = F32({2, 3, 4}, latents);
  *request.mutable_frames() = fakes::TestFrames(1, 1, 0);
  request.add_outputs(v1::RENDER_OUTPUT_RGB);
  request.add_outputs(v1::RENDER_OUTPUT_GAUSSIANS);
  v1::DecodeReply reply;
  const grpc::Status status = Call(*perception_, &Stub::Decode, request, &reply);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(Shape(reply.images().rgb()), (std::vector<int64_t>{2, 1, 4, 6, 3}));
  ASSERT_EQ(reply.images().gaussians_size(), 2);
  EXPECT_EQ(Floats(reply.images().gaussians(0).means())[0], 0.5f);
  EXPECT_EQ(Floats(reply.images().gaussians(1).means())[0], 0.75f);
}

TEST_F(PerceptionRpcTest, RejectsBadLatentsAndTooManyWorlds) {
  options_.limits.max_perception_rows = 2;
  StartServer();
  v1::DecodeRequest decode;
  *decode.mutable_frames() = fakes::TestFrames(1, 1, 0);
  *decode.mutable_latents() = F32({1, 3, 4}, std::vector<float>(12));
  reinterpret_cast<float*>(decode.mutable_latents()->mutable_data()->data())[3] =
      std::numeric_limits<float>::infinity();
  v1::DecodeReply decoded;
  EXPECT_EQ(DetailsOf(Call(*perception_, &Stub::Decode, decode, &decoded)).field, "latents");
  *decode.mutable_latents() = F32({3, 3, 4}, std::vector<float>(36));
  EXPECT_EQ(Call(*perception_, &Stub::Decode, decode, &decoded).error_code(), grpc::OUT_OF_RANGE);
  v1::EncodeRequest encode;
  *encode.mutable_frames() = fakes::TestFrames(3, 1, 0);
  v1::EncodeReply encoded;
  const grpc::Status status = Call(*perception_, &Stub::Encode, encode, &encoded);
  EXPECT_EQ(status.error_code(), grpc::OUT_OF_RANGE);
  EXPECT_EQ(DetailsOf(status).reason, "LIMIT");
}

}  // namespace
}  // namespace gwm::server
