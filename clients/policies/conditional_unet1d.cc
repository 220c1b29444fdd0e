#include "clients/policies/conditional_unet1d.h"

#include "absl/strings/str_cat.h"
#include "clients/policies/time_embedding.h"

namespace gwm::policies {

Conv1dBlockImpl::Conv1dBlockImpl(int64_t in, int64_t out, int64_t kernel, int64_t groups)
    : conv_(in, out, kernel, /*stride=*/1, /*padding=*/kernel / 2), norm_(groups, out) {
  RegisterGroup(*this, "block", {{"0", conv_.ptr()}, {"1", norm_.ptr()}});
}

torch::Tensor Conv1dBlockImpl::forward(const torch::Tensor& x) {
  return torch::mish(norm_(conv_(x)));
}

ConditionalResidualBlock1dImpl::ConditionalResidualBlock1dImpl(int64_t in, int64_t out,
                                                               int64_t condition_width,
                                                               const UnetOptions& options)
    : predict_scale_(options.predict_scale),
      first_(in, out, options.kernel, options.groups),
      second_(out, out, options.kernel, options.groups),
      condition_encoder_(condition_width, options.predict_scale ? 2 * out : out) {
  RegisterGroup(*this, "blocks", {{"0", first_.ptr()}, {"1", second_.ptr()}});
  RegisterGroup(*this, "cond_encoder", {{"1", condition_encoder_.ptr()}});
  if (in != out) residual_ = register_module("residual_conv", Conv1d(in, out, 1, 1, 0));
}

torch::Tensor ConditionalResidualBlock1dImpl::forward(const torch::Tensor& x,
                                                      const torch::Tensor& condition) {
  torch::Tensor out = first_(x);
  const torch::Tensor film = condition_encoder_(torch::mish(condition)).unsqueeze(-1);
  if (predict_scale_) {
    const std::vector<torch::Tensor> scale_and_bias = film.chunk(2, 1);
    out = scale_and_bias[0] * out + scale_and_bias[1];
  } else {
    out = out + film;
  }
  return second_(out) + (residual_ ? residual_(x) : x);
}

ConditionalUnet1dImpl::ConditionalUnet1dImpl(int64_t sample_width, int64_t condition_width,
                                             const UnetOptions& options)
    : options_(options),
      time_in_(options.time_width, 4 * options.time_width),
      time_out_(4 * options.time_width, options.time_width),
      final_block_(options.widths[0], options.widths[0], options.kernel, kUnetFinalGroups),
      final_(options.widths[0], sample_width, 1, 1, 0) {
  RegisterGroup(*this, "diffusion_step_encoder", {{"1", time_in_.ptr()}, {"3", time_out_.ptr()}});
  const int64_t film_width = options.time_width + condition_width;
  AddDownLevels(sample_width, film_width);
  const int64_t deepest = options.widths.back();
  middle_first_ = ConditionalResidualBlock1d(deepest, deepest, film_width, options);
  middle_second_ = ConditionalResidualBlock1d(deepest, deepest, film_width, options);
  RegisterGroup(*this, "mid_modules", {{"0", middle_first_.ptr()}, {"1", middle_second_.ptr()}});
  AddUpLevels(film_width);
  RegisterGroup(*this, "final_conv", {{"0", final_block_.ptr()}, {"1", final_.ptr()}});
}

ConditionalUnet1dImpl::Level ConditionalUnet1dImpl::MakeLevel(int64_t in, int64_t out,
                                                              int64_t condition_width) {
  Level level;
  level.first = ConditionalResidualBlock1d(in, out, condition_width, options_);
  level.second = ConditionalResidualBlock1d(out, out, condition_width, options_);
  return level;
}

void ConditionalUnet1dImpl::AddDownLevels(int64_t sample_width, int64_t condition_width) {
  const auto modules = register_module("down_modules", std::make_shared<torch::nn::Module>());
  int64_t in = sample_width;
  for (size_t i = 0; i < options_.widths.size(); ++i) {
    const int64_t out = options_.widths[i];
    Level level = MakeLevel(in, out, condition_width);
    NamedChildren children = {{"0", level.first.ptr()}, {"1", level.second.ptr()}};
    if (i + 1 < options_.widths.size()) {
      level.halving = Conv1d(out, out, /*kernel=*/3, /*stride=*/2, /*padding=*/1);
      const auto holder = std::make_shared<torch::nn::Module>();
      holder->register_module("conv", level.halving);
      children.emplace_back("2", holder);
    }
    RegisterGroup(*modules, absl::StrCat(i), children);
    down_.push_back(std::move(level));
    in = out;
  }
}

void ConditionalUnet1dImpl::AddUpLevels(int64_t condition_width) {
  const auto modules = register_module("up_modules", std::make_shared<torch::nn::Module>());
  for (size_t i = 0; i + 1 < options_.widths.size(); ++i) {
    const size_t deeper = options_.widths.size() - 1 - i;
    const int64_t out = options_.widths[deeper - 1];
    Level level = MakeLevel(2 * options_.widths[deeper], out, condition_width);
    level.doubling = DoublingConv1d(out);
    const auto holder = std::make_shared<torch::nn::Module>();
    holder->register_module("conv", level.doubling);
    RegisterGroup(*modules, absl::StrCat(i),
                  {{"0", level.first.ptr()}, {"1", level.second.ptr()}, {"2", holder}});
    up_.push_back(std::move(level));
  }
}

torch::Tensor ConditionalUnet1dImpl::forward(const torch::Tensor& sample, const torch::Tensor& time,
                                             const torch::Tensor& condition) {
  const torch::Tensor embedded =
      time_out_(torch::mish(time_in_(EmbedTime(time, options_.time_width))));
  const torch::Tensor film = torch::cat({embedded, condition}, -1);
  torch::Tensor x = sample.transpose(1, 2);
  std::vector<torch::Tensor> skips;
  for (Level& level : down_) {
    x = level.second(level.first(x, film), film);
    skips.push_back(x);
    if (level.halving) x = level.halving(x);
  }
  x = middle_second_(middle_first_(x, film), film);
  for (Level& level : up_) {
    x = torch::cat({x, skips.back()}, 1);
    skips.pop_back();
    x = level.doubling(level.second(level.first(x, film), film));
  }
  return final_(final_block_(x)).transpose(1, 2);
}

torch::Tensor ConditionalUnet1dImpl::Predict(const torch::Tensor& sample, const torch::Tensor& time,
                                             const torch::Tensor& observation) {
  return forward(sample, time, observation.flatten(1));
}

}  // namespace gwm::policies
