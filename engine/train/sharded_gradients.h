// The gradient of one update, computed in equal shards of the batch side by side. Small models
// leave cores idle when threads share each operation; a thread per shard keeps them busy.
#ifndef GWM_ENGINE_TRAIN_SHARDED_GRADIENTS_H_
#define GWM_ENGINE_TRAIN_SHARDED_GRADIENTS_H_

#include <torch/torch.h>

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace gwm {

// Named values of one step, the first being the loss to minimise.
using LossTerms = std::vector<std::pair<std::string, torch::Tensor>>;

struct UpdateGradients {
  std::vector<std::pair<std::string, double>> terms;  // means over the shards
  std::vector<torch::Tensor> gradients;  // of the mean loss, one per parameter; undefined: unused
};

// `loss(shard)` is called once for each shard in [0, shards), at the same time when shards > 1: it
// must not write anything that is shared. The sum runs in the order of the shards, so the result
// does not depend on timing. Where a loss is not finite, its gradients are left undefined. What
// `loss` throws is thrown again here, after all shards ended.
UpdateGradients ShardedGradients(const std::vector<torch::Tensor>& parameters, int64_t shards,
                                 const std::function<LossTerms(int64_t shard)>& loss);

// While it lives, an operation uses 1 / shards of the compute threads.
class ShardThreads {
 public:
  explicit ShardThreads(int64_t shards);
  ~ShardThreads();
  ShardThreads(const ShardThreads&) = delete;
  ShardThreads& operator=(const ShardThreads&) = delete;

 private:
  int before_;
};

}  // namespace gwm

#endif  // GWM_ENGINE_TRAIN_SHARDED_GRADIENTS_H_
