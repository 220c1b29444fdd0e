#include "server/convert/perception_reply.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/convert/scene.h"
#include "server/convert/tensor.h"

namespace gwm::server {
namespace {

// Raised whenever the same checkpoint and frames would give other features.
constexpr int kFeatureVersion = 1;

const char* NameOf(FeaturePooling pooling) {
  switch (pooling) {
    case FeaturePooling::kTokens:
      return "tokens";
    case FeaturePooling::kMean:
      return "mean";
    case FeaturePooling::kAttention:
      return "attention";
  }
  return "";
}

}  // namespace

std::string FeatureCacheKey(const WorldSpec& spec, FeaturePooling pooling, DType dtype) {
  // Which of several devices of a kind it was does not matter.
  const std::string device = spec.device.substr(0, spec.device.find(':'));
  return absl::StrCat("features-", kFeatureVersion, "/", spec.checkpoint_digest, "/", device, "/",
                      spec.precision, "/", NameOf(pooling), "/", std::string(DTypeName(dtype)));
}

void FillEncode(EncodeResult result, const WorldSpec& spec, v1::EncodeReply& out) {
  *out.mutable_latents() = ToProto(std::move(result.latents));
  *out.mutable_centres() = ToProto(std::move(result.centres));
  for (GaussianCloud& cloud : result.gaussians) *out.add_gaussians() = ToProto(std::move(cloud));
  out.set_model_id(spec.model_id);
  out.set_checkpoint_digest(spec.checkpoint_digest);
}

void FillFeatures(FeatureResult result, const WorldSpec& spec, FeaturePooling pooling,
                  v1::FeaturesReply& out) {
  out.set_model_id(spec.model_id);
  out.set_checkpoint_digest(spec.checkpoint_digest);
  out.set_cache_key(FeatureCacheKey(spec, pooling, result.features.dtype));
  *out.mutable_features() = ToProto(std::move(result.features));
  if (!result.centres.shape.empty()) *out.mutable_centres() = ToProto(std::move(result.centres));
}

}  // namespace gwm::server
