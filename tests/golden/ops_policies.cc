// Imitation: networks of diffusion policy, noise schedules and samplers, training schedules, the
// cheapest assignment.
#include <stdexcept>
#include <string>

#include "clients/policies/assignment.h"
#include "clients/policies/conditional_unet1d.h"
#include "clients/policies/diffusion_schedule.h"
#include "clients/policies/learning_rate.h"
#include "clients/policies/time_embedding.h"
#include "clients/policies/transformer_for_diffusion.h"
#include "clients/policies/weight_average.h"
#include "tests/golden/ops.h"

namespace gwm::golden {
namespace {

// Parameters are named as in the case; each must be there.
std::map<std::string, torch::Tensor> LoadParameters(const Case& golden, torch::nn::Module& module) {
  torch::NoGradGuard no_grad;
  std::map<std::string, torch::Tensor> leaves;
  for (auto& item : module.named_parameters()) {
    item.value().copy_(golden.Get("w." + item.key()));
    leaves["w." + item.key()] = item.value();
  }
  return leaves;
}

// The case's weights outside of parameters (masks) are not counted.
void ExpectAllLoaded(Case& golden, const std::map<std::string, torch::Tensor>& leaves,
                     const std::vector<std::string>& others) {
  const size_t stored = golden.WithPrefix("w.").size();
  if (stored != leaves.size() + others.size()) {
    golden.Fail("the case has " + std::to_string(stored) + " weights, ours " +
                std::to_string(leaves.size()));
  }
}

void RunUnet(Case& golden) {
  const torch::Tensor sample = golden.Get("in.sample").requires_grad_();
  const torch::Tensor condition = golden.Get("in.global_cond").requires_grad_();
  const torch::Tensor time = golden.Get("in.timestep").to(torch::kFloat32);
  const policies::UnetOptions options{
      .widths = golden.Param<std::vector<int64_t>>("down_dims"),
      .kernel = golden.Param<int64_t>("kernel_size"),
      .groups = golden.Param<int64_t>("n_groups"),
      .time_width = golden.Param<int64_t>("diffusion_step_embed_dim"),
      .predict_scale = golden.Param<bool>("cond_predict_scale")};
  policies::ConditionalUnet1d unet(sample.size(2), condition.size(1), options);
  auto leaves = LoadParameters(golden, *unet);
  ExpectAllLoaded(golden, leaves, {});
  const Tolerance tolerance = golden.tolerance().General({5e-5, 2e-4});
  golden.Check("out.time_embed", policies::EmbedTime(time, options.time_width), tolerance);
  const torch::Tensor out = unet(sample, time, condition);
  golden.Check("out.y", out, tolerance);
  const torch::Tensor loss = (out * golden.Get("in.loss_weight")).mean();
  golden.Check("out.loss", loss, tolerance);
  leaves["in.sample"] = sample;
  leaves["in.global_cond"] = condition;
  golden.CheckGradients(loss, leaves, golden.tolerance().For({"gradient"}, {5e-6, 1e-3}));
}

void RunTransformer(Case& golden) {
  const torch::Tensor sample = golden.Get("in.sample"), observation = golden.Get("in.cond");
  const policies::TransformerOptions options{.layers = golden.Param<int64_t>("n_layer"),
                                             .heads = golden.Param<int64_t>("n_head"),
                                             .width = golden.Param<int64_t>("n_emb"),
                                             .causal = golden.Param<bool>("causal_attn")};
  policies::TransformerForDiffusion network(sample.size(2), golden.Param<int64_t>("horizon"),
                                            observation.size(2), observation.size(1), options);
  const auto leaves = LoadParameters(golden, *network);
  ExpectAllLoaded(golden, leaves, {"mask", "memory_mask", "_dummy_variable"});
  torch::NoGradGuard no_grad;
  // The case's masks are numbers of its own, as its weights are, not the causal ones.
  for (auto& item : network->named_buffers()) item.value().copy_(golden.Get("w." + item.key()));
  golden.Check("out.y",
               network->Predict(sample, golden.Get("in.timestep").to(torch::kFloat32), observation),
               golden.tolerance().General({5e-5, 2e-4}));
}

// Replays a sampler on stored network outputs and stored draws. `eta` < 0: DDPM.
void CheckSampler(Case& golden, const policies::DiffusionSchedule& schedule, const std::string& tag,
                  double eta) {
  const Tolerance tolerance = golden.tolerance().General({2e-5, 1e-4});
  const torch::Tensor outputs = golden.Get("in." + tag + ".model_outputs");
  const torch::Tensor draws = golden.Find("in." + tag + ".step_noise");
  const int64_t count = outputs.size(0);
  const std::vector<int64_t> steps = schedule.SamplingSteps(count);
  golden.Check("out." + tag + ".timesteps", torch::tensor(steps, torch::kInt64), {});
  torch::Tensor sample = golden.Get("in." + tag + ".x_init");
  std::vector<torch::Tensor> samples;
  for (int64_t i = 0; i < count; ++i) {
    const policies::DiffusionSchedule::ReverseStep at{
        steps[i], count, policies::Prediction::kEpsilon, golden.Param<bool>("clip_sample")};
    const torch::Tensor draw = draws.defined() ? draws[i] : torch::Tensor();
    sample = eta < 0 ? schedule.DdpmStep(sample, outputs[i], draw, at)
                     : schedule.DdimStep(sample, outputs[i], draw, eta, at);
    samples.push_back(sample);
  }
  golden.Check("out." + tag + ".samples", torch::stack(samples), tolerance);
}

void RunDiffusionSchedules(Case& golden) {
  const Tolerance tolerance = golden.tolerance().General({2e-5, 1e-4});
  const policies::DiffusionSchedule schedule(golden.Param<int64_t>("num_train_timesteps"));
  golden.Check("out.betas", torch::tensor(schedule.betas(), torch::kFloat64), tolerance);
  golden.Check("out.alphas_cumprod", torch::tensor(schedule.alpha_bars(), torch::kFloat64),
               tolerance);
  const torch::Tensor data = golden.Get("in.x0"), noise = golden.Get("in.noise");
  const torch::Tensor step = golden.Get("in.timesteps");
  golden.Check("out.noisy", schedule.AddNoise(data, noise, step), tolerance);
  golden.Check("out.velocity", schedule.Target(policies::Prediction::kVelocity, data, noise, step),
               tolerance);
  CheckSampler(golden, schedule, "ddpm", -1);
  CheckSampler(golden, schedule, "ddim", 0);
  CheckSampler(golden, schedule, "ddim_eta1", 1);
}

void CheckLearningRate(Case& golden, const std::string& name, policies::LearningRateShape shape) {
  const nlohmann::json params = golden.params().at("schedules").at(name);
  const policies::LearningRateSchedule schedule{
      .shape = shape,
      .peak = golden.Param<double>("base_lr"),
      .warmup_steps = params.at("num_warmup_steps").get<int64_t>(),
      .total_steps = params.value("num_training_steps", int64_t{0})};
  std::vector<double> rates;
  for (int64_t step = 0; step < golden.Get("out.lr." + name).size(0); ++step) {
    rates.push_back(schedule.At(step));
  }
  golden.Check("out.lr." + name, torch::tensor(rates, torch::kFloat64),
               golden.tolerance().For({"schedule"}, {1e-9, 1e-5}));
}

void RunAssignmentSchedules(Case& golden) {
  const torch::Tensor cost = torch::cdist(golden.Get("in.points_a").to(torch::kFloat64),
                                          golden.Get("in.points_b").to(torch::kFloat64))
                                 .square();
  const auto columns = policies::CheapestAssignment(cost);
  if (!columns.ok()) throw std::runtime_error(columns.status().ToString());
  const torch::Tensor assignment = torch::tensor(*columns, torch::kInt64);
  golden.Check("out.assignment", assignment, {});
  const torch::Tensor total = cost.gather(1, assignment.unsqueeze(1)).sum();
  const Tolerance tolerance = golden.tolerance().For({"cost"}, {0, 1e-5});
  golden.Check("out.cost", total, tolerance);
  golden.Check("out.mean_cost", total / cost.size(0), tolerance);
  CheckLearningRate(golden, "cosine", policies::LearningRateShape::kCosine);
  CheckLearningRate(golden, "linear", policies::LearningRateShape::kLinear);
  CheckLearningRate(golden, "constant_with_warmup", policies::LearningRateShape::kConstant);
  std::vector<double> decays;
  const torch::Tensor steps = golden.Get("in.ema_steps");
  for (int64_t i = 0; i < steps.size(0); ++i) {
    decays.push_back(policies::AverageDecay().At(steps[i].item<int64_t>()));
  }
  golden.Check("out.ema_decay", torch::tensor(decays, torch::kFloat64),
               golden.tolerance().For({"schedule"}, {1e-9, 1e-5}));
}

}  // namespace

std::vector<Op> PolicyOps() {
  return {{"assignment_schedules", RunAssignmentSchedules},
          {"bc_diffusion_schedules", RunDiffusionSchedules},
          {"conditional_unet1d", RunUnet},
          {"transformer_for_diffusion", RunTransformer}};
}

}  // namespace gwm::golden
