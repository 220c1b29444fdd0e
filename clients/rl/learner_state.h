// All that a learner must keep to go on exactly where it stopped, bound to names.
#ifndef GWM_CLIENTS_RL_LEARNER_STATE_H_
#define GWM_CLIENTS_RL_LEARNER_STATE_H_

#include <torch/torch.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace gwm::rl {

// Adam whose moments exist from the start, so that the state of a new and of a used optimizer has
// the same shape. `weight_decay` is an L2 term of the gradient.
std::unique_ptr<torch::optim::Adam> MakeAdam(std::vector<torch::Tensor> parameters,
                                             double learning_rate, double weight_decay = 0);

// Bound objects must outlive this one. Thread-compatible.
class LearnerState {
 public:
  void AddModule(const std::string& name, const torch::nn::Module& module);
  void AddAdam(const std::string& name, torch::optim::Adam& adam);
  void AddTensor(const std::string& name, const torch::Tensor& tensor);
  void AddCounter(const std::string& name, uint64_t* counter);

  // See WriteStateFile.
  absl::Status Save(const std::string& path, const std::string& format) const;
  // Reads all of it before it changes anything. NotFound; InvalidArgument for a damaged file and
  // for one whose tensors are not those bound here.
  absl::Status Load(const std::string& path, const std::string& format);

 private:
  std::map<std::string, torch::Tensor> tensors_;  // share memory with what they are bound to
  std::map<std::string, torch::optim::Adam*> adams_;
  std::map<std::string, uint64_t*> counters_;
};

}  // namespace gwm::rl

#endif  // GWM_CLIENTS_RL_LEARNER_STATE_H_
