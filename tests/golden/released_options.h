// Hyper-parameters of a case -> options of the released models, and what their adapters share.
#ifndef GWM_TESTS_GOLDEN_RELEASED_OPTIONS_H_
#define GWM_TESTS_GOLDEN_RELEASED_OPTIONS_H_

#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/model/released/denoiser.h"
#include "engine/model/released/reward_model.h"
#include "engine/model/released/set_vae.h"
#include "tests/golden/case.h"

namespace gwm::golden {

// Keys that a case leaves out keep the released defaults; a missing in_channels is channels *
// (context_length + 1).
released::DitOptions DitOptionsOf(const nlohmann::json& params);
released::DenoiserOptions DenoiserOptionsOf(const nlohmann::json& params);
released::SetVaeOptions VaeOptionsOf(const nlohmann::json& params);
released::RewardModelOptions RewardOptionsOf(const nlohmann::json& params);

// Loads the case's tensors named `prefix`*; throws with the loader's message.
void LoadWeights(const Case& golden, const std::string& prefix, torch::nn::Module& module);
// The module's parameters as prefix + name: what grad.<prefix>* refers to.
std::map<std::string, torch::Tensor> ParameterLeaves(const torch::nn::Module& module,
                                                     const std::string& prefix);
// mean(y * in.loss_weight).
torch::Tensor WeightedMean(const Case& golden, const torch::Tensor& y);

}  // namespace gwm::golden

#endif  // GWM_TESTS_GOLDEN_RELEASED_OPTIONS_H_
