#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "clients/policies/policy_config.h"

namespace gwm::policies {
namespace {

// Far above any use: a hostile file must not ask for memory or time without end.
constexpr int64_t kMostWidth = int64_t{1} << 16;
constexpr int64_t kMostSteps = int64_t{1} << 16;
constexpr int64_t kMostLayers = 256;

absl::Status Refuse(const std::string& field, const std::string& value,
                    const std::string& allowed) {
  return absl::InvalidArgumentError(
      absl::StrCat("config: ", field, " is ", value, ", must be ", allowed));
}

absl::Status CheckRange(const std::string& field, int64_t value, int64_t least, int64_t most) {
  if (value >= least && value <= most) return absl::OkStatus();
  return Refuse(field, absl::StrCat(value), absl::StrCat("from ", least, " to ", most));
}

struct Range {
  const char* field;
  int64_t value, least, most;
};

absl::Status CheckRanges(std::initializer_list<Range> ranges) {
  for (const Range& range : ranges) {
    absl::Status status = CheckRange(range.field, range.value, range.least, range.most);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status CheckMultiple(const std::string& field, int64_t value, int64_t divisor) {
  if (value % divisor == 0) return absl::OkStatus();
  return Refuse(field, absl::StrCat(value), absl::StrCat("a multiple of ", divisor));
}

absl::Status CheckSpec(const ChunkSpec& spec) {
  return CheckRanges({{"spec.observation_steps", spec.observation_steps, 1, kMostSteps},
                      {"spec.observation_dim", spec.observation_dim, 1, kMostWidth},
                      {"spec.horizon", spec.horizon, 1, kMostSteps},
                      {"spec.action_dim", spec.action_dim, 1, kMostWidth},
                      {"spec.current_action", spec.current_action, 0, spec.horizon - 1}});
}

absl::Status CheckUnet(const UnetOptions& unet, int64_t horizon) {
  const auto levels = static_cast<int64_t>(unet.widths.size());
  absl::Status status = CheckRanges({{"unet.widths' length", levels, 1, 16},
                                     {"unet.kernel", unet.kernel, 1, kMostWidth},
                                     {"unet.groups", unet.groups, 1, kMostWidth},
                                     {"unet.time_width", unet.time_width, 4, kMostWidth}});
  for (const int64_t width : unet.widths) {
    if (status.ok()) status = CheckRange("unet.widths", width, 1, kMostWidth);
    if (status.ok()) status = CheckMultiple("unet.widths", width, unet.groups);
  }
  if (status.ok()) status = CheckMultiple("unet.widths' first", unet.widths[0], kUnetFinalGroups);
  if (status.ok()) status = CheckMultiple("unet.time_width", unet.time_width, 2);
  if (status.ok() && unet.kernel % 2 == 0) {
    status = Refuse("unet.kernel", absl::StrCat(unet.kernel), "odd");
  }
  if (!status.ok()) return status;
  // The length halves between levels.
  return CheckMultiple("spec.horizon", horizon, int64_t{1} << (levels - 1));
}

absl::Status CheckTransformer(const std::string& group, int64_t layers, int64_t heads,
                              int64_t width) {
  absl::Status status = CheckRange(group + ".layers", layers, 1, kMostLayers);
  if (status.ok()) status = CheckRange(group + ".heads", heads, 1, kMostWidth);
  if (status.ok()) status = CheckRange(group + ".width", width, 4, kMostWidth);
  if (status.ok()) status = CheckMultiple(group + ".width", width, heads);
  if (status.ok()) status = CheckMultiple(group + ".width", width, 2);
  return status;
}

absl::Status CheckGmm(const GmmOptions& gmm) {
  absl::Status status = CheckRange("gmm.modes", gmm.modes, 1, 1024);
  if (status.ok()) status = CheckTransformer("gmm", gmm.layers, gmm.heads, gmm.width);
  if (status.ok() && !(gmm.least_std > 0 && gmm.least_std < 1e3)) {
    status = Refuse("gmm.least_std", absl::StrCat(gmm.least_std), "above 0 and below 1000");
  }
  return status;
}

absl::Status CheckDiffusion(const DiffusionOptions& diffusion) {
  absl::Status status = CheckRanges(
      {{"diffusion.training_steps", diffusion.training_steps, 1, 10000},
       {"diffusion.sampling_steps", diffusion.sampling_steps, 1, diffusion.training_steps}});
  if (status.ok() && !(diffusion.eta >= 0 && diffusion.eta <= 1)) {
    status = Refuse("diffusion.eta", absl::StrCat(diffusion.eta), "from 0 to 1");
  }
  return status;
}

absl::Status CheckFlow(const FlowOptions& flow) {
  absl::Status status = CheckRange("flow.sampling_steps", flow.sampling_steps, 1, 10000);
  if (status.ok() && !(flow.time_scale > 0 && flow.time_scale <= 1e6)) {
    status = Refuse("flow.time_scale", absl::StrCat(flow.time_scale), "above 0, at most 1e6");
  }
  return status;
}

}  // namespace

absl::Status CheckConfig(const PolicyConfig& config) {
  absl::Status status = CheckSpec(config.spec);
  if (!status.ok()) return status;
  switch (config.head) {
    case HeadKind::kMse:
      return CheckRanges({{"mlp.width", config.mlp.width, 1, kMostWidth},
                          {"mlp.layers", config.mlp.layers, 1, kMostLayers}});
    case HeadKind::kGmm:
      return CheckGmm(config.gmm);
    case HeadKind::kDiffusion:
      status = CheckDiffusion(config.diffusion);
      break;
    case HeadKind::kFlow:
      status = CheckFlow(config.flow);
      break;
  }
  if (!status.ok()) return status;
  if (config.denoiser == DenoiserKind::kUnet) return CheckUnet(config.unet, config.spec.horizon);
  return CheckTransformer("transformer", config.transformer.layers, config.transformer.heads,
                          config.transformer.width);
}

}  // namespace gwm::policies
