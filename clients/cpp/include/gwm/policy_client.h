// A client of a policy server: observations in, chunks of actions out.
//
//   gwm::client::PolicyClient policy("localhost:50061");
//   const auto spec = policy.GetPolicy().policy;
//   const auto features = world.Features(frames, {.pooling = spec.features->pooling});
//   auto chunk = policy.Act({.observations = {{"features", features.features}},
//                            .feature_model_digest = features.checkpoint_digest});
//
// Field by field: gwm/v1/policy.proto.
#ifndef GWM_POLICY_CLIENT_H_
#define GWM_POLICY_CLIENT_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gwm/client.h"
#include "gwm/export.h"
#include "gwm/perception_types.h"
#include "gwm/tensor.h"
#include "gwm/types.h"

namespace gwm::client {

// One of the policies that a server has. Both empty: the default one; a digest names one version.
struct PolicyRef {
  std::string policy_id;
  std::string policy_digest;
};

// The world model that a policy looks through.
struct FeatureSource {
  std::string model_id;
  std::string checkpoint_digest;  // required of whoever makes the features
  FeaturePooling pooling = FeaturePooling::kTokens;
};

// T history steps, H steps of a chunk, A action entries.
struct PolicySpec {
  std::string policy_id;
  std::string policy_digest;
  std::string kind;                       // "bc_transformer", "diffusion", ...
  std::vector<Field> observations;        // what Act needs, without the dimensions n and T
  bool takes_frames = false;              // in place of "features"
  std::optional<FeatureSource> features;  // absent: it looks at nothing that a model made
  uint32_t history = 1;                   // the largest T
  uint32_t horizon = 1;                   // H
  uint32_t execute_steps = 1;             // of a chunk, before the next Act
  Field action;                           // f32 [A]
  std::vector<float> action_low;          // A
  std::vector<float> action_high;         // A
  std::optional<Field> noise;             // absent: ActRequest::noise is not taken
  bool batch_invariant = false;           // equal rows get equal bits whoever shares the call
  double control_dt_s = 0;                // 0: not known
  std::vector<std::string> tasks;
  std::string device;
  std::string precision;
  uint32_t network_calls = 0;  // of one Act
};

struct PolicyInfo {
  PolicySpec policy;
  uint32_t max_rows = 0;  // of one Act; 0: not told
  uint64_t max_message_bytes = 0;
};

enum class ActionSelection {
  kDefault = 0,
  kSample = 1,  // drawn from what the policy has learnt
  kBest = 2,    // the most likely one
};

// Where a row stands: with the seed, all that its random numbers depend on.
struct ActRow {
  uint32_t env_id = 0;
  uint64_t episode = 0;
  uint64_t step_index = 0;
};

struct ActRequest {
  PolicyRef policy;
  std::map<std::string, Tensor> observations;  // each [n, T, ...], oldest first
  std::vector<uint32_t> history_steps;  // n: how many of the T are of the episode; empty: all
  std::optional<Frames> frames;         // if PolicySpec::takes_frames: T frames of n rows
  std::string feature_model_digest;  // of the model that made the features; empty: there are none
  std::optional<uint64_t> seed;
  std::vector<ActRow> rows;     // n; empty: environments 0..n-1, at their start
  std::optional<Tensor> noise;  // f32 [n, ...] of PolicySpec::noise, instead of drawn noise
  ActionSelection selection = ActionSelection::kDefault;
  std::chrono::milliseconds timeout{0};  // 0: the client's default
};

struct ActResult {
  Tensor actions;                     // f32 [n, H, A]
  std::vector<RowStatus> row_status;  // n; kDataLoss: not finite, the row's actions are of no use
  std::string policy_id;
  std::string policy_digest;
  StepTiming timing;  // encode: frames to features; dynamics: the policy's network
};

// Thread-safe. Every call throws Error, and is repeated as ClientOptions::retry says.
class GWM_CLIENT_EXPORT PolicyClient {
 public:
  // address: "HOST:PORT" or "unix:PATH". Does not connect yet.
  explicit PolicyClient(const std::string& address, const ClientOptions& options = {});
  ~PolicyClient();

  PolicyInfo GetPolicy(const PolicyRef& policy = {});
  // What n environments should do next. Throws Error(kInternal) / BAD_REPLY when the actions are
  // not f32 [n, H, A].
  ActResult Act(const ActRequest& request);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace gwm::client

#endif  // GWM_POLICY_CLIENT_H_
