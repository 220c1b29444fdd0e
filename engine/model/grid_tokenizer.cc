#include "engine/model/grid_tokenizer.h"

#include <bit>

#include "absl/strings/str_cat.h"
#include "engine/model/pixel_frame.h"

namespace gwm {
namespace {

// Inverse depths of robot scenes lie around 1 / m; this brings them to the scale of colours.
constexpr double kInverseDepthScale = 0.5;

// Colour and inverse depth as network input, about zero mean and unit spread.
torch::Tensor Standardise(const torch::Tensor& pixels) {
  auto scale = torch::tensor({1.0, 1.0, 1.0, kInverseDepthScale}, pixels.options());
  return (pixels * scale.reshape({1, 4, 1, 1}) - 0.5) * 2.0;
}

torch::Tensor Destandardise(const torch::Tensor& x) {
  auto scale = torch::tensor({1.0, 1.0, 1.0, 1.0 / kInverseDepthScale}, x.options());
  return (x * 0.5 + 0.5) * scale.reshape({1, 4, 1, 1});
}

}  // namespace

ResidualBlockImpl::ResidualBlockImpl(int64_t channels) {
  first = register_module("first", Conv(channels, channels, 3));
  last = register_module("last", Conv(channels, channels, 3));
}

torch::Tensor ResidualBlockImpl::forward(const torch::Tensor& x) {
  return x + last(torch::silu(first(torch::silu(x))));
}

GridTokenizer::GridTokenizer(const ModelConfig& config) : config_(config) {
  const auto& t = config.tokenizer;
  const int levels = std::countr_zero(static_cast<uint64_t>(t.patch));
  for (int level = 1; level <= levels; ++level) {
    const double share = level == levels ? 1.0 : level == levels - 1 ? 0.6 : 0.3;
    channels_.push_back(std::max<int64_t>(16, static_cast<int64_t>(t.width * share) / 8 * 8));
  }
  stem_ = register_module("stem", Conv(16, channels_[0], 3));
  for (size_t i = 0; i + 1 < channels_.size(); ++i) {
    encoder_blocks_.push_back(
        register_module(absl::StrCat("encoder_block", i), ResidualBlock(channels_[i])));
    downs_.push_back(
        register_module(absl::StrCat("down", i), Conv(channels_[i], channels_[i + 1], 3, 2)));
    ups_.push_back(
        register_module(absl::StrCat("up", i), Conv(channels_[i + 1], 4 * channels_[i], 1)));
    merges_.push_back(
        register_module(absl::StrCat("merge", i), Conv(2 * channels_[i], channels_[i], 3)));
    decoder_blocks_.push_back(
        register_module(absl::StrCat("decoder_block", i), ResidualBlock(channels_[i])));
  }
  const int64_t deepest = channels_.back();
  for (int64_t i = 0; i < t.depth; ++i) {
    middle_.push_back(register_module(absl::StrCat("middle", i), ResidualBlock(deepest)));
    decoder_middle_.push_back(
        register_module(absl::StrCat("decoder_middle", i), ResidualBlock(deepest)));
  }
  to_posterior_ = register_module("to_posterior", Conv(deepest, 2 * t.latent_dim, 1));
  from_latents_ = register_module("from_latents", Conv(2 * t.latent_dim, deepest, 3));
  to_pixels_ = register_module("to_pixels", Conv(channels_[0], 4 * 5, 3));
}

torch::Tensor GridTokenizer::Trunk(const torch::Tensor& pixels, std::vector<torch::Tensor>* skips) {
  auto x = stem_(torch::pixel_unshuffle(Standardise(pixels.flatten(0, 1)), 2));
  for (size_t i = 0; i < downs_.size(); ++i) {
    x = encoder_blocks_[i](x);
    if (skips != nullptr) skips->push_back(x);
    x = downs_[i](torch::silu(x));
  }
  return x;
}

Posterior GridTokenizer::EncodePixels(const torch::Tensor& pixels,
                                      std::vector<torch::Tensor>* skips) {
  auto x = Trunk(pixels, skips);
  for (auto& block : middle_) x = block(x);
  x = to_posterior_(torch::silu(x));  // [B*V, 2L, h, w]
  auto tokens = x.flatten(2).transpose(1, 2).reshape({pixels.size(0), -1, x.size(1)});
  auto halves = tokens.chunk(2, -1);
  return {halves[0], halves[1].clamp(-12, 4)};
}

torch::Tensor GridTokenizer::TokensToGrid(const torch::Tensor& tokens) const {
  const int64_t rows = config_.height / config_.tokenizer.patch;
  const int64_t columns = config_.width / config_.tokenizer.patch;
  return tokens.reshape({-1, rows * columns, tokens.size(-1)})
      .transpose(1, 2)
      .reshape({-1, tokens.size(-1), rows, columns});
}

DecodedPixels GridTokenizer::DecodePixels(const torch::Tensor& latents,
                                          const torch::Tensor& reset_pixels,
                                          const torch::Tensor& reset_latents,
                                          const std::vector<torch::Tensor>& skips) {
  auto x = from_latents_(TokensToGrid(torch::cat({latents, reset_latents}, -1)));
  for (auto& block : decoder_middle_) x = block(x);
  for (size_t i = ups_.size(); i-- > 0;) {
    x = torch::pixel_shuffle(ups_[i](torch::silu(x)), 2);
    x = merges_[i](torch::silu(torch::cat({x, skips[i]}, 1)));
    x = decoder_blocks_[i](x);
  }
  auto out = torch::pixel_shuffle(to_pixels_(torch::silu(x)), 2);  // [B*V, 5, H, W]
  const auto shape = reset_pixels.sizes();
  DecodedPixels decoded;
  decoded.candidate = Destandardise(out.narrow(1, 0, 4)).reshape(shape);
  decoded.gate =
      torch::sigmoid(out.narrow(1, 4, 1)).reshape({shape[0], shape[1], 1, shape[3], shape[4]});
  decoded.pixels = reset_pixels + decoded.gate * (decoded.candidate - reset_pixels);
  return decoded;
}

Anchors GridTokenizer::ChooseAnchors(const SceneBatch& scene) {
  torch::NoGradGuard no_grad;
  auto pixels = PixelsFromScene(scene);
  Anchors anchors;
  anchors.reset = scene;
  std::vector<torch::Tensor> skips;
  anchors.latents = EncodePixels(pixels, &skips).mean;
  auto means =
      scene.gaussians.means.reshape({scene.batch() * scene.views(), scene.height, scene.width, 3})
          .permute({0, 3, 1, 2});
  // The centre of a patch is the mean of its points: smooth in the camera's pose and inside the
  // patch's extent.
  auto centres = torch::avg_pool2d(means, config_.tokenizer.patch);
  anchors.centres = centres.flatten(2).transpose(1, 2).reshape({scene.batch(), -1, 3});
  anchors.cache.push_back(PixelsFromScene(FitToOwnViews(scene, config_.tokenizer.colour_passes)));
  for (const auto& skip : skips) {
    anchors.cache.push_back(
        skip.reshape({scene.batch(), scene.views(), skip.size(1), skip.size(2), skip.size(3)}));
  }
  return anchors;
}

Posterior GridTokenizer::Encode(const SceneBatch& scene, const Anchors& anchors) {
  (void)anchors;  // Patches of a fixed camera are their own anchors.
  return EncodePixels(PixelsFromScene(scene));
}

Gaussians GridTokenizer::Decode(const torch::Tensor& latents, const Anchors& anchors) {
  std::vector<torch::Tensor> skips;
  for (size_t i = 1; i < anchors.cache.size(); ++i) {
    skips.push_back(anchors.cache[i].flatten(0, 1));
  }
  auto pixels = DecodePixels(latents, anchors.cache[0], anchors.latents, skips).pixels;
  return GaussiansFromPixels(pixels, anchors.reset, config_.gaussian_size);
}

}  // namespace gwm
