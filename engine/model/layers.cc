#include "engine/model/layers.h"

#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace gwm {
namespace {
constexpr int64_t kMinRows = 16;
}  // namespace

RowLinearImpl::RowLinearImpl(int64_t in, int64_t out, bool with_bias) {
  weight = register_parameter("weight", torch::zeros({out, in}));
  if (with_bias) bias = register_parameter("bias", torch::zeros({out}));
}

torch::Tensor RowLinearImpl::forward(const torch::Tensor& x) {
  const int64_t rows = x.numel() / x.size(-1);
  if (torch::GradMode::is_enabled()) return torch::linear(x, weight, bias);
  if (rows >= kMinRows || rows == 0) return Multiply(x);
  auto flat = x.reshape({rows, x.size(-1)});
  auto padded = torch::constant_pad_nd(flat, {0, 0, 0, kMinRows - rows});
  auto shape = x.sizes().vec();
  shape.back() = weight.size(0);
  return Multiply(padded).narrow(0, 0, rows).reshape(shape);
}

void RowLinearImpl::UseBf16() {
  weight_bf16_ = weight.detach().to(torch::kBFloat16);
  if (bias.defined()) bias_bf16_ = bias.detach().to(torch::kBFloat16);
}

torch::Tensor RowLinearImpl::Multiply(const torch::Tensor& x) const {
  if (!weight_bf16_.defined()) return torch::linear(x, weight, bias);
  return torch::linear(x.to(torch::kBFloat16), weight_bf16_, bias_bf16_).to(torch::kFloat);
}

ConvImpl::ConvImpl(int64_t in, int64_t out, int64_t kernel, int64_t stride) : stride_(stride) {
  weight = register_parameter("weight", torch::zeros({out, in, kernel, kernel}));
  bias = register_parameter("bias", torch::zeros({out}));
}

torch::Tensor ConvImpl::forward(const torch::Tensor& x) {
  const int64_t padding = weight.size(2) / 2;
  if (torch::GradMode::is_enabled() || x.size(0) == 1) {
    return torch::conv2d(x, weight, bias, stride_, padding);
  }
  std::vector<torch::Tensor> rows;
  for (const auto& row : x.split(1)) {
    rows.push_back(torch::conv2d(row, weight, bias, stride_, padding));
  }
  return torch::cat(rows);
}

void InitWeights(torch::nn::Module& module, uint64_t seed,
                 const std::vector<std::string>& keep_zero) {
  torch::NoGradGuard no_grad;
  for (auto& item : module.named_parameters()) {
    torch::Tensor& weight = item.value();
    const std::string& name = item.key();
    const bool zero = std::any_of(keep_zero.begin(), keep_zero.end(), [&](const std::string& part) {
      return name.find(part) != std::string::npos;
    });
    if (weight.dim() < 2 || zero) continue;
    uint64_t key = seed ^ 0xcbf29ce484222325u;  // FNV-1a over the name
    for (char c : name) key = (key ^ static_cast<uint8_t>(c)) * 0x100000001b3u;
    auto generator = torch::make_generator<torch::CPUGeneratorImpl>(key);
    const int64_t receptive = weight.numel() / (weight.size(0) * weight.size(1));
    const auto fans = static_cast<double>((weight.size(0) + weight.size(1)) * receptive);
    const double bound = std::sqrt(6.0 / fans);
    weight.copy_(torch::empty(weight.sizes()).uniform_(-bound, bound, generator));
  }
}

torch::Tensor RmsNorm(const torch::Tensor& x, const torch::Tensor& weight, double eps) {
  auto y = x * torch::rsqrt(x.square().mean(-1, /*keepdim=*/true) + eps);
  return weight.defined() ? y * weight : y;
}

RmsNormLayerImpl::RmsNormLayerImpl(int64_t width) {
  weight = register_parameter("weight", torch::ones({width}));
}

Rope MakeRope(const torch::Tensor& positions, int64_t head_dim, double base,
              const std::vector<int64_t>& axis_of_band) {
  auto band = torch::arange(head_dim / 2, positions.options());
  auto frequency = torch::pow(base, band * (-2.0 / static_cast<double>(head_dim)));
  auto axis = torch::tensor(axis_of_band, torch::kLong).to(positions.device());
  auto angle = positions.index_select(-1, axis) * frequency;
  return {angle.cos(), angle.sin()};
}

std::vector<int64_t> DealtAxes(int64_t head_dim, int64_t axes) {
  std::vector<int64_t> axis_of_band(static_cast<size_t>(head_dim / 2));
  for (size_t i = 0; i < axis_of_band.size(); ++i) {
    axis_of_band[i] = static_cast<int64_t>(i) % axes;
  }
  return axis_of_band;
}

torch::Tensor ApplyRope(const torch::Tensor& x, const Rope& rope) {
  auto halves = x.chunk(2, -1);
  auto cos = rope.cos.unsqueeze(-3);
  auto sin = rope.sin.unsqueeze(-3);
  return torch::cat({halves[0] * cos - halves[1] * sin, halves[1] * cos + halves[0] * sin}, -1);
}

torch::Tensor TimeFeatures(const torch::Tensor& t, int64_t dim) {
  const int64_t half = dim / 2;
  auto frequency = torch::exp(torch::arange(half, t.options()) *
                              (-std::log(10000.0) / static_cast<double>(half)));
  auto angle = t.unsqueeze(-1) * frequency;
  return torch::cat({angle.cos(), angle.sin()}, -1);
}

torch::Tensor FourierFeatures(const torch::Tensor& x, int64_t bands) {
  auto frequency = torch::pow(2.0, torch::arange(bands, x.options())) * std::numbers::pi;
  auto angle = (x.unsqueeze(-1) * frequency).flatten(-2);
  return torch::cat({angle.sin(), angle.cos(), x}, -1);
}

torch::Tensor ContractPositions(const torch::Tensor& x) {
  auto norm = x.norm(2, -1, /*keepdim=*/true).clamp_min(1.0);
  return x * ((2.0 - 1.0 / norm) / norm);
}

torch::Tensor SplitHeads(const torch::Tensor& x, int64_t heads) {
  return x.reshape({x.size(0), x.size(1), heads, x.size(2) / heads}).transpose(1, 2);
}

torch::Tensor MergeHeads(const torch::Tensor& x) {
  return x.transpose(1, 2).reshape({x.size(0), x.size(2), x.size(1) * x.size(3)});
}

torch::Tensor Attention(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v) {
  return torch::scaled_dot_product_attention(q, k, v);
}

MlpImpl::MlpImpl(int64_t in, int64_t hidden, int64_t out) {
  up = register_module("up", RowLinear(in, hidden));
  down = register_module("down", RowLinear(hidden, out));
}

torch::Tensor MlpImpl::forward(const torch::Tensor& x) { return down(torch::gelu(up(x), "tanh")); }

int64_t ParameterCount(const torch::nn::Module& module) {
  int64_t count = 0;
  for (const auto& parameter : module.parameters()) {
    if (parameter.requires_grad()) count += parameter.numel();
  }
  return count;
}

}  // namespace gwm
