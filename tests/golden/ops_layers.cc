// Layers and scalars: norms, rotary embeddings, EDM conditioners.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <stdexcept>

#include "engine/model/layers.h"
#include "engine/model/released/denoiser.h"
#include "kernels/edm_step.h"
#include "kernels/norm_modulate.h"
#include "kernels/rope.h"
#include "tests/golden/kernel_call.h"
#include "tests/golden/ops.h"

namespace gwm::golden {
namespace {

torch::Tensor KernelRmsNorm(const torch::Tensor& input, const torch::Tensor& weight, double eps) {
  const torch::Tensor x = F32(input), gain = F32(weight), out = torch::empty_like(x);
  const int64_t width = x.size(-1);
  Require(kernels::NormModulate({.x = x.data_ptr<float>(),
                                 .weight = gain.data_ptr<float>(),
                                 .rows = x.numel() / width,
                                 .width = width,
                                 .rows_per_condition = x.numel() / width,
                                 .eps = static_cast<float>(eps),
                                 .out = out.data_ptr<float>()}),
          "NormModulate");
  return out;
}

// Self-attention whose q and k are RMS-normalised per head with one weight vector each, before the
// usual scale.
torch::Tensor QkNormAttention(const Case& golden, const torch::Tensor& x, double eps) {
  const auto heads = golden.Param<int64_t>("heads");
  const int64_t width = x.size(-1);
  RowLinear qkv(width, 3 * width), proj(width, width);
  torch::NoGradGuard no_grad;
  qkv->weight.copy_(golden.Get("w.attn.qkv.weight"));
  proj->weight.copy_(golden.Get("w.attn.proj.weight"));
  for (auto [layer, name] : {std::pair{&qkv, "w.attn.qkv.bias"}, {&proj, "w.attn.proj.bias"}}) {
    const torch::Tensor bias = golden.Find(name);
    if (bias.defined()) (*layer)->bias.copy_(bias);
    if (!bias.defined()) (*layer)->bias.zero_();
  }
  const std::vector<torch::Tensor> parts = qkv->forward(x).chunk(3, -1);
  const torch::Tensor q =
      RmsNorm(SplitHeads(parts[0], heads), golden.Find("w.attn.q_norm.weight"), eps);
  const torch::Tensor k =
      RmsNorm(SplitHeads(parts[1], heads), golden.Find("w.attn.k_norm.weight"), eps);
  return proj->forward(MergeHeads(Attention(q, k, SplitHeads(parts[2], heads))));
}

void RunNorms(Case& golden) {
  const Tolerance tolerance = golden.tolerance().General({2e-5, 1e-4});
  const auto rms_eps = golden.ParamOr("rms_eps", 1e-6), ln_eps = golden.ParamOr("ln_eps", 1e-5);
  const auto plain_eps = golden.ParamOr("ln_noaffine_eps", 1e-6);
  for (const std::string suffix : {"", "_edge"}) {
    torch::Tensor x = golden.Find("in.x" + suffix);
    if (!x.defined()) continue;
    const int64_t width = x.size(-1);
    golden.Check("out.ln_noaffine" + suffix, torch::layer_norm(x, {width}, {}, {}, plain_eps),
                 tolerance);
    if (golden.Has("w.ln.weight")) {
      golden.Check("out.ln" + suffix,
                   torch::layer_norm(x, {width}, golden.Get("w.ln.weight"),
                                     golden.Find("w.ln.bias"), ln_eps),
                   tolerance);
    }
    if (golden.Wants("out.qknorm_attn" + suffix)) {
      golden.Check("out.qknorm_attn" + suffix, QkNormAttention(golden, x, rms_eps), tolerance);
    }
    if (!golden.Has("w.rms.weight")) continue;
    torch::Tensor weight = golden.Get("w.rms.weight").clone().requires_grad_();
    golden.Check("out.rms" + suffix, KernelRmsNorm(x, weight.detach(), rms_eps), tolerance);
    const torch::Tensor leaf = x.clone().requires_grad_();
    const torch::Tensor y = RmsNorm(leaf, weight, rms_eps);
    golden.Check("out.rms" + suffix, y, tolerance);
    const std::string name = "rms" + suffix;
    golden.CheckGradients(y.pow(3).mean(), {{name + ".x", leaf}, {name + ".weight", weight}},
                          golden.tolerance().For({"gradient"}, tolerance));
  }
}

// How one rotation reads its positions.
struct RopeSpec {
  torch::Tensor positions;    // [axes, B, T]
  std::vector<int32_t> axis;  // of each band; empty: axis 0
  double theta = 10000;
  kernels::RopeLayout layout = kernels::RopeLayout::kHalfSplit;
};

// cos and sin, each [B, T, D / 2].
Rope KernelTable(const RopeSpec& spec, int64_t head_dim) {
  const torch::Tensor positions = F32(spec.positions);
  const int64_t batch = positions.size(1), tokens = positions.size(2), bands = head_dim / 2;
  std::vector<float> frequencies(bands);
  kernels::RopeFrequencies(spec.theta, head_dim, frequencies.data());
  Rope rope{torch::empty({batch, tokens, bands}), torch::empty({batch, tokens, bands})};
  Require(kernels::RopeTable({.positions = positions.data_ptr<float>(),
                              .frequencies = frequencies.data(),
                              .band_axis = spec.axis.empty() ? nullptr : spec.axis.data(),
                              .rows = batch * tokens,
                              .bands = bands,
                              .axes = positions.size(0),
                              .cos = rope.cos.data_ptr<float>(),
                              .sin = rope.sin.data_ptr<float>()}),
          "RopeTable");
  return rope;
}

// x: [B, heads, T, D].
torch::Tensor KernelRotate(const torch::Tensor& input, const Rope& rope,
                           kernels::RopeLayout layout) {
  const torch::Tensor x = F32(input), out = torch::empty_like(x);
  Require(kernels::RopeApply({.x = x.data_ptr<float>(),
                              .cos = rope.cos.data_ptr<float>(),
                              .sin = rope.sin.data_ptr<float>(),
                              .batch = x.size(0),
                              .heads = x.size(1),
                              .tokens = x.size(2),
                              .head_dim = x.size(3),
                              .layout = layout,
                              .out = out.data_ptr<float>()}),
          "RopeApply");
  return out;
}

// Compares values [B, heads, T, D] (or tables [B, T, D]) token by token. The reference evaluates
// its angles in f32, so they carry a rounding of position * 2^-24 rad: the text grants 1e-3 beyond
// 1000; from 256 on that rounding alone is granted.
void CheckTokens(Case& golden, const std::string& name, const torch::Tensor& value,
                 const torch::Tensor& reach) {
  const Tolerance near = golden.tolerance().General({2e-5, 0});
  const Tolerance middle{near.abs + 2 * std::ldexp(1000.0, -23), near.rel};
  const Tolerance far = golden.tolerance().For({"exceed", "positions"}, {1e-3, 0});
  const torch::Tensor position =
      (value.dim() == 4 ? reach.unsqueeze(1) : reach).unsqueeze(-1).expand_as(value);
  golden.Check(name, value, near, position <= 256);
  golden.Check(name, value, middle, (position > 256).logical_and(position <= 1000));
  golden.Check(name, value, far, position > 1000);
}

// The rotation of q and k by the kernels and, for half-split pairs, by the model's layers too.
void CheckRotation(Case& golden, const std::string& name, const RopeSpec& spec) {
  const torch::Tensor reach = spec.positions.to(torch::kFloat64).abs().amax(0);  // [B, T]
  const bool half_split = spec.layout == kernels::RopeLayout::kHalfSplit;
  for (const std::string which : {"q", "k"}) {
    const torch::Tensor x = golden.Find("in." + which);
    if (!x.defined()) continue;
    const int64_t head_dim = x.size(-1);
    const Rope rope = KernelTable(spec, head_dim);
    auto twice = [&](const torch::Tensor& half) {
      return half_split ? torch::cat({half, half}, -1) : half.repeat_interleave(2, -1);
    };
    CheckTokens(golden, name + "." + which, KernelRotate(x, rope, spec.layout), reach);
    CheckTokens(golden, name + ".cos", twice(rope.cos), reach);
    CheckTokens(golden, name + ".sin", twice(rope.sin), reach);
    if (!half_split) continue;
    std::vector<int64_t> axis(spec.axis.begin(), spec.axis.end());
    axis.resize(head_dim / 2, 0);
    const torch::Tensor positions = spec.positions.to(torch::kFloat32).permute({1, 2, 0});
    CheckTokens(golden, name + "." + which,
                ApplyRope(x, MakeRope(positions, head_dim, spec.theta, axis)), reach);
  }
}

void RunRope(Case& golden) {
  const auto theta = golden.ParamOr("theta", 10000.0);
  const torch::Tensor positions = golden.Find("in.positions");
  if (positions.defined()) CheckRotation(golden, "out.half", {positions.unsqueeze(0), {}, theta});
  for (const auto& [name, unused] : golden.WithPrefix("out.")) {
    const std::string prefix = name.substr(0, name.rfind('.'));
    if (!prefix.starts_with("interleaved")) continue;
    // interleaved_base<theta> carries its own base.
    const size_t base = prefix.find("_base");
    const double own = base == std::string::npos ? theta : std::atof(prefix.c_str() + base + 5);
    CheckRotation(golden, "out." + prefix,
                  {positions.unsqueeze(0), {}, own, kernels::RopeLayout::kInterleaved});
  }
  const torch::Tensor positions3 = golden.Find("in.positions3");
  if (!positions3.defined()) return;
  RopeSpec axes{positions3, {}, theta};
  int32_t axis = 0;
  for (const int count : golden.Param<std::vector<int>>("mrope_section")) {
    axes.axis.insert(axes.axis.end(), count, axis++);
  }
  CheckRotation(golden, "out.axes" + std::to_string(positions3.size(0)), axes);
}

// Axial rotation of a height x width grid, tokens row-major: the first half of the pairs turns by
// the row, the second by the column, with bands temperature^(-4i / D). out.embed: [T, 2 D], sines
// then cosines, each repeated for its pair.
void RunRope2d(Case& golden) {
  if (golden.ParamOr("in_pixels", false)) throw std::invalid_argument("frequencies in pixels");
  const auto height = golden.Param<int64_t>("height"), width = golden.Param<int64_t>("width");
  const auto head_dim = golden.Param<int64_t>("head_dim"), tokens = height * width;
  const int64_t bands = head_dim / 2;
  const torch::Tensor token = torch::arange(tokens);
  const torch::Tensor positions =
      F32(torch::stack({token.div(width, "floor"), token.remainder(width)}));
  std::vector<float> frequencies(bands);
  kernels::RopeFrequencies(golden.ParamOr("temperature", 10000.0), bands, frequencies.data());
  std::copy_n(frequencies.begin(), bands / 2, frequencies.begin() + bands / 2);
  std::vector<int32_t> axis(bands, 0);
  std::fill(axis.begin() + bands / 2, axis.end(), 1);
  Rope rope{torch::empty({1, tokens, bands}), torch::empty({1, tokens, bands})};
  Require(kernels::RopeTable({.positions = positions.data_ptr<float>(),
                              .frequencies = frequencies.data(),
                              .band_axis = axis.data(),
                              .rows = tokens,
                              .bands = bands,
                              .axes = 2,
                              .cos = rope.cos.data_ptr<float>(),
                              .sin = rope.sin.data_ptr<float>()}),
          "RopeTable");
  const Tolerance tolerance = golden.tolerance().General({2e-6, 0});
  golden.Check(
      "out.embed",
      torch::cat({rope.sin[0].repeat_interleave(2, -1), rope.cos[0].repeat_interleave(2, -1)}, -1),
      tolerance);
  const torch::Tensor x = golden.Get("in.x");
  const int64_t batch = x.size(0);
  rope.cos = rope.cos.expand({batch, -1, -1}).contiguous();
  rope.sin = rope.sin.expand({batch, -1, -1}).contiguous();
  golden.Check("out.x", KernelRotate(x, rope, kernels::RopeLayout::kInterleaved), tolerance);
}

// One row per sigma of the kernels' scalar conditioners.
released::Conditioners KernelConditioners(const torch::Tensor& sigma, const torch::Tensor& context,
                                          double sigma_data, double offset) {
  const torch::Tensor sigmas = sigma.to(torch::kFloat64).contiguous();
  released::Conditioners out;
  for (torch::Tensor* c :
       {&out.c_in, &out.c_skip, &out.c_out, &out.c_noise, &out.c_noise_context}) {
    *c = torch::zeros_like(sigmas);
  }
  for (int64_t i = 0; i < sigmas.numel(); ++i) {
    const kernels::EdmConditioners c =
        kernels::ComputeEdmConditioners(sigmas[i].item<double>(), sigma_data, offset);
    out.c_in[i] = c.c_in;
    out.c_skip[i] = c.c_skip;
    out.c_out[i] = c.c_out;
    out.c_noise[i] = c.c_noise;
    const double noise = context.defined() ? context[i].item<double>() : 0;
    out.c_noise_context[i] = kernels::ContextNoiseEmbedding(noise);
  }
  return out;
}

// out.off<offset>.<conditioner>.
void RunConditioners(Case& golden) {
  const Tolerance tolerance = golden.tolerance().General({2e-6, 2e-5});
  const auto sigma_data = golden.ParamOr("sigma_data", 0.5);
  const torch::Tensor sigma = golden.Get("in.sigma"), context = golden.Find("in.sigma_cond");
  for (const auto& [name, unused] : golden.WithPrefix("out.off")) {
    const std::string offset = name.substr(0, name.rfind('.'));
    const std::string prefix = "out.off" + offset + ".";
    for (const bool by_kernel : {true, false}) {
      const double value = std::atof(offset.c_str());
      const released::Conditioners c =
          by_kernel ? KernelConditioners(sigma, context, sigma_data, value)
                    : released::ComputeConditioners(sigma, context, sigma_data, value);
      golden.Check(prefix + "c_in", c.c_in, tolerance);
      golden.Check(prefix + "c_skip", c.c_skip, tolerance);
      golden.Check(prefix + "c_out", c.c_out, tolerance);
      golden.Check(prefix + "c_noise", c.c_noise, tolerance);
      golden.Check(prefix + "c_noise_cond", c.c_noise_context,
                   context.defined() ? tolerance : Tolerance{});
    }
  }
}

}  // namespace

std::vector<Op> LayerOps() {
  return {{"norms", RunNorms},
          {"rope", RunRope},
          {"rope2d_timm", RunRope2d},
          {"edm_conditioners", RunConditioners}};
}

}  // namespace gwm::golden
