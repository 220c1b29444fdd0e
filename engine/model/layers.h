// Building blocks shared by the tokenizers, the denoiser and the reward head.
#ifndef GWM_ENGINE_MODEL_LAYERS_H_
#define GWM_ENGINE_MODEL_LAYERS_H_

#include <torch/torch.h>

#include <string>
#include <vector>

namespace gwm {

// Linear layer whose rows do not depend on their number: without gradients, fewer than 16 rows are
// padded to 16, because the matrix product takes another path (other bits) below that
// (docs/results/batch_invariance.md).
class RowLinearImpl : public torch::nn::Module {
 public:
  RowLinearImpl(int64_t in, int64_t out, bool bias = true);
  // [..., in] -> [..., out]
  torch::Tensor forward(const torch::Tensor& x);
  // From now on forward without gradients multiplies bf16 copies of x, weight and bias as they are
  // now; what comes out is f32 as before.
  void UseBf16();

  torch::Tensor weight;  // [out, in]
  torch::Tensor bias;    // [out] or undefined

 private:
  torch::Tensor Multiply(const torch::Tensor& x) const;

  torch::Tensor weight_bf16_, bias_bf16_;  // undefined: fp32
};
TORCH_MODULE(RowLinear);

// 3x3 (or 1x1) convolution with "same" zero padding. Rows of a batch are computed one by one
// without gradients, because the library picks its algorithm by batch size.
class ConvImpl : public torch::nn::Module {
 public:
  ConvImpl(int64_t in, int64_t out, int64_t kernel, int64_t stride = 1);
  // [B, in, H, W] -> [B, out, H / stride, W / stride]
  torch::Tensor forward(const torch::Tensor& x);

  torch::Tensor weight;  // [out, in, kernel, kernel]
  torch::Tensor bias;    // [out]

 private:
  int64_t stride_;
};
TORCH_MODULE(Conv);

// Layers are built with zero matrices. This draws every matrix of `module` from U(-b, b), b =
// sqrt(6 / (in + out)), with a generator keyed by (seed, parameter name); names that contain one of
// `keep_zero` stay zero.
void InitWeights(torch::nn::Module& module, uint64_t seed,
                 const std::vector<std::string>& keep_zero);

// y = weight * x / sqrt(mean(x^2) + eps) over the last axis; eps inside the root. weight undefined:
// no gain.
torch::Tensor RmsNorm(const torch::Tensor& x, const torch::Tensor& weight, double eps = 1e-6);

class RmsNormLayerImpl : public torch::nn::Module {
 public:
  explicit RmsNormLayerImpl(int64_t width);
  torch::Tensor forward(const torch::Tensor& x) { return RmsNorm(x, weight); }

  torch::Tensor weight;  // [width]
};
TORCH_MODULE(RmsNormLayer);

// Rotation angles of RoPE over several position axes.
struct Rope {
  torch::Tensor cos;  // [..., M, head_dim / 2]
  torch::Tensor sin;
};
// Band i = 0..head_dim/2-1 has frequency base^(-2i/head_dim) and turns by the position along
// axis_of_band[i]. positions: [..., M, axes], in units of one radian at the highest frequency.
Rope MakeRope(const torch::Tensor& positions, int64_t head_dim, double base,
              const std::vector<int64_t>& axis_of_band);
// Bands dealt to the axes in turn (0, 1, 2, 0, ...), so that each axis sees high and low
// frequencies.
std::vector<int64_t> DealtAxes(int64_t head_dim, int64_t axes);
// Half-split rotation of pairs (i, i + head_dim/2). x: [B, heads, M, head_dim]; rope of shape [B,
// M, head_dim/2].
torch::Tensor ApplyRope(const torch::Tensor& x, const Rope& rope);

// [cos | sin] features of t * 10000^(-i / (dim/2)). t: [B] -> [B, dim]
torch::Tensor TimeFeatures(const torch::Tensor& t, int64_t dim);
// [sin | cos] of x * pi * 2^k, k = 0..bands-1, and x itself. [..., 3] -> [..., 6 * bands + 3]
torch::Tensor FourierFeatures(const torch::Tensor& x, int64_t bands);

// Far centres are pulled in: x inside the unit ball stays, outside |x| becomes 2 - 1/|x|. [..., 3]
// -> [..., 3]
torch::Tensor ContractPositions(const torch::Tensor& x);

// [B, M, heads * head_dim] -> [B, heads, M, head_dim] and back.
torch::Tensor SplitHeads(const torch::Tensor& x, int64_t heads);
torch::Tensor MergeHeads(const torch::Tensor& x);
// softmax(q k^T / sqrt(head_dim)) v. q [B, heads, Mq, d], k and v [B, heads, Mk, d]
torch::Tensor Attention(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v);

// Linear -> GELU (tanh form) -> Linear.
class MlpImpl : public torch::nn::Module {
 public:
  MlpImpl(int64_t in, int64_t hidden, int64_t out);
  torch::Tensor forward(const torch::Tensor& x);

  RowLinear up{nullptr}, down{nullptr};
};
TORCH_MODULE(Mlp);

// Number of trainable entries.
int64_t ParameterCount(const torch::nn::Module& module);

}  // namespace gwm

#endif  // GWM_ENGINE_MODEL_LAYERS_H_
