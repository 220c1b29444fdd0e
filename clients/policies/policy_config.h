// Everything that decides a policy's architecture, as the file config.json holds it.
#ifndef GWM_CLIENTS_POLICIES_POLICY_CONFIG_H_
#define GWM_CLIENTS_POLICIES_POLICY_CONFIG_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "clients/policies/chunk_policy.h"
#include "clients/policies/conditional_unet1d.h"
#include "clients/policies/diffusion_head.h"
#include "clients/policies/flow_head.h"
#include "clients/policies/gmm_head.h"
#include "clients/policies/mse_head.h"
#include "clients/policies/normalizer.h"
#include "clients/policies/transformer_for_diffusion.h"

namespace gwm::policies {

enum class HeadKind {
  kMse,        // one chunk, squared error: the baseline
  kGmm,        // a mixture of Gaussians per action from a transformer (robomimic)
  kDiffusion,  // diffusion policy
  kFlow,       // flow matching
};
// The network of a diffusion or flow head.
enum class DenoiserKind { kUnet, kTransformer };

struct PolicyConfig {
  HeadKind head = HeadKind::kDiffusion;
  DenoiserKind denoiser = DenoiserKind::kUnet;
  ChunkSpec spec;
  NormalizerKind observation_normalizer = NormalizerKind::kMinMax;
  NormalizerKind action_normalizer = NormalizerKind::kMinMax;
  uint64_t seed = 0;  // of the initial weights

  // Of the kinds above the named ones are read and written.
  MlpOptions mlp;
  GmmOptions gmm;
  UnetOptions unet;
  TransformerOptions transformer;
  DiffusionOptions diffusion;
  FlowOptions flow;
};

// "mse", "gmm", "diffusion" or "flow". InvalidArgument lists them.
absl::StatusOr<HeadKind> ParseHeadKind(std::string_view text);

// InvalidArgument names the first field that is out of range and says what is allowed.
absl::Status CheckConfig(const PolicyConfig& config);

// The JSON text of a config that CheckConfig accepts.
std::string WriteConfig(const PolicyConfig& config);
// Fields that are absent keep their default. InvalidArgument names a field that is unknown, of the
// wrong type or out of range.
absl::StatusOr<PolicyConfig> ReadConfig(std::string_view json);

}  // namespace gwm::policies

#endif  // GWM_CLIENTS_POLICIES_POLICY_CONFIG_H_
