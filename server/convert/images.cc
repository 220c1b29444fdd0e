#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/error.h"
#include "server/convert/scene.h"
#include "server/convert/tensor.h"

namespace gwm::server {

absl::StatusOr<ImageOptions> ParseImageOptions(const google::protobuf::RepeatedField<int>& outputs,
                                               v1::DType rgb_dtype) {
  ImageOptions options{.outputs = outputs.empty() ? uint32_t{kRenderRgb} : 0};
  for (int i = 0; i < outputs.size(); ++i) {
    switch (outputs[i]) {
      case v1::RENDER_OUTPUT_RGB:
        options.outputs |= kRenderRgb;
        break;
      case v1::RENDER_OUTPUT_DEPTH:
        options.outputs |= kRenderDepth;
        break;
      case v1::RENDER_OUTPUT_ALPHA:
        options.outputs |= kRenderAlpha;
        break;
      case v1::RENDER_OUTPUT_GAUSSIANS:
        options.gaussians = true;
        break;
      default:
        return BadField(absl::StrCat("outputs[", i, "]"),
                        absl::StrCat(outputs[i],
                                     "; RENDER_OUTPUT_RGB, _DEPTH, _ALPHA and "
                                     "_GAUSSIANS are allowed"));
    }
  }
  if (rgb_dtype == v1::DTYPE_F32) {
    options.rgb_dtype = DType::kF32;
  } else if (rgb_dtype != v1::DTYPE_U8 && rgb_dtype != v1::DTYPE_UNSPECIFIED) {
    return BadField("rgb_dtype", absl::StrCat(static_cast<int>(rgb_dtype),
                                              "; DTYPE_U8 and DTYPE_F32 are allowed"));
  }
  return options;
}

absl::Status CheckPixels(size_t n, const std::vector<Camera>& cameras, const WorldSpec& spec,
                         const Limits& limits) {
  const uint64_t count = cameras.empty() ? static_cast<uint64_t>(spec.views) : cameras.size();
  const uint64_t width = static_cast<uint64_t>(cameras.empty() ? spec.width : cameras[0].width);
  const uint64_t height = static_cast<uint64_t>(cameras.empty() ? spec.height : cameras[0].height);
  const uint64_t pixels = n * count * width * height;
  if (pixels <= limits.max_pixels_per_render) return absl::OkStatus();
  return BeyondLimit("cameras",
                     absl::StrCat(n, " rows of ", count, " images of ", width, " x ", height, " = ",
                                  pixels, " pixels; up to max_pixels_per_render = ",
                                  limits.max_pixels_per_render, " are allowed"));
}

v1::GaussianCloud ToProto(GaussianCloud cloud) {
  v1::GaussianCloud out;
  *out.mutable_means() = ToProto(std::move(cloud.means));
  *out.mutable_log_scales() = ToProto(std::move(cloud.log_scales));
  *out.mutable_quats() = ToProto(std::move(cloud.quats));
  *out.mutable_sh() = ToProto(std::move(cloud.sh));
  *out.mutable_opacity_logits() = ToProto(std::move(cloud.opacity_logits));
  return out;
}

v1::RenderedImages ToProto(Images images) {
  v1::RenderedImages out;
  if (!images.rgb.shape.empty()) *out.mutable_rgb() = ToProto(std::move(images.rgb));
  if (!images.depth.shape.empty()) *out.mutable_depth() = ToProto(std::move(images.depth));
  if (!images.alpha.shape.empty()) *out.mutable_alpha() = ToProto(std::move(images.alpha));
  for (GaussianCloud& cloud : images.gaussians) {
    *out.add_gaussians() = ToProto(std::move(cloud));
  }
  return out;
}

}  // namespace gwm::server
