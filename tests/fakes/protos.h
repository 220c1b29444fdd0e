// Requests that tests start from, and the details of errors.
#ifndef GWM_TESTS_FAKES_PROTOS_H_
#define GWM_TESTS_FAKES_PROTOS_H_

#include <grpcpp/support/status.h>

#include <string>
#include <vector>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "gwm/v1/simulator.pb.h"

namespace gwm::fakes {

inline v1::Tensor F32(std::vector<int64_t> shape, const std::vector<float>& values) {
  v1::Tensor tensor;
  tensor.set_dtype(v1::DTYPE_F32);
  tensor.mutable_shape()->Add(shape.begin(), shape.end());
  tensor.set_data(values.data(), values.size() * sizeof(float));
  return tensor;
}

inline v1::Tensor Filled(v1::DType dtype, std::vector<int64_t> shape, size_t element_bytes,
                         char byte) {
  v1::Tensor tensor;
  tensor.set_dtype(dtype);
  size_t count = element_bytes;
  for (int64_t dim : shape) count *= static_cast<size_t>(dim);
  tensor.mutable_shape()->Add(shape.begin(), shape.end());
  tensor.set_data(std::string(count, byte));
  return tensor;
}

// The elements of an F32 tensor.
inline std::vector<float> Floats(const v1::Tensor& tensor) {
  const auto* values = reinterpret_cast<const float*>(tensor.data().data());
  return {values, values + tensor.data().size() / sizeof(float)};
}
// The elements of a BOOL tensor.
inline std::vector<bool> Bools(const v1::Tensor& tensor) {
  return {tensor.data().begin(), tensor.data().end()};
}
inline std::vector<int64_t> Shape(const v1::Tensor& tensor) {
  return {tensor.shape().begin(), tensor.shape().end()};
}

inline v1::Camera TestCamera(uint32_t width, uint32_t height) {
  v1::Camera camera;
  for (float v : {5.f, 0.f, 3.f, 0.f, 5.f, 2.f, 0.f, 0.f, 1.f}) camera.add_intrinsics(v);
  for (int i = 0; i < 16; ++i) camera.add_world_from_cam(i % 5 == 0 ? 1.f : 0.f);
  camera.set_width(width);
  camera.set_height(height);
  return camera;
}

// n worlds of t frames for FakeSpec(), every pixel `shade`.
inline v1::RgbdFrames TestFrames(int64_t n, int64_t t, char shade) {
  v1::RgbdFrames frames;
  *frames.mutable_rgb() = Filled(v1::DTYPE_U8, {n, t, 1, 4, 6, 3}, 1, shade);
  *frames.mutable_depth_mm() = Filled(v1::DTYPE_U16, {n, t, 1, 4, 6}, 2, 3);
  *frames.mutable_intrinsics() = F32({1, 3, 3}, {5, 0, 3, 0, 5, 2, 0, 0, 1});
  *frames.mutable_world_from_cam() =
      F32({1, 4, 4}, {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1});
  return frames;
}

// What the error says for programs.
struct Details {
  std::string reason;
  std::string field;
  std::string phase;
  bool retry = false;
};
inline Details DetailsOf(const grpc::Status& status) {
  google::rpc::Status rich;
  rich.ParseFromString(status.error_details());
  Details details;
  for (const auto& any : rich.details()) {
    google::rpc::ErrorInfo info;
    google::rpc::BadRequest bad_request;
    if (any.UnpackTo(&info)) {
      details.reason = info.reason();
      const auto phase = info.metadata().find("phase");
      if (phase != info.metadata().end()) details.phase = phase->second;
    }
    if (any.UnpackTo(&bad_request)) details.field = bad_request.field_violations(0).field();
    details.retry |= any.Is<google::rpc::RetryInfo>();
  }
  return details;
}

}  // namespace gwm::fakes

#endif  // GWM_TESTS_FAKES_PROTOS_H_
