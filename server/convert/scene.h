// Cameras, RGB-D frames, images, Gaussians: wire <-> engine.
#ifndef GWM_SERVER_CONVERT_SCENE_H_
#define GWM_SERVER_CONVERT_SCENE_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/api/world.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "gwm/v1/scene.pb.h"
#include "server/base/options.h"
#include "server/work/frames_batch.h"
#include "server/work/images.h"

namespace gwm::server {

// InvalidArgument / BAD_FIELD or OutOfRange / LIMIT (max_image_side) with the field's path.
absl::StatusOr<Camera> ParseCamera(const v1::Camera& camera, const std::string& field,
                                   const Limits& limits);
// All of one size. May be empty.
absl::StatusOr<std::vector<Camera>> ParseCameras(
    const google::protobuf::RepeatedPtrField<v1::Camera>& cameras, const std::string& field,
    const Limits& limits);
v1::Camera ToProto(const Camera& camera);

// Views into `frames`, which outlives the result. Shapes, ranges and camera matrices are checked.
absl::StatusOr<FramesBatch> ParseFrames(const v1::RgbdFrames& frames, const std::string& field,
                                        const WorldSpec& spec);

// `outputs` empty: RGB. BAD_FIELD for unknown outputs and dtypes.
absl::StatusOr<ImageOptions> ParseImageOptions(const google::protobuf::RepeatedField<int>& outputs,
                                               v1::DType rgb_dtype);
// OutOfRange / LIMIT when n images of these cameras (or of the spec's views, when there are none)
// exceed max_pixels_per_render.
absl::Status CheckPixels(size_t n, const std::vector<Camera>& cameras, const WorldSpec& spec,
                         const Limits& limits);

// Moves the bytes.
v1::GaussianCloud ToProto(GaussianCloud cloud);
v1::RenderedImages ToProto(Images images);

// Reply: a message with a field `images`.
template <typename Reply>
void FillImages(Images images, Reply& reply) {
  *reply.mutable_images() = ToProto(std::move(images));
}

}  // namespace gwm::server

#endif  // GWM_SERVER_CONVERT_SCENE_H_
