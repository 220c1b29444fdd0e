// Render on vector sessions.
#include "tests/server/rpc/server_fixture.h"

namespace gwm::server {
namespace {

using fakes::DetailsOf;
using fakes::Shape;
using RenderRpcTest = ServerTest;

TEST_F(RenderRpcTest, RendersEveryOutputFromManyCameras) {
  const std::string id = Ready(2);
  v1::RenderRequest request;
  request.set_session_id(id);
  for (int i = 0; i < 3; ++i) *request.add_cameras() = fakes::TestCamera(5, 7);
  for (auto output : {v1::RENDER_OUTPUT_RGB, v1::RENDER_OUTPUT_DEPTH, v1::RENDER_OUTPUT_ALPHA}) {
    request.add_outputs(output);
  }
  request.set_rgb_dtype(v1::DTYPE_F32);
  v1::RenderReply reply;
  ASSERT_TRUE(Render(request, &reply).ok());
  EXPECT_EQ(reply.images().rgb().dtype(), v1::DTYPE_F32);
  EXPECT_EQ(Shape(reply.images().rgb()), (std::vector<int64_t>{2, 3, 7, 5, 3}));
  EXPECT_EQ(Shape(reply.images().depth()), (std::vector<int64_t>{2, 3, 7, 5}));
  EXPECT_EQ(Shape(reply.images().alpha()), (std::vector<int64_t>{2, 3, 7, 5}));
  request.mutable_cameras(1)->set_width(6);
  EXPECT_EQ(DetailsOf(Render(request, &reply)).field, "cameras[1]");
  request.mutable_cameras(1)->set_width(5);
  request.set_rgb_dtype(v1::DTYPE_I64);
  EXPECT_EQ(DetailsOf(Render(request, &reply)).field, "rgb_dtype");
}

TEST_F(RenderRpcTest, RefusesMorePixelsThanAllowed) {
  options_.limits.max_pixels_per_render = 100;
  StartServer();
  const std::string id = Ready(2);
  v1::RenderRequest request;
  request.set_session_id(id);
  *request.add_cameras() = fakes::TestCamera(10, 6);
  v1::RenderReply reply;
  const grpc::Status status = Render(request, &reply);
  EXPECT_EQ(status.error_code(), grpc::OUT_OF_RANGE);
  EXPECT_EQ(DetailsOf(status).reason, "LIMIT");
}

}  // namespace
}  // namespace gwm::server
