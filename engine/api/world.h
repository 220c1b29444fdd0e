// A world model that can be reset, stepped and looked at. The server sees the engine through this
// header alone.
//
// States are immutable: a step reads one state and makes another. So a step that fails or is
// cancelled changes nothing (the caller keeps the old pointer), committing a step is an assignment,
// and forking an environment is a pointer copy.
//
//   auto world = OpenWorld({.checkpoint_dir = "checkpoints/gwm-small"});
//   auto states = (*world)->Reset({{.frames = frames}});
//   auto rows = (*world)->Step({{.state = (*states)[0], .action = action, .noise = {.seed = 7}}},
//   {}); auto images = (*world)->Render({{.state = (*rows)[0].next, .camera = camera}}, {});
#ifndef GWM_ENGINE_API_WORLD_H_
#define GWM_ENGINE_API_WORLD_H_

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "engine/api/types.h"

namespace gwm {

// One environment's state in the world's pool. Opaque; the slot returns to the pool with the last
// pointer. Releasing is thread-safe; everything else happens inside World's calls.
class WorldState {
 public:
  virtual ~WorldState() = default;
};
using StatePtr = std::shared_ptr<const WorldState>;

struct WorldSpec {
  std::string model_id;           // "gwm-small"
  std::string checkpoint_digest;  // hex SHA-256 over the checkpoint's files
  std::string device;             // "cpu", "cuda:0"
  std::string precision;          // of the denoiser's matrix products: "fp32", "bf16"
  std::string compute;            // why it computes with these threads and precision; for a log
  int action_dim = 0;
  float action_min = -1;
  float action_max = 1;
  int context_frames = 1;  // the most frames that Reset makes use of
  int views = 1;
  int height = 0;  // pixels of the frames that Reset takes
  int width = 0;
  int tokens = 0;       // M
  int latent_dim = 0;   // L
  int feature_dim = 0;  // D
  int default_sampler_calls = 1;
  int max_sampler_calls = 1;
  SamplerKind sampler = SamplerKind::kEuler;  // the default one
  int64_t state_bytes = 0;                    // one state in the pool
  int64_t pool_states = 0;                    // capacity of the pool
  int reset_pool_size = 0;         // real frames shipped with the checkpoint; 0: Reset needs frames
  int64_t gaussians = 0;           // N of a decoded state
  std::vector<Camera> cameras;     // the default camera of each view
  double control_dt_s = 0;         // seconds of the real environment per step
  int training_horizon = 0;        // steps up to which the model was evaluated
  std::vector<std::string> tasks;  // what it was trained on
  bool tells_expected_error = false;  // Step fills StepRow.expected_error
};

struct ResetRequest {
  // Exactly one of the two: real frames, or an entry of the shipped pool, 0..reset_pool_size-1.
  std::optional<RgbdFrames> frames;
  std::optional<int> pool_index;
};

struct StepRequest {
  StatePtr state;
  std::span<const float> action;  // [A], finite, within [action_min, action_max]
  NoiseKey noise;
  // Steps since the state was made of a real frame; absent: noise.step.
  std::optional<uint32_t> age = std::nullopt;
};
struct StepOptions {
  int sampler_calls = 0;  // noise levels, 1..max_sampler_calls; 0: the default
  SamplerKind sampler = SamplerKind::kModel;
};
struct StepRow {
  absl::Status
      status;  // not OK (DataLoss: non-finite output): `next` is null and nothing else is set
  StatePtr next;
  float reward = 0;
  bool terminated = false;
  bool success = false;
  float success_probability = 0;
  // Squared error of the new state's latents to be expected, as a share of their variance: 0 for a
  // state that can be trusted, 1 for one that says no more than the mean of all data. Finite, 0 or
  // more. Nothing from checkpoints without an error head (WorldSpec.tells_expected_error).
  std::optional<float> expected_error;
};

// One row of a step on its way. Letting go of it ends it; that may happen on any thread, and after
// the world is gone.
class StepInProgress {
 public:
  virtual ~StepInProgress() = default;
  // Denoiser calls that are still to be made; 0: the result is there.
  virtual int calls_left() const = 0;
  // Once, when no call is left.
  virtual StepRow TakeResult() = 0;
};
using StepInProgressPtr = std::unique_ptr<StepInProgress>;

// A state beside a real frame.
struct Comparison {
  // Squared error of the latents, as a share of their variance: what StepRow.expected_error
  // expects.
  float latent_error = 0;
  // Mean squared error of the rendered image, RGB in [0, 1], over all pixels of all views.
  float image_error = 0;
};

enum RenderOutputs : uint32_t { kRenderRgb = 1, kRenderDepth = 2, kRenderAlpha = 4 };
struct RenderRequest {
  StatePtr state;
  Camera camera;  // width and height are those of the image wanted
};
struct RenderOptions {
  uint32_t outputs = kRenderRgb;
  DType rgb_dtype = DType::kU8;  // kU8 (rounded) or kF32 in [0, 1]
};
struct RenderedView {
  HostTensor rgb;    // [H, W, 3]
  HostTensor depth;  // f32 [H, W] m, expected depth along the optical axis; 0 where alpha is 0
  HostTensor alpha;  // f32 [H, W]
};

// A state by the names of its parts.
using StateTensors = std::map<std::string, HostTensor>;

struct LatentTokens {
  HostTensor latents;  // f32 [M, L], standardised
  HostTensor centres;  // f32 [M, 3] m, world
};

// Device-thread only: one thread makes all calls. Rows never influence each other: a row's result
// is the same bits alone and in any batch (CPU). Malformed arguments give InvalidArgument; a full
// pool gives ResourceExhausted. Unavailable: the device is lost, and no later call will succeed.
class World {
 public:
  virtual ~World() = default;
  virtual const WorldSpec& spec() const = 0;

  virtual absl::StatusOr<std::vector<StatePtr>> Reset(const std::vector<ResetRequest>& rows) = 0;

  // Rows to be advanced, in the order of `rows`. Only checks; the actions are copied.
  virtual absl::StatusOr<std::vector<StepInProgressPtr>> BeginStep(
      const std::vector<StepRequest>& rows, const StepOptions& options) = 0;
  // One denoiser call for each of the rows, which may be of any steps, at any noise levels; those
  // without a call left have their results then. Requires calls_left() > 0 of each, all different.
  // An error, or an exception, leaves all of them where they were.
  virtual absl::Status Advance(std::span<StepInProgress* const> rows) = 0;
  // Of the last Advance: what reward, success and expected error took of it. Zero: none was
  // computed, or it is not known.
  virtual absl::Duration HeadsTime() const { return absl::ZeroDuration(); }
  // All calls of a step at once.
  absl::StatusOr<std::vector<StepRow>> Step(const std::vector<StepRequest>& rows,
                                            const StepOptions& options);

  virtual absl::StatusOr<std::vector<RenderedView>> Render(const std::vector<RenderRequest>& rows,
                                                           const RenderOptions& options) = 0;
  // The state's own cameras: those of the frames it was reset from, V of them.
  virtual absl::StatusOr<std::vector<Camera>> Cameras(const StatePtr& state) = 0;
  virtual absl::StatusOr<GaussianCloud> Gaussians(const StatePtr& state) = 0;
  // `count` of them, 1..WorldSpec.gaussians: the farthest point sample of their means, from the
  // first one on.
  virtual absl::StatusOr<GaussianCloud> SampleGaussians(const StatePtr& state, int64_t count) = 0;
  virtual absl::StatusOr<LatentTokens> Latents(const StatePtr& state) = 0;
  // `state` with other latents at the same anchors: decoding of client-made latents. latents: f32
  // [M, L].
  virtual absl::StatusOr<StatePtr> WithLatents(const StatePtr& state,
                                               const TensorView& latents) = 0;
  // All that `state` is made of. ImportState makes the same state of it, bit for bit, on any world
  // of the same checkpoint, build and kind of device.
  virtual absl::StatusOr<StateTensors> ExportState(const StatePtr& state) = 0;
  // Tensors from anywhere. InvalidArgument: one is missing, unknown, malformed or not finite.
  // FailedPrecondition: they are of another build or device, where the same frame has other
  // anchors.
  virtual absl::StatusOr<StatePtr> ImportState(const StateTensors& tensors) = 0;
  // `state` beside the newest of `frames`, seen by the cameras of the frames. DataLoss: not finite.
  virtual absl::StatusOr<Comparison> Compare(const StatePtr& state, const RgbdFrames& frames) = 0;
  // Hidden tokens for policies, f32 [M, D] per row: the output of the denoiser's last block, before
  // its final modulation, at the first call of a step of one call, with the null action and the
  // noise of seed 0. The same bits alone and in any batch, on every device.
  virtual absl::StatusOr<std::vector<HostTensor>> Features(const std::vector<StatePtr>& rows) = 0;
};

inline absl::StatusOr<std::vector<StepRow>> World::Step(const std::vector<StepRequest>& rows,
                                                        const StepOptions& options) {
  auto begun = BeginStep(rows, options);
  if (!begun.ok()) return begun.status();
  std::vector<StepInProgress*> left;
  for (const StepInProgressPtr& row : *begun) left.push_back(row.get());
  while (!left.empty()) {
    if (absl::Status status = Advance(left); !status.ok()) return status;
    std::erase_if(left, [](const StepInProgress* row) { return row->calls_left() == 0; });
  }
  std::vector<StepRow> results;
  for (const StepInProgressPtr& row : *begun) results.push_back(row->TakeResult());
  return results;
}

struct WorldOptions {
  std::string checkpoint_dir;
  std::string device = "auto";            // auto | cpu | cuda
  int64_t pool_bytes = int64_t{1} << 30;  // memory for states
  int threads = 0;                        // compute threads; 0: chosen by a start-up probe
  std::string precision = "auto";         // auto (chosen by the probe) | fp32 | bf16
};
// NotFound / InvalidArgument / FailedPrecondition (digest mismatch) say what is wrong with the
// checkpoint.
[[gnu::visibility("default")]] absl::StatusOr<std::unique_ptr<World>> OpenWorld(
    const WorldOptions& options);

}  // namespace gwm

#endif  // GWM_ENGINE_API_WORLD_H_
