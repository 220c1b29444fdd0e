// What goes into Client::Encode and Client::Features, and what comes out. Letters in shapes as in
// gwm/types.h; D: width of a feature.
#ifndef GWM_PERCEPTION_TYPES_H_
#define GWM_PERCEPTION_TYPES_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "gwm/tensor.h"
#include "gwm/types.h"

namespace gwm::client {

struct EncodeOptions {
  // So many Gaussians of each world, 1..Spec::gaussians and up to Limits::max_sampled_gaussians; 0:
  // none.
  uint32_t gaussian_count = 0;
  ModelRef model;
  std::chrono::milliseconds timeout{0};
};
struct LatentTokens {
  Tensor latents;  // f32 [n, M, L], standardised
  Tensor centres;  // f32 [n, M, 3] m, world frame
  // n, each the farthest point sample of the world's means: its first k are the sample of k.
  std::vector<GaussianCloud> gaussians;
  std::string model_id;
  std::string checkpoint_digest;  // of the version that answered
};

// What becomes of the M hidden tokens of a world: see FeaturePooling in gwm/v1/perception.proto.
enum class FeaturePooling {
  kTokens = 1,     // all of them: [n, M, D]
  kMean = 2,       // their mean: [n, D]
  kAttention = 3,  // eight weighted means: [n, 8, D]
};
struct FeatureOptions {
  FeaturePooling pooling = FeaturePooling::kTokens;
  DType dtype = DType::kF32;  // kF32, kF16 or kBF16
  ModelRef model;
  std::chrono::milliseconds timeout{0};
};
struct FeatureTokens {
  Tensor features;  // as the options say
  Tensor centres;   // f32 [n, M, 3] m, world frame; empty when pooled
  std::string model_id;
  std::string checkpoint_digest;  // of the version that answered
  // What the features depend on besides the frames: equal keys and equal frames, equal features.
  std::string cache_key;
};

}  // namespace gwm::client

#endif  // GWM_PERCEPTION_TYPES_H_
