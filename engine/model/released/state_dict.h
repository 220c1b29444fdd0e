// Public state_dicts: loading by name, and counting parameters.
#ifndef GWM_ENGINE_MODEL_RELEASED_STATE_DICT_H_
#define GWM_ENGINE_MODEL_RELEASED_STATE_DICT_H_

#include <torch/torch.h>

#include <map>
#include <string>

#include "absl/status/status.h"

namespace gwm::released {

// Copies `tensors` into the module's parameters and buffers of the same names. Every parameter and
// buffer needs its tensor and every tensor its place: InvalidArgument names the first that is
// missing, unknown or of another shape, and then nothing was copied.
absl::Status LoadStateDict(const std::map<std::string, torch::Tensor>& tensors,
                           torch::nn::Module& module);

struct ParameterCount {
  int64_t trainable = 0;
  int64_t total = 0;  // frozen parameters included, buffers not
};
ParameterCount CountParameters(const torch::nn::Module& module);

}  // namespace gwm::released

#endif  // GWM_ENGINE_MODEL_RELEASED_STATE_DICT_H_
