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
