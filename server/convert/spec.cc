#include "server/convert/spec.h"

#include <array>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "server/convert/sampler.h"
#include "server/convert/scene.h"
#include "server/convert/tensor.h"

namespace gwm::server {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr char kContractVersion[] = "1.0";

constexpr std::string_view kRpcs[] = {"Simulator.GetSpec",
                                      "Simulator.CreateSession",
                                      "Simulator.GetSession",
                                      "Simulator.RenewSession",
                                      "Simulator.ListSessions",
                                      "Simulator.CloseSession",
                                      "Simulator.Reset",
                                      "Simulator.Step",
                                      "Simulator.Render",
                                      "Simulator.Imagine",
                                      "Simulator.Plan",
                                      "Simulator.Observe",
                                      "Simulator.Fork",
                                      "Simulator.ExportState",
                                      "Simulator.ImportState",
                                      "Simulator.DropState",
                                      "Simulator.Run",
                                      "Perception.Encode",
                                      "Perception.Decode",
                                      "Perception.Features",
                                      "Models.ListModels",
                                      "Models.GetModel",
                                      "Models.LoadModel",
                                      "Models.UnloadModel",
                                      "Models.SetDefaultModel",
                                      "Models.WarmUp",
                                      "Server.GetServerInfo",
                                      "Server.GetLimits",
                                      "Server.Drain"};

struct Field {
  std::string name;
  DType dtype;
  std::vector<int64_t> shape;
  double min;
  double max;
};

v1::FieldSpec ToProto(const Field& field, uint32_t uid) {
  v1::FieldSpec out;
  out.set_name(field.name);
  out.set_dtype(gwm::server::ToProto(field.dtype));
  out.mutable_shape()->Add(field.shape.begin(), field.shape.end());
  out.set_min(field.min);
  out.set_max(field.max);
  out.set_uid(uid);
  out.set_deterministic(true);
  return out;
}

void AddObservations(const WorldSpec& spec, v1::SimulatorSpec& out) {
  const std::array<Field, 4> fields = {{
      {"rgb", DType::kU8, {spec.views, spec.height, spec.width, 3}, 0, 255},
      {"depth", DType::kF32, {spec.views, spec.height, spec.width}, 0, kInfinity},
      {"latent", DType::kF32, {spec.tokens, spec.latent_dim}, -kInfinity, kInfinity},
      {"features", DType::kF32, {spec.tokens, spec.feature_dim}, -kInfinity, kInfinity},
  }};
  for (uint32_t uid = 0; uid < fields.size(); ++uid) {
    *out.add_observations() = ToProto(fields[uid], uid);
  }
}

void AddOptions(const WorldSpec& spec, bool episodes, v1::SimulatorSpec& out) {
  v1::SamplerSpec& sampler = *out.mutable_sampler();
  sampler.set_kind(SamplerName(spec.sampler));
  sampler.set_min_calls(1);
  sampler.set_max_calls(static_cast<uint32_t>(spec.max_sampler_calls));
  sampler.set_default_calls(static_cast<uint32_t>(spec.default_sampler_calls));
  // On a GPU the libraries may choose other algorithms for other batch sizes.
  out.set_determinism(spec.device == "cpu" ? v1::DETERMINISM_BATCH_INVARIANT
                                           : v1::DETERMINISM_SAME_BATCH);
  out.add_auto_resets(v1::AUTO_RESET_NONE);
  if (spec.reset_pool_size > 0) {
    out.add_auto_resets(v1::AUTO_RESET_NEXT_STEP);
    out.add_auto_resets(v1::AUTO_RESET_SAME_STEP);
  }
  for (std::string_view rpc : AnsweredRpcs()) out.add_rpcs(std::string(rpc));
  if (spec.reset_pool_size > 0) out.add_inits("pool");
  out.add_inits("frames");
  if (episodes) out.add_inits("episode");
  out.add_inits("state");
  for (auto output : {v1::RENDER_OUTPUT_RGB, v1::RENDER_OUTPUT_DEPTH, v1::RENDER_OUTPUT_ALPHA,
                      v1::RENDER_OUTPUT_GAUSSIANS}) {
    out.add_render_outputs(output);
  }
}

}  // namespace

std::span<const std::string_view> AnsweredRpcs() { return kRpcs; }

v1::SimulatorSpec ToProto(const WorldSpec& spec, bool episodes) {
  v1::SimulatorSpec out;
  out.set_model_id(spec.model_id);
  out.set_checkpoint_digest(spec.checkpoint_digest);
  out.set_contract_version(kContractVersion);
  out.set_device(spec.device);
  out.set_precision(spec.precision);
  *out.add_actions() =
      ToProto(Field{"action", DType::kF32, {spec.action_dim}, spec.action_min, spec.action_max}, 0);
  AddObservations(spec, out);
  AddOptions(spec, episodes, out);
  out.set_horizon(static_cast<uint32_t>(spec.training_horizon));
  out.set_state_bytes_per_env(static_cast<uint64_t>(spec.state_bytes));
  for (const Camera& camera : spec.cameras) *out.add_cameras() = ToProto(camera);
  out.set_reset_pool_size(static_cast<uint32_t>(spec.reset_pool_size));
  out.set_context_frames(static_cast<uint32_t>(spec.context_frames));
  out.set_views(static_cast<uint32_t>(spec.views));
  out.set_height(static_cast<uint32_t>(spec.height));
  out.set_width(static_cast<uint32_t>(spec.width));
  out.set_control_dt_s(spec.control_dt_s);
  for (const std::string& task : spec.tasks) out.add_tasks(task);
  out.set_gaussians(static_cast<uint64_t>(spec.gaussians));
  out.set_replays_calls(true);
  out.set_tells_expected_error(spec.tells_expected_error);
  return out;
}

}  // namespace gwm::server
