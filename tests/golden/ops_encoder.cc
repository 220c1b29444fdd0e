// The released set autoencoders and reward model.
#include <stdexcept>

#include "engine/model/released/reward_model.h"
#include "engine/model/released/set_vae.h"
#include "tests/golden/ops.h"
#include "tests/golden/released_options.h"

namespace gwm::golden {
namespace {

// The loss that params["loss"] describes: mean(decoded * loss_weight), mean((decoded - target)^2)
// with the queries or the points as target, mean(decoded^2) or mean(decoded), plus the weighted KL
// term when it is named.
torch::Tensor VaeLoss(const Case& golden, const torch::Tensor& decoded,
                      const released::SetLatent& latent) {
  const auto text = golden.ParamOr<std::string>("loss", "");
  auto names = [&](const char* word) { return text.find(word) != std::string::npos; };
  torch::Tensor loss;
  if (golden.Has("in.loss_weight")) {
    loss = WeightedMean(golden, decoded);
  } else if (names("queries")) {
    loss = (decoded - golden.Get("in.queries")).square().mean();
  } else if (names("pc")) {
    loss = (decoded - golden.Get("in.pc")).square().mean();
  } else if (names("decoded")) {
    loss = names("^2") || names("**2") ? decoded.square().mean() : decoded.mean();
  } else {
    throw std::invalid_argument("unknown loss '" + text + "'");
  }
  if (names("kl") && latent.kl.defined()) {
    loss = loss + golden.ParamOr<double>("kl_weight", 1e-3) * latent.kl.mean();
  }
  return loss;
}

void CheckLatent(Case& golden, const released::SetLatent& latent, const Tolerance& tolerance) {
  golden.Check("out.latent", latent.z, tolerance);
  golden.Check("out.z", latent.z, tolerance);
  golden.Check("out.mean", latent.mean, tolerance);
  golden.Check("out.logvar_unclamped", latent.logvar, tolerance);
  golden.Check("out.kl", latent.kl, tolerance);
}

void RunVae(Case& golden) {
  released::SetVaeOptions options = VaeOptionsOf(golden.params());
  torch::Tensor points = golden.Get("in.pc");
  options.point_dim = points.size(2);
  released::SetVae vae(options);
  LoadWeights(golden, "w.", *vae);
  vae->eval();
  std::map<std::string, torch::Tensor> leaves = ParameterLeaves(*vae, "w.");
  torch::Tensor queries = golden.Find("in.queries");
  leaves["in.pc"] = points.requires_grad_();
  if (queries.defined()) leaves["in.queries"] = queries.requires_grad_();
  const released::SetLatent latent =
      vae->Encode(points, golden.Get("in.fps_idx").to(torch::kInt64), golden.Find("in.eps"));
  const released::SetDecoded decoded = vae->Decode(latent.z, queries);

  const ToleranceText& text = golden.tolerance();
  const Tolerance inner = text.For({"latent"}, {3e-4, 0});
  CheckLatent(golden, latent, inner);
  for (size_t i = 0; i < decoded.layers.size(); ++i) {
    golden.Check("out.layer" + std::to_string(i), decoded.layers[i], inner);
  }
  golden.Check("out.query_embed", decoded.query_embedding, inner);
  golden.Check("out.decoded", decoded.output, text.For({"decoded"}, {1e-4, 2e-4}));
  if (!golden.Wants("out.loss")) return;
  const torch::Tensor loss = VaeLoss(golden, decoded.output, latent);
  golden.Check("out.loss", loss, text.For({"loss"}, {2e-5, 0}));
  std::map<std::string, torch::Tensor> inputs;
  for (const char* name : {"in.pc", "in.queries"}) {
    if (leaves.count(name) > 0) inputs.insert(leaves.extract(name));
  }
  golden.CheckGradients(loss, leaves, text.For({"weight gradients"}, {2e-5, 1e-3}));
  golden.CheckGradients(loss, inputs, text.For({"grad.in"}, {2e-3, 2e-3}));
}

void RunReward(Case& golden) {
  released::RewardModel model(RewardOptionsOf(golden.params()));
  LoadWeights(golden, "w.", *model);
  model->eval();
  std::map<std::string, torch::Tensor> leaves = ParameterLeaves(*model, "w.");
  auto input = [&](const std::string& name) {
    torch::Tensor leaf = golden.Get("in." + name);
    leaves["in." + name] = leaf.requires_grad_();
    return leaf;
  };
  const torch::Tensor obs = input("obs"), next_obs = input("next_obs"), act = input("act");
  const released::RewardOutput out = model->forward(obs, next_obs, act);
  const Tolerance tolerance = golden.tolerance().General({1e-4, 5e-4});
  golden.Check("out.reward", out.reward, tolerance);
  golden.Check("out.encoder", out.encoded, tolerance);
  golden.Check("out.h", out.hidden, tolerance);
  golden.Check("out.c", out.cell, tolerance);
  if (golden.Wants("out.reward_stepwise")) {
    std::vector<torch::Tensor> rewards;
    torch::Tensor hidden, cell;
    for (int64_t t = 0; t < act.size(1); ++t) {
      const released::RewardOutput step = model->forward(
          obs.narrow(1, t, 1), next_obs.narrow(1, t, 1), act.narrow(1, t, 1), hidden, cell);
      hidden = step.hidden;
      cell = step.cell;
      rewards.push_back(step.reward);
    }
    golden.Check("out.reward_stepwise", torch::cat(rewards, 1), tolerance);
  }
  if (!golden.Wants("out.loss")) return;
  const torch::Tensor loss = (out.reward - golden.Get("in.reward")).square().mean();
  golden.Check("out.loss", loss, tolerance);
  golden.CheckGradients(loss, leaves, golden.tolerance().For({"gradient"}, {5e-6, 2e-3}));
}

}  // namespace

std::vector<Op> EncoderOps() {
  return {{"vae_released", RunVae}, {"vae_3dshape2vecset", RunVae}, {"reward_released", RunReward}};
}

}  // namespace gwm::golden
