#include "engine/model/set_tokenizer.h"

#include <algorithm>
#include <cmath>

#include "engine/model/pixel_frame.h"
#include "engine/model/set_cells.h"

namespace gwm {
namespace {

constexpr int64_t kBands = 6;
constexpr int64_t kWhereBands = 2;
// ln of the posterior's variance at the start: less than the noise that the decoder is trained to
// bear.
constexpr double kFirstLogVar = -5;
constexpr int64_t kLookChannels = 4;  // 3 colour, 1 inverse depth
constexpr double kStale = 0.02;       // novelty below which a Gaussian is as it was at Reset
constexpr double kNever = -1000;      // logit of what must not be attended to

// Attention logits of points at their distance to token centres: a Gaussian fall-off with a reach
// per head. points: [B, N, 3], centres: [B, M, 3] (network positions), radius: [B, M, 1] m,
// log_reach: [heads] ln of the reach in radii -> [B, heads, M, N]
torch::Tensor ReachLogits(const torch::Tensor& points, const torch::Tensor& centres,
                          const torch::Tensor& radius, const torch::Tensor& log_reach) {
  // Network positions are half metres.
  auto distance = torch::cdist(centres, points) * 2.0 / radius;
  return distance.square().unsqueeze(1) * (-torch::exp(-2.0 * log_reach)).reshape({1, -1, 1, 1});
}

}  // namespace

SetTokenizer::SetTokenizer(const ModelConfig& config) : config_(config.tokenizer) {
  const auto& t = config_;
  const int64_t fourier = 6 * kBands + 3;
  point_embed_ = register_module(
      "point_embed",
      Mlp(fourier + kGaussianChannels + kNewsChannels + kRelativeChannels, t.width, t.width));
  anchor_embed_ = register_module("anchor_embed", RowLinear(fourier, t.width));
  query_ = register_module("query", RowLinear(t.width, t.width, false));
  key_value_ = register_module("key_value", RowLinear(t.width, 2 * t.width, false));
  attend_out_ = register_module("attend_out", RowLinear(t.width, t.width));
  where_ = register_module("where", RowLinear(t.heads * (6 * kWhereBands + 4), t.width));
  query_norm_ = register_module("query_norm", RmsNormLayer(t.width));
  point_norm_ = register_module("point_norm", RmsNormLayer(t.width));
  encoder_norm_ = register_module("encoder_norm", RmsNormLayer(t.width));
  // Heads start with reaches from half a token radius to several radii.
  auto reach = torch::linspace(std::log(0.5), std::log(4.0), t.heads);
  log_reach_ = register_parameter("log_reach", reach);
  news_ = register_parameter("news", torch::full({t.heads}, 4.0));
  nothing_ = register_parameter("nothing", torch::full({t.heads}, 6.0));
  look_ = register_module("look", Mlp(kCellFunctions * kLookChannels, 2 * t.width, t.width));
  news_moments_ =
      register_module("news_moments", Mlp(kCellFunctions * kNewsChannels, 2 * t.width, t.width));
  encoder_mlp_ = register_module("encoder_mlp", Mlp(t.width, 4 * t.width, t.width));
  to_posterior_ = register_module("to_posterior", RowLinear(t.width, 2 * t.latent_dim));
  {
    torch::NoGradGuard no_grad;
    to_posterior_->bias.narrow(0, t.latent_dim, t.latent_dim).fill_(kFirstLogVar);
  }
  from_latents_ = register_module("from_latents", RowLinear(2 * t.latent_dim, t.width));
  decoder_ = register_module("decoder", SetDecoder(t));
}

torch::Tensor SetTokenizer::EmbedAnchors(const Anchors& anchors) {
  return anchor_embed_(FourierFeatures(NetworkPositions(anchors.centres), kBands)) +
         look_(anchors.cache[SetCache::kLook]);
}

Anchors SetTokenizer::ChooseAnchors(const SceneBatch& scene) {
  torch::NoGradGuard no_grad;
  const auto& means = scene.gaussians.means;
  Anchors anchors;
  anchors.reset = scene;
  // Farthest points come in order: the centres are the first of a longer list, and so are the
  // places where the encoder looks.
  const int64_t looks = std::clamp<int64_t>(config_.input_gaussians / 2, 0, means.size(1));
  const auto sight_positions = SightPositions(means, scene);
  const auto index = SampleFarthest(sight_positions, std::max(config_.tokens, looks));
  const auto farthest = GatherPoints(means, index);
  anchors.centres = farthest.narrow(1, 0, config_.tokens);
  const auto sight_centres = GatherPoints(sight_positions, index.narrow(1, 0, config_.tokens));
  const auto owner = NearestOf(sight_positions, sight_centres).index;
  const auto cells = MakeCells(sight_positions, sight_centres, owner);
  auto centres = GatherPoints(anchors.centres, owner);
  auto to_centre = (means - centres).norm(2, -1, /*keepdim=*/true);
  auto radius = MeanByOwner(to_centre, owner, config_.tokens) * 1.5 + 0.02;
  auto log_scale = MeanByOwner(scene.gaussians.log_scales, owner, config_.tokens);
  // K fresh Gaussians stand for N / M pixel Gaussians: larger by the root of the ratio.
  const double ratio = static_cast<double>(means.size(1)) /
                       static_cast<double>(config_.tokens * config_.gaussians_per_token);
  const auto sight = SightOf(scene);
  const auto look = torch::cat({2.0 * scene.gaussians.rgb0() - 1.0, 0.5 * sight.inverse_depth}, -1);
  const int64_t slots = cells.within.size(1) * cells.within.size(2);
  anchors.cache = {owner,
                   radius,
                   log_scale + 0.5 * std::log(std::max(1.0, ratio)),
                   Places(scene, sight, centres, GatherPoints(radius, owner)),
                   sight.ray,
                   sight.inverse_depth,
                   farthest.narrow(1, 0, looks),
                   FitToOwnViews(scene, config_.colour_passes).gaussians.sh,
                   cells.slot,
                   cells.within,
                   cells.count,
                   CellMoments(IntoSlots(look, cells.slot, slots), cells.within, cells.count)};
  anchors.latents = Encode(scene, anchors).mean;
  return anchors;
}

SetTokenizer::Input SetTokenizer::Choose(const SceneBatch& scene, const SceneNews& news,
                                         const Anchors& anchors) const {
  auto features = torch::cat({PointFeatures(scene.gaussians), news.values}, -1);
  const int64_t count = features.size(1);
  if (config_.input_gaussians <= 0 || config_.input_gaussians >= count)
    return {features, scene.gaussians.means, torch::zeros({1, 1}, features.options())};
  // Small moving things are never lost among the samples, and those stay where they are from frame
  // to frame.
  const int64_t newest = config_.input_gaussians - anchors.cache[SetCache::kSamples].size(1);
  auto [novelty, newest_index] = news.values.select(-1, kNewsChannels - 1).topk(newest);
  auto samples = NearestOf(anchors.cache[SetCache::kSamples], scene.gaussians.means).index;
  // What is not new among the newest stands there by chance.
  auto stale = torch::where(novelty < kStale, kNever, 0.0);
  auto index = torch::cat({newest_index, samples}, 1);
  return {GatherPoints(features, index), GatherPoints(scene.gaussians.means, index),
          torch::constant_pad_nd(stale, {0, samples.size(1)})};
}

torch::Tensor SetTokenizer::Within(const Input& input, const Anchors& anchors) const {
  torch::NoGradGuard no_grad;
  auto owner = NearestOf(input.means, anchors.centres).index;
  return RelativeFeatures(input.means - GatherPoints(anchors.centres, owner),
                          GatherPoints(anchors.cache[SetCache::kRadius], owner));
}

torch::Tensor SetTokenizer::NewsMoments(const SceneNews& news, const Anchors& anchors) const {
  const auto& within = anchors.cache[SetCache::kWithin];  // [B, M, P, 2]
  const int64_t slots = within.size(1) * within.size(2);
  const auto own = anchors.cache[SetCache::kSlot].gather(1, news.pixel.clamp_min(0));
  const auto change = IntoSlots(news.values, torch::where(news.pixel < 0, slots, own), slots);
  return CellMoments(change, within, anchors.cache[SetCache::kCount]);
}

Posterior SetTokenizer::Encode(const SceneBatch& scene, const Anchors& anchors) {
  const auto news = News(scene, anchors.reset);
  const auto input = Choose(scene, news, anchors);
  const auto& features = input.features;
  const auto position = features.slice(-1, 0, 3);
  auto points = point_embed_(
      torch::cat({FourierFeatures(position, kBands), features, Within(input, anchors)}, -1));
  auto x = EmbedAnchors(anchors);
  auto q = SplitHeads(query_(query_norm_(x)), config_.heads);
  auto kv = key_value_(point_norm_(points)).chunk(2, -1);
  auto logits = torch::matmul(q, SplitHeads(kv[0], config_.heads).transpose(-1, -2)) /
                std::sqrt(static_cast<double>(q.size(-1)));
  // Nearby Gaussians first, and what is new before what was there.
  logits = logits +
           ReachLogits(position, NetworkPositions(anchors.centres),
                       anchors.cache[SetCache::kRadius], log_reach_) +
           features.select(-1, -1).unsqueeze(1).unsqueeze(1) * news_.reshape({1, -1, 1, 1}) +
           input.bias.unsqueeze(1).unsqueeze(1);
  // A share of the attention that falls with the number of Gaussians goes to nothing, so that a sum
  // over few of them stays a small sum.
  auto nothing = nothing_.reshape({1, -1, 1, 1}).expand({q.size(0), -1, q.size(2), -1});
  auto weights = torch::softmax(torch::cat({logits, nothing}, -1), -1).slice(-1, 0, -1);
  auto attended = torch::matmul(weights, SplitHeads(kv[1], config_.heads));
  // Where the attended Gaussians lie, in radii from the centre.
  auto moments = torch::matmul(weights, torch::constant_pad_nd(position, {0, 1}, 1.0).unsqueeze(1));
  auto mass = moments.slice(-1, 3, 4);
  auto offset = (moments.slice(-1, 0, 3) - mass * NetworkPositions(anchors.centres).unsqueeze(1)) /
                anchors.cache[SetCache::kRadius].unsqueeze(1);
  auto where = torch::cat({FourierFeatures(offset, kWhereBands), mass}, -1);
  x = x + attend_out_(MergeHeads(attended)) + where_(MergeHeads(where)) +
      news_moments_(NewsMoments(news, anchors));
  x = x + encoder_mlp_(encoder_norm_(x));
  auto halves = to_posterior_(x).chunk(2, -1);
  return {halves[0], halves[1].clamp(-12, 4)};
}

Gaussians SetTokenizer::Decode(const torch::Tensor& latents, const Anchors& anchors) {
  auto x = from_latents_(torch::cat({latents, anchors.latents}, -1)) + EmbedAnchors(anchors);
  // Differences of the size of the noise that the decoder is trained to bear are no news.
  auto difference = (latents - anchors.latents).square().mean(-1, /*keepdim=*/true);
  const double bearable = std::max(1e-4, config_.latent_noise * config_.latent_noise);
  auto news = 1.0 - torch::exp(-(difference / (4.0 * bearable)).square());
  return decoder_(x, news, anchors);
}

}  // namespace gwm
