#include "engine/train/sharded_gradients.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <future>

namespace gwm {
namespace {

UpdateGradients OfShard(const std::vector<torch::Tensor>& parameters, const LossTerms& terms) {
  UpdateGradients out;
  for (const auto& [name, value] : terms) {
    out.terms.emplace_back(name, value.detach().item<double>());
  }
  out.gradients.resize(parameters.size());
  if (!std::isfinite(out.terms.front().second)) return out;
  out.gradients = torch::autograd::grad({terms.front().second}, parameters, /*grad_outputs=*/{},
                                        /*retain_graph=*/std::nullopt, /*create_graph=*/false,
                                        /*allow_unused=*/true);
  return out;
}

void AddInto(UpdateGradients& sum, const UpdateGradients& shard) {
  torch::NoGradGuard no_grad;
  for (size_t i = 0; i < sum.terms.size(); ++i) sum.terms[i].second += shard.terms[i].second;
  for (size_t i = 0; i < sum.gradients.size(); ++i) {
    if (!shard.gradients[i].defined()) continue;
    auto& total = sum.gradients[i];
    total = total.defined() ? total + shard.gradients[i] : shard.gradients[i];
  }
}

}  // namespace

UpdateGradients ShardedGradients(const std::vector<torch::Tensor>& parameters, int64_t shards,
                                 const std::function<LossTerms(int64_t shard)>& loss) {
  std::vector<std::future<UpdateGradients>> others;
  for (int64_t shard = 1; shard < shards; ++shard) {
    others.push_back(
        std::async(std::launch::async, [&, shard] { return OfShard(parameters, loss(shard)); }));
  }
  auto sum = OfShard(parameters, loss(0));
  for (auto& other : others) AddInto(sum, other.get());
  if (shards == 1) return sum;
  const double share = 1.0 / static_cast<double>(shards);
  for (auto& term : sum.terms) term.second *= share;
  torch::NoGradGuard no_grad;
  for (auto& gradient : sum.gradients) {
    if (gradient.defined()) gradient.mul_(share);
  }
  return sum;
}

ShardThreads::ShardThreads(int64_t shards) : before_(at::get_num_threads()) {
  if (shards > 1) at::set_num_threads(std::max(1, before_ / static_cast<int>(shards)));
}

ShardThreads::~ShardThreads() { at::set_num_threads(before_); }

}  // namespace gwm
