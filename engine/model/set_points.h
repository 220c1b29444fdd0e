// What the set tokenizer computes of Gaussians without weights: features, samples, owners, news.
#ifndef GWM_ENGINE_MODEL_SET_POINTS_H_
#define GWM_ENGINE_MODEL_SET_POINTS_H_

#include <torch/torch.h>

#include "engine/model/tokenizer.h"

namespace gwm {

inline constexpr int64_t kGaussianChannels =
    14;  // 3 mean, 3 log-scale, 4 quaternion, 3 colour, 1 opacity
inline constexpr int64_t kNewsChannels = 5;       // 3 colour, 1 inverse depth, 1 novelty
inline constexpr int64_t kRelativeChannels = 27;  // see RelativeFeatures
inline constexpr int64_t kPlaceChannels = 46 + kRelativeChannels;  // see Places

// Positions for networks and sampling: half metres, far points pulled in. [..., 3] m -> [..., 3]
torch::Tensor NetworkPositions(const torch::Tensor& p);

// Where points lie as seen from the middle of the cameras: the direction (in the axes of the first
// camera) times 1 + a share of the inverse distance. Even in the image, torn at its depth edges:
// the space in which centres are chosen and Gaussians find theirs. [B, N, 3] m -> [B, N, 3]
torch::Tensor SightPositions(const torch::Tensor& points, const SceneBatch& scene);

// [B, N, 14]: what the encoder reads of a Gaussian, network position first. The quaternion's sign
// is fixed, log-scales are brought to order one.
torch::Tensor PointFeatures(const Gaussians& g);

struct SceneNews {
  // [B, N, 5]: how each Gaussian differs from the one of the reset frame on the same pixel: colour,
  // inverse depth (1/m), and from both a novelty in [0, 1). Outside all cameras: 0, novelty 1.
  torch::Tensor values;
  torch::Tensor pixel;  // i64 [B, N] that Gaussian of the reset frame, -1 outside all cameras
};
// The pixel is found by projection into the cameras of `reset`, so the order of `scene` does not
// matter.
SceneNews News(const SceneBatch& scene, const SceneBatch& reset);

// Lines of sight of the pixel Gaussians of a frame.
struct Sight {
  torch::Tensor ray;            // [B, N, 3] m, from the camera to the Gaussian
  torch::Tensor inverse_depth;  // [B, N, 1] 1/m along the optical axis
};
Sight SightOf(const SceneBatch& scene);

// [B, N, 27]: Fourier features of where points lie within the token of their owner. offset: [B, N,
// 3] m from the owner's centre, radii: [B, N, 1] m
torch::Tensor RelativeFeatures(const torch::Tensor& offset, const torch::Tensor& radii);

// [B, N, 73]: what the decoder knows of a reset Gaussian: where it lies (Fourier features, and
// relative to its owner in radii), its direction from the camera, its inverse depth and its colour.
// centres, radii: those of the owners [B, N, 3], [B, N, 1] m.
torch::Tensor Places(const SceneBatch& scene, const Sight& sight, const torch::Tensor& centres,
                     const torch::Tensor& radii);

// i64 [B, count] of farthest points, from point 0 on. points: [B, N, D]
torch::Tensor SampleFarthest(const torch::Tensor& points, int64_t count);

// Of every query among the targets: squared distance f32 [B, N] and index i64 [B, N], no gradient.
// queries: [B, N, D], targets: [B, M, D], M >= 1
struct Neighbours {
  torch::Tensor sqdist, index;
};
Neighbours NearestOf(const torch::Tensor& queries, const torch::Tensor& targets);

// x: [B, N, C], index: i64 [B, K] -> [B, K, C]
torch::Tensor GatherPoints(const torch::Tensor& x, const torch::Tensor& index);

// Mean over the points of each owner; owners without points get 0. x: [B, N, C] -> [B, M, C]
torch::Tensor MeanByOwner(const torch::Tensor& x, const torch::Tensor& owner, int64_t owners);

}  // namespace gwm

#endif  // GWM_ENGINE_MODEL_SET_POINTS_H_
