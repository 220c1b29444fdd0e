#include "engine/model/set_tokenizer.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "kernels/fps.h"
#include "kernels/nearest.h"

namespace gwm {
namespace {

constexpr int64_t kBands = 6;
constexpr int64_t kGaussianChannels = 14;  // 3 mean, 3 log-scale, 4 quaternion, 3 colour, 1 opacity

// Layout of Anchors::cache.
enum CacheIndex { kOwner = 0, kRadius, kBaseLogScale };

// Positions for networks and sampling: half metres, far points pulled in.
torch::Tensor NetworkPositions(const torch::Tensor& p) { return ContractPositions(p * 0.5); }

// [B, N, 14]: what the encoder reads of a Gaussian. The quaternion's sign is fixed, log-scales are
// brought to order one.
torch::Tensor PointFeatures(const Gaussians& g) {
  auto sign = torch::where(g.quats.slice(-1, 0, 1) < 0, -1.0, 1.0);
  return torch::cat({NetworkPositions(g.means), g.log_scales * 0.25, g.quats * sign,
                     g.sh.select(-2, 0), g.opacity_logits.unsqueeze(-1) * 0.25},
                    -1);
}

// i64 [B, count] of farthest points. points: [B, N, 3]
torch::Tensor SampleFarthest(const torch::Tensor& points, int64_t count) {
  auto host = points.detach().to(torch::kCPU).contiguous();
  auto index = torch::empty({host.size(0), count}, torch::kLong);
  kernels::FpsArgs args;
  args.points = host.data_ptr<float>();
  args.batch = host.size(0);
  args.num_points = host.size(1);
  args.num_samples = count;
  args.indices = index.data_ptr<int64_t>();
  std::vector<float> scratch(static_cast<size_t>(kernels::FpsScratchFloats(args)));
  TORCH_CHECK(kernels::FarthestPointSample(args, scratch.data()) == kernels::KernelStatus::kOk,
              "farthest point sampling: bad sizes");
  return index.to(points.device());
}

torch::Tensor GatherPoints(const torch::Tensor& x, const torch::Tensor& index) {
  return x.gather(1, index.unsqueeze(-1).expand({-1, -1, x.size(-1)}));
}

// i64 [B, N]: the nearest centre of every point.
torch::Tensor NearestCentre(const torch::Tensor& points, const torch::Tensor& centres) {
  auto p = points.detach().to(torch::kCPU).contiguous();
  auto c = centres.detach().to(torch::kCPU).contiguous();
  auto index = torch::empty({p.size(0), p.size(1)}, torch::kLong);
  auto distance = torch::empty({p.size(0), p.size(1)});
  kernels::NearestArgs args;
  args.queries = p.data_ptr<float>();
  args.targets = c.data_ptr<float>();
  args.batch = p.size(0);
  args.num_queries = p.size(1);
  args.num_targets = c.size(1);
  args.sqdist = distance.data_ptr<float>();
  args.index = index.data_ptr<int64_t>();
  TORCH_CHECK(kernels::NearestNeighbours(args) == kernels::KernelStatus::kOk,
              "nearest neighbours: bad sizes");
  return index.to(points.device());
}

// Mean over the points of each owner; owners without points get 0. x: [B, N, C] -> [B, M, C]
torch::Tensor MeanByOwner(const torch::Tensor& x, const torch::Tensor& owner, int64_t owners) {
  auto index = owner.unsqueeze(-1).expand({-1, -1, x.size(-1)});
  auto sum = torch::zeros({x.size(0), owners, x.size(-1)}, x.options()).scatter_add(1, index, x);
  auto count = torch::zeros({x.size(0), owners}, x.options())
                   .scatter_add(1, owner, torch::ones_like(owner, x.options()));
  return sum / count.clamp_min(1).unsqueeze(-1);
}

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

SetTokenizer::SetTokenizer(const ModelConfig& config) : config_(config) {
  const auto& t = config.tokenizer;
  const int64_t fourier = 6 * kBands + 3;
  point_embed_ = register_module("point_embed", RowLinear(fourier + kGaussianChannels, t.width));
  anchor_embed_ = register_module("anchor_embed", RowLinear(fourier, t.width));
  query_ = register_module("query", RowLinear(t.width, t.width, false));
  key_value_ = register_module("key_value", RowLinear(t.width, 2 * t.width, false));
  attend_out_ = register_module("attend_out", RowLinear(t.width, t.width));
  query_norm_ = register_module("query_norm", RmsNormLayer(t.width));
  point_norm_ = register_module("point_norm", RmsNormLayer(t.width));
  encoder_norm_ = register_module("encoder_norm", RmsNormLayer(t.width));
  // Heads start with reaches from half a token radius to several radii.
  auto reach = torch::linspace(std::log(0.5), std::log(4.0), t.heads);
  log_reach_ = register_parameter("log_reach", reach);
  encoder_mlp_ = register_module("encoder_mlp", Mlp(t.width, 4 * t.width, t.width));
  to_posterior_ = register_module("to_posterior", RowLinear(t.width, 2 * t.latent_dim));
  from_latents_ = register_module("from_latents", RowLinear(2 * t.latent_dim, t.width));
  for (int64_t i = 0; i < t.depth; ++i) {
    blocks_.push_back(register_module(absl::StrCat("block", i), TokenBlock(t.width, t.heads)));
  }
  decoder_norm_ = register_module("decoder_norm", RmsNormLayer(t.width));
  to_gaussians_ = register_module("to_gaussians",
                                  RowLinear(t.width, t.gaussians_per_token * kGaussianChannels));
  to_gate_ = register_module("to_gate", RowLinear(t.width, 1));
}

torch::Tensor SetTokenizer::EmbedCentres(const torch::Tensor& centres) {
  return anchor_embed_(FourierFeatures(NetworkPositions(centres), kBands));
}

Anchors SetTokenizer::ChooseAnchors(const SceneBatch& scene) {
  torch::NoGradGuard no_grad;
  const auto& means = scene.gaussians.means;
  Anchors anchors;
  anchors.reset = scene;
  anchors.centres =
      GatherPoints(means, SampleFarthest(NetworkPositions(means), config_.tokenizer.tokens));
  auto owner = NearestCentre(NetworkPositions(means), NetworkPositions(anchors.centres));
  auto to_centre = (means - GatherPoints(anchors.centres, owner)).norm(2, -1, /*keepdim=*/true);
  const int64_t tokens = config_.tokenizer.tokens;
  auto radius = MeanByOwner(to_centre, owner, tokens) * 1.5 + config_.tokenizer.offset_extent_m;
  auto log_scale = MeanByOwner(scene.gaussians.log_scales, owner, tokens);
  // K decoded Gaussians take the place of N / M pixel Gaussians: larger by the root of the ratio.
  const double ratio = static_cast<double>(means.size(1)) /
                       static_cast<double>(tokens * config_.tokenizer.gaussians_per_token);
  anchors.cache = {owner, radius, log_scale + 0.5 * std::log(std::max(1.0, ratio))};
  anchors.latents = Encode(scene, anchors).mean;
  return anchors;
}

Posterior SetTokenizer::Encode(const SceneBatch& scene, const Anchors& anchors) {
  const auto& t = config_.tokenizer;
  auto features = PointFeatures(scene.gaussians);
  if (t.input_gaussians > 0 && t.input_gaussians < features.size(1)) {
    features = GatherPoints(features, SampleFarthest(features.slice(-1, 0, 3), t.input_gaussians));
  }
  auto position = features.slice(-1, 0, 3);
  auto points = point_embed_(torch::cat({FourierFeatures(position, kBands), features}, -1));
  auto x = EmbedCentres(anchors.centres);
  auto q = SplitHeads(query_(query_norm_(x)), t.heads);
  auto kv = key_value_(point_norm_(points)).chunk(2, -1);
  auto logits = torch::matmul(q, SplitHeads(kv[0], t.heads).transpose(-1, -2)) /
                std::sqrt(static_cast<double>(q.size(-1)));
  // Nearby Gaussians first: a Gaussian fall-off with a learned reach per head.
  auto distance = torch::cdist(NetworkPositions(anchors.centres), position) * 2.0;  // [B, M, N] m
  auto relative = (distance / anchors.cache[kRadius]).square().unsqueeze(1);
  logits = logits - relative * torch::exp(-2.0 * log_reach_).reshape({1, -1, 1, 1});
  auto attended = torch::matmul(torch::softmax(logits, -1), SplitHeads(kv[1], t.heads));
  x = x + attend_out_(MergeHeads(attended));
  x = x + encoder_mlp_(encoder_norm_(x));
  auto halves = to_posterior_(x).chunk(2, -1);
  return {halves[0], halves[1].clamp(-12, 4)};
}

Gaussians SetTokenizer::TokenGaussians(const torch::Tensor& raw, const Anchors& anchors) {
  // raw: [B, M, K, 14]
  auto part = [&](int64_t begin, int64_t end) { return raw.slice(-1, begin, end); };
  Gaussians g;
  g.means =
      anchors.centres.unsqueeze(2) + torch::tanh(part(0, 3)) * anchors.cache[kRadius].unsqueeze(2);
  g.log_scales = anchors.cache[kBaseLogScale].unsqueeze(2) + 2.0 * torch::tanh(part(3, 6));
  auto identity = torch::tensor({1.0, 0.0, 0.0, 0.0}, raw.options());
  g.quats = part(6, 10) + identity;
  g.sh = part(10, 13).unsqueeze(-2);
  g.opacity_logits = part(13, 14).squeeze(-1) + 2.0;
  const int64_t batch = raw.size(0);
  g.means = g.means.reshape({batch, -1, 3});
  g.log_scales = g.log_scales.reshape({batch, -1, 3});
  g.quats = g.quats.reshape({batch, -1, 4});
  g.sh = g.sh.reshape({batch, -1, 1, 3});
  g.opacity_logits = g.opacity_logits.reshape({batch, -1});
  return g;
}

Gaussians SetTokenizer::Decode(const torch::Tensor& latents, const Anchors& anchors) {
  const auto& t = config_.tokenizer;
  auto x =
      from_latents_(torch::cat({latents, anchors.latents}, -1)) + EmbedCentres(anchors.centres);
  for (auto& block : blocks_) x = block(x);
  x = decoder_norm_(x);
  auto raw = to_gaussians_(x).reshape({x.size(0), x.size(1), t.gaussians_per_token, -1});
  auto fresh = TokenGaussians(raw, anchors);
  auto gate = torch::sigmoid(to_gate_(x)).squeeze(-1);  // [B, M]
  const auto scaled_logit = [](const torch::Tensor& logit, const torch::Tensor& factor) {
    auto opacity = (torch::sigmoid(logit) * factor).clamp(1e-6, 1.0 - 1e-6);
    return torch::logit(opacity);
  };
  fresh.opacity_logits =
      scaled_logit(fresh.opacity_logits, gate.repeat_interleave(t.gaussians_per_token, 1));
  Gaussians kept = anchors.reset.gaussians;
  kept.opacity_logits =
      scaled_logit(kept.opacity_logits, 1.0 - gate.gather(1, anchors.cache[kOwner]));
  const std::vector<Gaussians> parts = {kept, fresh};
  return Cat(parts);
}

}  // namespace gwm
