#include "engine/model/set_decoder.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "engine/model/set_cells.h"
#include "engine/model/set_points.h"

namespace gwm {
namespace {

constexpr int64_t kRepaintChannels = 5;  // 3 colour, 1 inverse depth, 1 gate
// Opacity logit from which fresh Gaussians start: seen by nobody, but not without a gradient.
constexpr double kTransparent = -5;

}  // namespace

TokenBlockImpl::TokenBlockImpl(int64_t width, int64_t heads) : heads_(heads) {
  norm1_ = register_module("norm1", RmsNormLayer(width));
  norm2_ = register_module("norm2", RmsNormLayer(width));
  qkv_ = register_module("qkv", RowLinear(width, 3 * width, /*bias=*/false));
  out_ = register_module("out", RowLinear(width, width));
  mlp_ = register_module("mlp", Mlp(width, 4 * width, width));
}

torch::Tensor TokenBlockImpl::forward(const torch::Tensor& x) {
  auto qkv = qkv_(norm1_(x)).chunk(3, -1);
  auto attended =
      Attention(SplitHeads(qkv[0], heads_), SplitHeads(qkv[1], heads_), SplitHeads(qkv[2], heads_));
  auto h = x + out_(MergeHeads(attended));
  return h + mlp_(norm2_(h));
}

SetDecoderImpl::SetDecoderImpl(const TokenizerConfig& config) : config_(config) {
  for (int64_t i = 0; i < config.depth; ++i) {
    blocks_.push_back(
        register_module(absl::StrCat("block", i), TokenBlock(config.width, config.heads)));
  }
  norm_ = register_module("norm", RmsNormLayer(config.width));
  const int64_t d = config.width / 2;
  cell_ = register_module("cell", RowLinear(config.width, kCellFunctions * d));
  spread_ = register_module("spread", RowLinear(d, 2 * d, /*bias=*/false));
  place_ = register_module("place", RowLinear(kPlaceChannels, 2 * d));
  hidden_ = register_module("hidden", RowLinear(d, d));
  repaint_ = register_module("repaint_last", RowLinear(d, kRepaintChannels));
  to_gaussians_ = register_module(
      "to_gaussians", RowLinear(config.width, config.gaussians_per_token * kGaussianChannels));
}

torch::Tensor SetDecoderImpl::Query(const torch::Tensor& x, const torch::Tensor& news,
                                    const Anchors& anchors) {
  const auto& cache = anchors.cache;
  const auto weights = cell_(x).reshape({x.size(0), x.size(1), kCellFunctions, -1});
  const auto local = torch::matmul(CellFunctions(cache[SetCache::kWithin]), weights);
  auto halves = (spread_(FromSlots(local.flatten(1, 2), cache[SetCache::kSlot])) +
                 place_(cache[SetCache::kPlace]))
                    .chunk(2, -1);
  auto h = torch::silu(halves[0]) * halves[1];
  auto out = repaint_(h + torch::silu(hidden_(h)));
  auto gate = torch::sigmoid(out.slice(-1, 4, 5)) * GatherPoints(news, cache[SetCache::kOwner]);
  return out.slice(-1, 0, 4) * gate;
}

Gaussians SetDecoderImpl::Fresh(const torch::Tensor& x, const Anchors& anchors) {
  auto raw = to_gaussians_(x).reshape({x.size(0), x.size(1), config_.gaussians_per_token, -1});
  auto part = [&](int64_t begin, int64_t end) { return raw.slice(-1, begin, end); };
  auto radius = anchors.cache[SetCache::kRadius] + config_.offset_extent_m;
  Gaussians g;
  g.means = anchors.centres.unsqueeze(2) + torch::tanh(part(0, 3)) * radius.unsqueeze(2);
  g.log_scales =
      anchors.cache[SetCache::kBaseLogScale].unsqueeze(2) + 2.0 * torch::tanh(part(3, 6));
  auto identity = torch::tensor({1.0, 0.0, 0.0, 0.0}, raw.options());
  g.quats = part(6, 10) + identity;
  g.sh = part(10, 13).unsqueeze(-2);
  g.opacity_logits = part(13, 14).squeeze(-1) + kTransparent;
  const int64_t batch = raw.size(0);
  g.means = g.means.reshape({batch, -1, 3});
  g.log_scales = g.log_scales.reshape({batch, -1, 3});
  g.quats = g.quats.reshape({batch, -1, 4});
  g.sh = g.sh.reshape({batch, -1, 1, 3});
  g.opacity_logits = g.opacity_logits.reshape({batch, -1});
  return g;
}

Gaussians SetDecoderImpl::forward(torch::Tensor x, const torch::Tensor& news,
                                  const Anchors& anchors) {
  for (auto& block : blocks_) x = block(x);
  x = norm_(x);
  auto change = Query(x, news, anchors);
  Gaussians kept = anchors.reset.gaussians;
  kept.sh = anchors.cache[SetCache::kFittedSh] + (change.slice(-1, 0, 3) / kSh0).unsqueeze(-2);
  // A pixel's Gaussian stays on the pixel's ray and keeps its size in the image.
  const auto& inverse = anchors.cache[SetCache::kInverseDepth];
  auto farther = inverse / (inverse + change.slice(-1, 3, 4)).clamp(1e-3, 50.0);
  kept.means = kept.means + anchors.cache[SetCache::kRay] * (farther - 1.0);
  kept.log_scales = kept.log_scales + farther.log();
  const std::vector<Gaussians> parts = {kept, Fresh(x, anchors)};
  return Cat(parts);
}

}  // namespace gwm
