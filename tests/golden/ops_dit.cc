// The released DiT: network, embeddings, parameter counts.
#include <cstdio>
#include <stdexcept>

#include "engine/model/released/dit.h"
#include "engine/model/released/embeddings.h"
#include "engine/model/released/reward_model.h"
#include "engine/model/released/set_vae.h"
#include "engine/model/released/state_dict.h"
#include "tests/golden/ops.h"
#include "tests/golden/released_options.h"

namespace gwm::golden {
namespace {

void RunDit(Case& golden) {
  released::Dit dit(DitOptionsOf(golden.params()));
  LoadWeights(golden, "w.", *dit);
  dit->eval();
  std::map<std::string, torch::Tensor> leaves = ParameterLeaves(*dit, "w.");
  auto input = [&](const std::string& name) {
    torch::Tensor leaf = golden.Find("in." + name);
    if (leaf.defined()) leaves["in." + name] = leaf.requires_grad_();
    return leaf;
  };
  const torch::Tensor noisy = input("noisy"), c_noise = input("c_noise"), act = input("act");
  torch::Tensor obs = input("obs"), c_noise_cond = input("c_noise_cond");
  if (!obs.defined()) obs = noisy.narrow(1, 0, 0);
  if (!c_noise_cond.defined()) c_noise_cond = torch::zeros_like(c_noise);
  released::Trace trace;
  const torch::Tensor y = dit->forward(noisy, c_noise, c_noise_cond, obs, act, &trace);

  const Tolerance outputs = golden.tolerance().General({2e-5, 1e-4});
  golden.Check("out.y", y, outputs);
  for (const auto& [name, value] : trace) golden.Check("out." + name, value, outputs);
  if (golden.Wants("out.loss")) {
    const torch::Tensor loss = WeightedMean(golden, y);
    golden.Check("out.loss", loss, outputs);
    golden.CheckGradients(loss, leaves, golden.tolerance().For({"gradient"}, {2e-6, 1e-3}));
  }
}

// out.pos_embed_d<width>_g<grid>, out.time_d<width>: the sizes are in the names.
void RunEmbeddings(Case& golden) {
  const Tolerance table = golden.tolerance().General({2e-6, 0});
  const Tolerance time = golden.tolerance().For({"time"}, {1e-5, 0});
  const auto max_period = golden.ParamOr<double>("max_period", 10000);
  for (const auto& [name, unused] : golden.WithPrefix("out.")) {
    int64_t width = 0, grid = 0;
    if (std::sscanf(name.c_str(), "pos_embed_d%ld_g%ld", &width, &grid) == 2) {
      golden.Check("out." + name, released::SinCosTable2d(width, grid), table);
    } else if (std::sscanf(name.c_str(), "time_d%ld", &width) == 1) {
      golden.Check("out." + name, released::TimeFeatures(golden.Get("in.t"), width, max_period),
                   time);
    }
  }
}

released::ParameterCount CountOf(const std::string& kind, const nlohmann::json& params) {
  if (kind == "dit") return released::CountParameters(*released::Dit(DitOptionsOf(params)));
  if (kind == "vae") return released::CountParameters(*released::SetVae(VaeOptionsOf(params)));
  if (kind == "reward") {
    return released::CountParameters(*released::RewardModel(RewardOptionsOf(params)));
  }
  throw std::invalid_argument("parameter count of unknown kind '" + kind + "'");
}

// out.<kind>.<name>.{trainable,total} with the hyper-parameters in params["<kind>.<name>"].
void RunParameterCounts(Case& golden) {
  for (const auto& [key, params] : golden.params().items()) {
    if (!params.is_object()) continue;
    const released::ParameterCount count = CountOf(key.substr(0, key.find('.')), params);
    golden.Check("out." + key + ".trainable", torch::tensor(count.trainable), {});
    golden.Check("out." + key + ".total", torch::tensor(count.total), {});
  }
}

}  // namespace

std::vector<Op> DitOps() {
  return {{"dit_released", RunDit},
          {"dit_embeddings", RunEmbeddings},
          {"param_counts", RunParameterCounts}};
}

}  // namespace gwm::golden
