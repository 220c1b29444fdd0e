#include "engine/model/fused.h"

#include <algorithm>

#include "engine/base/gpu_stream.h"
#include "kernels/head_norm_rope.h"
#include "kernels/norm_modulate.h"

namespace gwm {
namespace {

// Gradients are Torch's business, and so is every other type and device.
bool OnKernels(const torch::Tensor& x) {
  return !torch::GradMode::is_enabled() && (x.is_cpu() || x.is_cuda()) &&
         KernelDevice(x.device()) == x.device() && x.scalar_type() == torch::kFloat;
}

const float* DataOrNull(const torch::Tensor& tensor) {
  return tensor.defined() ? tensor.const_data_ptr<float>() : nullptr;
}
torch::Tensor ContiguousIfAny(const torch::Tensor& tensor) {
  return tensor.defined() ? tensor.contiguous() : tensor;
}

torch::Tensor PlainNormModulated(const torch::Tensor& x, const torch::Tensor& weight,
                                 const Modulation& modulation) {
  const auto y = RmsNorm(x, weight);
  if (!modulation.scale.defined()) return y;
  return y * (1.0 + modulation.scale.unsqueeze(1)) + modulation.shift.unsqueeze(1);
}

// branch and gate may be undefined, as may the sum then.
Added RunNormModulate(const torch::Tensor& given, const torch::Tensor& branch_given,
                      const torch::Tensor& gate_given, const torch::Tensor& weight,
                      const Modulation& modulation) {
  const auto x = given.contiguous();
  const auto branch = ContiguousIfAny(branch_given);
  const auto gate = ContiguousIfAny(gate_given);
  const auto scale = ContiguousIfAny(modulation.scale);
  const auto shift = ContiguousIfAny(modulation.shift);
  Added added{.normed = torch::empty_like(x)};
  kernels::NormModulateArgs args;
  args.x = x.const_data_ptr<float>();
  args.branch = DataOrNull(branch);
  args.gate = DataOrNull(gate);
  args.weight = weight.const_data_ptr<float>();
  args.scale = DataOrNull(scale);
  args.shift = DataOrNull(shift);
  args.rows = x.size(0) * x.size(1);
  args.width = x.size(2);
  args.rows_per_condition = std::max<int64_t>(1, x.size(1));
  if (branch.defined()) {
    added.sum = torch::empty_like(x);
    args.residual = added.sum.mutable_data_ptr<float>();
  }
  args.out = added.normed.mutable_data_ptr<float>();
  CheckKernel(x.is_cuda() ? kernels::NormModulateCuda(args, CurrentGpuStream(x.device()))
                          : kernels::NormModulate(args),
              "norm_modulate");
  return added;
}

}  // namespace

torch::Tensor NormModulated(const torch::Tensor& x, const torch::Tensor& weight,
                            const Modulation& modulation) {
  if (!OnKernels(x)) return PlainNormModulated(x, weight, modulation);
  return RunNormModulate(x, {}, {}, weight, modulation).normed;
}

Added AddAndNorm(const torch::Tensor& x, const torch::Tensor& branch, const torch::Tensor& gate,
                 const torch::Tensor& weight, const Modulation& modulation) {
  if (OnKernels(x)) return RunNormModulate(x, branch, gate, weight, modulation);
  Added added;
  added.sum = gate.defined() ? x + gate.unsqueeze(1) * branch : x + branch;
  added.normed = PlainNormModulated(added.sum, weight, modulation);
  return added;
}

torch::Tensor RotatedHeads(const torch::Tensor& x, int64_t heads, const torch::Tensor& weight,
                           const Rope& rope) {
  const int64_t batch = x.size(0), tokens = x.size(1), table_tokens = rope.cos.size(1);
  const bool in_rows = x.stride(2) == 1 && (batch == 1 || x.stride(0) == tokens * x.stride(1));
  if (!OnKernels(x) || !in_rows) {
    const int64_t times = tokens / table_tokens;
    const Rope repeated = {rope.cos.repeat({1, times, 1}), rope.sin.repeat({1, times, 1})};
    return ApplyRope(RmsNorm(SplitHeads(x, heads), weight), times == 1 ? rope : repeated);
  }
  const int64_t head_dim = x.size(2) / heads;
  const auto cos = rope.cos.contiguous(), sin = rope.sin.contiguous();
  auto out = torch::empty({batch, heads, tokens, head_dim}, x.options());
  const kernels::HeadNormRopeArgs args = {.x = x.const_data_ptr<float>(),
                                          .weight = weight.const_data_ptr<float>(),
                                          .cos = cos.const_data_ptr<float>(),
                                          .sin = sin.const_data_ptr<float>(),
                                          .batch = batch,
                                          .heads = heads,
                                          .tokens = tokens,
                                          .table_tokens = table_tokens,
                                          .head_dim = head_dim,
                                          .row_stride = x.stride(1),
                                          .out = out.mutable_data_ptr<float>()};
  CheckKernel(x.is_cuda() ? kernels::HeadNormRopeCuda(args, CurrentGpuStream(x.device()))
                          : kernels::HeadNormRope(args),
              "head_norm_rope");
  return out;
}

}  // namespace gwm
