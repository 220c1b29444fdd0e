#include "clients/policies/attention.h"

#include <cmath>

namespace gwm::policies {

torch::Tensor Attend(const torch::Tensor& query, const torch::Tensor& key,
                     const torch::Tensor& value, int64_t heads, const torch::Tensor& mask) {
  const auto split = [&](const torch::Tensor& x) {
    return x.reshape({x.size(0), x.size(1), heads, x.size(2) / heads}).transpose(1, 2);
  };
  const double scale = 1 / std::sqrt(static_cast<double>(query.size(2) / heads));
  torch::Tensor scores = torch::matmul(scale * split(query), split(key).transpose(2, 3));
  if (mask.defined()) scores = scores + mask;
  return torch::matmul(scores.softmax(-1), split(value)).transpose(1, 2).flatten(2);
}

MultiheadAttentionImpl::MultiheadAttentionImpl(int64_t width, int64_t heads)
    : heads_(heads), out_(width, width, InitialWeights::kSmallNormal) {
  in_weight = register_parameter("in_proj_weight", torch::zeros({3 * width, width}));
  in_bias = register_parameter("in_proj_bias", torch::zeros({3 * width}));
  register_module("out_proj", out_);
}

torch::Tensor MultiheadAttentionImpl::forward(const torch::Tensor& query,
                                              const torch::Tensor& memory,
                                              const torch::Tensor& mask) {
  const std::vector<torch::Tensor> weight = in_weight.chunk(3), bias = in_bias.chunk(3);
  return out_(Attend(torch::linear(query, weight[0], bias[0]),
                     torch::linear(memory, weight[1], bias[1]),
                     torch::linear(memory, weight[2], bias[2]), heads_, mask));
}

void MultiheadAttentionImpl::Draw(const CounterRandom& random, uint64_t number) {
  FillSmallNormal(in_weight, random, 2 * number);
}

}  // namespace gwm::policies
