#include "server/convert/perception_request.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/error.h"
#include "server/base/status.h"
#include "server/convert/scene.h"
#include "server/convert/tensor.h"

namespace gwm::server {
namespace {

absl::Status CheckRows(int64_t rows, const std::string& field, const Limits& limits) {
  if (rows <= limits.max_perception_rows) return absl::OkStatus();
  return BeyondLimit(field, absl::StrCat("n = ", rows, " worlds; up to max_perception_rows = ",
                                         limits.max_perception_rows, " are allowed"));
}

absl::StatusOr<FramesBatch> ParsePerceptionFrames(const v1::RgbdFrames& frames,
                                                  const WorldSpec& spec, const Limits& limits) {
  ASSIGN_OR_RETURN(FramesBatch batch, ParseFrames(frames, "frames", spec));
  RETURN_IF_ERROR(CheckRows(static_cast<int64_t>(batch.rows.size()), "frames.rgb", limits));
  return batch;
}

absl::StatusOr<FeaturePooling> ParsePooling(v1::FeaturePooling pooling) {
  switch (pooling) {
    case v1::FEATURE_POOLING_UNSPECIFIED:
    case v1::FEATURE_POOLING_TOKENS:
      return FeaturePooling::kTokens;
    case v1::FEATURE_POOLING_MEAN:
      return FeaturePooling::kMean;
    case v1::FEATURE_POOLING_ATTENTION:
      return FeaturePooling::kAttention;
    default:
      return BadField("pooling", absl::StrCat(static_cast<int>(pooling),
                                              "; FEATURE_POOLING_TOKENS, _MEAN and _ATTENTION "
                                              "are allowed"));
  }
}

absl::StatusOr<DType> ParseFeatureDType(v1::DType dtype) {
  switch (dtype) {
    case v1::DTYPE_UNSPECIFIED:
    case v1::DTYPE_F32:
      return DType::kF32;
    case v1::DTYPE_F16:
      return DType::kF16;
    case v1::DTYPE_BF16:
      return DType::kBF16;
    default:
      return BadField("dtype", absl::StrCat(static_cast<int>(dtype),
                                            "; DTYPE_F32, DTYPE_F16 and DTYPE_BF16 are allowed"));
  }
}

}  // namespace

absl::StatusOr<EncodeArgs> ParseEncode(const v1::EncodeRequest& request, const WorldSpec& spec,
                                       const Limits& limits) {
  EncodeArgs args{.gaussian_count = request.gaussian_count()};
  if (args.gaussian_count > spec.gaussians) {
    return BeyondLimit("gaussian_count",
                       absl::StrCat(args.gaussian_count, "; the model decodes ", spec.gaussians,
                                    " Gaussians (SimulatorSpec.gaussians)"));
  }
  if (args.gaussian_count > limits.max_sampled_gaussians) {
    return BeyondLimit("gaussian_count",
                       absl::StrCat(args.gaussian_count, "; up to max_sampled_gaussians = ",
                                    limits.max_sampled_gaussians, " are allowed"));
  }
  ASSIGN_OR_RETURN(args.frames, ParsePerceptionFrames(request.frames(), spec, limits));
  return args;
}

absl::StatusOr<FeatureArgs> ParseFeatures(const v1::FeaturesRequest& request, const WorldSpec& spec,
                                          const Limits& limits) {
  FeatureArgs args;
  ASSIGN_OR_RETURN(args.pooling, ParsePooling(request.pooling()));
  ASSIGN_OR_RETURN(args.dtype, ParseFeatureDType(request.dtype()));
  ASSIGN_OR_RETURN(args.frames, ParsePerceptionFrames(request.frames(), spec, limits));
  return args;
}

absl::StatusOr<DecodeArgs> ParseDecode(const v1::DecodeRequest& request, const WorldSpec& spec,
                                       const Limits& limits) {
  DecodeArgs args;
  ASSIGN_OR_RETURN(args.frames, ParsePerceptionFrames(request.frames(), spec, limits));
  ASSIGN_OR_RETURN(
      const TensorView latents,
      ParseTensor(request.latents(),
                  {"latents", DType::kF32, {kAnySize, spec.tokens, spec.latent_dim}, "[n, M, L]"}));
  RETURN_IF_ERROR(CheckFinite(latents, "latents"));
  const int64_t n = latents.shape[0];
  RETURN_IF_ERROR(CheckRows(n, "latents", limits));
  const int64_t worlds = static_cast<int64_t>(args.frames.rows.size());
  if (worlds != 1 && worlds != n) {
    return BadTensor("frames.rgb", absl::StrCat("n = ", worlds, " worlds; 1 or ", n,
                                                " (the rows of latents) are allowed"));
  }
  const auto values = latents.values<float>();
  const size_t row_size = values.size() / static_cast<size_t>(n);
  for (int64_t row = 0; row < n; ++row) {
    args.latents.emplace_back(DType::kF32, latents.shape.subspan(1),
                              values.data() + static_cast<size_t>(row) * row_size);
  }
  ASSIGN_OR_RETURN(args.cameras, ParseCameras(request.cameras(), "cameras", limits));
  ASSIGN_OR_RETURN(args.options, ParseImageOptions(request.outputs(), request.rgb_dtype()));
  RETURN_IF_ERROR(CheckPixels(static_cast<size_t>(n), args.cameras, spec, limits));
  return args;
}

}  // namespace gwm::server
