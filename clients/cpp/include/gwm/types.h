// What goes into the calls of gwm/client.h and gwm/session.h, and what comes out. Letters in
// shapes: n rows (the named environments), V views, H x W pixels, T frames or steps, A action
// entries, B branches, M latent tokens, L their width.
#ifndef GWM_TYPES_H_
#define GWM_TYPES_H_

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "gwm/error.h"
#include "gwm/tensor.h"

namespace gwm::client {

// Pinhole camera, OpenCV axes (x right, y down, z forward), pixel centres at +0.5.
struct Camera {
  std::array<float, 9> intrinsics{};       // row-major [3, 3], pixels
  std::array<float, 16> world_from_cam{};  // row-major [4, 4], rigid, metres
  uint32_t width = 0;                      // pixels
  uint32_t height = 0;
};

struct Field {
  std::string name;
  DType dtype = DType::kNone;
  std::vector<int64_t> shape;  // of one row
  double min = 0;
  double max = 0;
};

// What a server offers: see SimulatorSpec in gwm/v1/simulator.proto.
struct Spec {
  std::string model_id;
  std::string checkpoint_digest;
  std::string contract_version;
  std::string device;
  std::string precision;  // of the model: "fp32", "bf16"; empty for a real environment
  Field action;
  std::vector<Field> observations;
  std::vector<std::string> rpcs;   // "Simulator.Step", ...
  std::vector<std::string> inits;  // of "pool", "frames", "episode"
  std::vector<std::string> tasks;
  std::vector<Camera> cameras;  // the default one of each view
  uint32_t horizon = 0;         // steps up to which the model was evaluated; 0: not known
  uint32_t min_sampler_calls = 0;
  uint32_t max_sampler_calls = 0;
  uint32_t default_sampler_calls = 0;
  uint32_t reset_pool_size = 0;
  uint32_t context_frames = 0;
  uint32_t views = 0;
  uint32_t height = 0;
  uint32_t width = 0;
  double control_dt_s = 0;
  uint64_t state_bytes_per_env = 0;
  uint64_t gaussians = 0;
  bool replays_calls = false;         // repeated Steps and Resets get the stored reply
  bool tells_expected_error = false;  // Step, Imagine and Plan tell the error to expect
};

struct ServerInfo {
  std::string instance_id;
  std::string version;
  std::string model_id;
  std::string checkpoint_digest;
  std::string device;
  std::vector<std::string> rpcs;
  uint32_t sessions = 0;
  uint32_t envs = 0;
};

struct Limits {
  uint64_t max_message_bytes = 0;
  uint32_t max_sessions = 0;
  uint32_t max_envs_per_session = 0;
  uint64_t max_envs = 0;
  uint32_t max_image_side = 0;
  uint64_t max_pixels_per_render = 0;
  uint32_t max_imagine_steps = 0;
  uint32_t max_imagine_branches = 0;
  uint32_t max_perception_rows = 0;
  uint32_t max_sampled_gaussians = 0;
  uint64_t max_replay_bytes = 0;
  std::chrono::milliseconds max_call_time{0};
};

// Real RGB-D images of n worlds, T frames each, oldest first.
struct Frames {
  Tensor rgb;             // u8 [n, T, V, H, W, 3]
  Tensor depth_mm;        // u16 [n, T, V, H, W]; 0 = nothing hit
  Tensor intrinsics;      // f32 [n, V, 3, 3] or [V, 3, 3]
  Tensor world_from_cam;  // f32 [n, V, 4, 4] or [V, 4, 4]
  // The actions between the frames, f32 [n, T - 1, A]; absent ones count as zero.
  std::optional<Tensor> actions;
};

// A frame of an episode file below the server's episode root.
struct EpisodeFrame {
  std::string path;
  uint32_t frame = 0;
};

// A state of an environment: its bytes, which go on bit for bit on any server of the same
// checkpoint and the same kind of device, or the id under which its server keeps it. One of the
// two.
struct StateRef {
  std::string blob;
  std::string state_id;
};

// Entries of the server's pool of real frames, one per row; none: the seed chooses.
struct FromPool {
  std::vector<uint32_t> indices;
};

// What happens when an episode ends; the modes are those of gymnasium.
enum class AutoReset {
  kNone = 1,      // the environment needs a Reset
  kNextStep = 2,  // the next Step ignores the environment's action and resets it
  kSameStep = 3,  // the Step that ends an episode also starts the next one
};

// One of the models that a server serves. Both empty: the default one. A digest names one version;
// an id alone the default version if that is called so, else the one that was loaded last.
struct ModelRef {
  std::string model_id;
  std::string checkpoint_digest;
};

// A version of a model.
struct Model {
  enum class State { kUnspecified, kLoading, kReady, kDraining, kFailed, kUnloaded };
  std::string model_id;
  std::string checkpoint_digest;
  std::string checkpoint;  // folder, relative to the server's root of checkpoints
  State state = State::kUnspecified;
  bool is_default = false;
  uint32_t sessions = 0;     // open on it
  uint64_t state_bytes = 0;  // that they have set aside
  uint64_t state_pool_bytes = 0;
  uint64_t checkpoint_bytes = 0;
  std::chrono::milliseconds load_time{0};
  std::string error;  // why loading failed
  std::string device;
};

// In all options below: `timeout` 0 means the client's default.
struct LoadModelOptions {
  std::string expected_digest;  // empty: any
  bool set_default = false;
  std::chrono::milliseconds timeout{600'000};
};

struct UnloadModelOptions {
  bool drain = false;  // also while sessions are on it: it goes with the last of them
  std::optional<std::chrono::milliseconds> grace;  // after it they are ended; absent: never
};

// On the device.
struct WarmUpTimes {
  std::chrono::microseconds reset{0};
  std::chrono::microseconds step{0};
  std::chrono::microseconds render{0};
};

// How a step goes from one noise level to the next: by one denoiser call each, or by two each but
// the last; kDefault: as the session does, and the session as the model says.
enum class Sampler { kDefault, kEuler, kHeun };

struct SessionOptions {
  uint32_t num_envs = 1;
  std::optional<uint64_t> seed;  // absent: a random one
  uint32_t sampler_calls = 0;    // noise levels per step; 0: the default
  Sampler sampler = Sampler::kDefault;
  std::vector<std::string> observations;  // what Reset and Step return unless they name others
  std::chrono::milliseconds idle_ttl{0};  // 0: the server's default
  uint32_t max_episode_steps = 0;         // 0: never truncated
  float max_expected_error = 0;           // a step beyond it truncates the episode; 0: never
  AutoReset auto_reset = AutoReset::kNone;
  bool evictable = false;  // may be ended when another session needs the room
  bool spillable = false;  // its states may wait in host memory while it is idle
  ModelRef model;          // the session stays on this version
  std::chrono::milliseconds timeout{0};
};

struct SessionSummary {
  std::string id;
  uint32_t num_envs = 0;
  uint64_t state_bytes = 0;  // memory set aside
};

struct ResetOptions {
  // A StateRef goes on from there: its episode, its step and, without a seed, its random numbers.
  std::variant<FromPool, Frames, EpisodeFrame, StateRef> init;
  std::vector<uint32_t> env_ids;  // empty: all
  std::optional<uint64_t> seed;   // replaces the seed and starts counting episodes anew
  std::vector<std::string> observations;
  std::chrono::milliseconds timeout{0};
};
struct ResetResult {
  std::map<std::string, Tensor> observations;  // each [n, ...]
  std::vector<uint32_t> pool_indices;          // where each row started; empty when it had an init
  std::vector<uint64_t> episode;               // number of the episode that begins
  std::vector<uint64_t> step_index;            // 0 unless it started from a state
  Tensor intrinsics;                           // f32 [n, V, 3, 3]
  Tensor world_from_cam;                       // f32 [n, V, 4, 4]
  bool replayed = false;                       // the stored reply of a call that was repeated
};

struct StepOptions {
  std::vector<uint32_t> env_ids;  // empty: all
  std::vector<std::string> observations;
  uint32_t sampler_calls = 0;
  Sampler sampler = Sampler::kDefault;
  std::optional<Camera> camera;  // "rgb" and "depth" as seen from here
  std::chrono::milliseconds timeout{0};
};
struct RowStatus {
  Code code = Code::kOk;  // kDataLoss: the result was not finite, the environment needs a Reset
  std::string reason;
  std::string message;
};
// Where a call's time went on the server. queue, encode, dynamics, reward, render and pack follow
// each other and add up to the total: what the call waited for. device: what it used, its share of
// what was computed together with others.
struct StepTiming {
  double queue_ms = 0;
  double device_ms = 0;
  uint32_t batch_rows = 0;
  uint32_t sampler_calls = 0;
  double encode_ms = 0;
  double dynamics_ms = 0;
  double reward_ms = 0;
  double render_ms = 0;
  double pack_ms = 0;
  double total_ms = 0;
};
// k rows of a step that ended an episode and began the next one at once, as they were at the end.
struct FinalRows {
  std::vector<uint32_t> rows;                  // ascending
  std::vector<uint64_t> step_index;            // steps that the episodes had
  std::map<std::string, Tensor> observations;  // each [k, ...]
};
// Why an episode was cut off.
enum class TruncationReason {
  kNone = 0,
  kMaxEpisodeSteps = 1,
  kModelHorizon = 2,  // expected_error exceeds the session's max_expected_error
  kEnvironment = 3,   // by a real environment itself
};
struct StepResult {
  std::vector<float> reward;  // n
  std::vector<bool> terminated;
  std::vector<bool> truncated;
  std::vector<bool> success;
  std::vector<float> success_probability;
  // Squared error of the new state's latents that the model expects, as a share of their variance;
  // empty unless Spec::tells_expected_error.
  std::vector<float> expected_error;
  std::vector<TruncationReason> truncation_reason;
  std::vector<uint64_t> step_index;
  std::vector<bool> reset;        // an episode began in this step, by itself
  std::vector<uint64_t> episode;  // number of the present episode
  std::vector<RowStatus> row_status;
  std::map<std::string, Tensor> observations;  // each [n, ...]
  FinalRows final_rows;                        // empty unless AutoReset::kSameStep
  StepTiming timing;
  bool replayed = false;  // the stored reply of a call that was repeated
};

enum class RenderOutput { kRgb = 1, kDepth = 2, kAlpha = 3, kGaussians = 4 };
struct RenderOptions {
  std::vector<uint32_t> env_ids;      // empty: all
  std::vector<Camera> cameras;        // all of one size; empty: the environment's own
  std::vector<RenderOutput> outputs;  // empty: RGB
  bool rgb_f32 = false;               // floats in [0, 1] instead of rounded bytes
  std::optional<StateRef> state;      // instead of environments: images of this state
  std::chrono::milliseconds timeout{0};
};
// N Gaussians, world frame, unconstrained parametrisation of the public PLY files.
struct GaussianCloud {
  Tensor means;           // f32 [N, 3] m
  Tensor log_scales;      // f32 [N, 3] natural log of m
  Tensor quats;           // f32 [N, 4] w x y z
  Tensor sh;              // f32 [N, K, 3]
  Tensor opacity_logits;  // f32 [N]
};
// Outputs that were not asked for are empty. C cameras.
struct Images {
  Tensor rgb;    // [n, C, H, W, 3], u8 or f32
  Tensor depth;  // f32 [n, C, H, W] m
  Tensor alpha;  // f32 [n, C, H, W]
  std::vector<GaussianCloud> gaussians;
};

struct ImagineOptions {
  uint32_t env_id = 0;
  uint32_t branches = 0;  // 0: as many as the actions have
  std::optional<uint64_t> seed;
  std::vector<std::string> observations;
  uint32_t stride = 1;  // steps per chunk
  uint32_t sampler_calls = 0;
  Sampler sampler = Sampler::kDefault;
  std::optional<Camera> camera;
  std::optional<StateRef> state;    // to start from instead of an environment
  bool return_final_state = false;  // the last chunk has the states that the branches ended in
  // Of the whole rollout; 0: none.
  std::chrono::milliseconds timeout{0};
};
// S steps of B branches; observations show the last of them.
struct ImagineChunk {
  uint32_t t = 0;                              // steps imagined so far
  Tensor reward;                               // f32 [B, S]
  Tensor terminated;                           // bool [B, S]
  Tensor success;                              // bool [B, S]
  Tensor expected_error;                       // f32 [B, S], as in StepResult; empty: not told
  Tensor done;                                 // bool [B]
  std::map<std::string, Tensor> observations;  // each [B, ...]
  std::vector<RowStatus> row_status;           // B
  std::vector<StateRef> final_states;          // B, on the last chunk when asked for
};

struct PlanOptions {
  uint32_t env_id = 0;
  std::optional<StateRef> state;  // to start from instead of an environment
  double discount = 1;            // above 0, up to 1
  uint32_t sampler_calls = 0;
  Sampler sampler = Sampler::kDefault;
  std::chrono::milliseconds timeout{0};
};
// K action sequences tried from one state.
struct PlanResult {
  std::vector<float> returns;  // K; -inf for a sequence that failed
  uint32_t best = 0;
  Tensor best_actions;                // f32 [H, A]
  std::vector<bool> terminated;       // the episode ended within the sequence
  std::vector<bool> success;          // the goal was met at some step
  std::vector<float> expected_error;  // H, of the best sequence, as in StepResult; empty: not told
  std::vector<RowStatus> row_status;
};

struct ObserveOptions {
  std::vector<uint32_t> env_ids;          // empty: all
  bool re_anchor = false;                 // the environments go on from the real frames
  std::vector<std::string> observations;  // of the states after the call; empty: none
  std::chrono::milliseconds timeout{0};
};
// Imagined states beside real frames.
struct ObserveResult {
  // n: squared error of the latents, as a share of their variance: what StepResult::expected_error
  // expects.
  std::vector<float> latent_error;
  std::vector<float> psnr_db;  // n, of the rendered image, at most 100
  std::vector<uint64_t> episode;
  std::vector<uint64_t> step_index;
  std::map<std::string, Tensor> observations;  // each [n, ...]
  bool replayed = false;                       // the stored reply of a call that was repeated
};

// Whose random numbers forked environments draw.
enum class ForkSeed {
  kKeep = 1,   // their parent's: the same actions give the same bits
  kSplit = 2,  // their own
};
struct ForkOptions {
  std::vector<uint32_t> env_ids;  // parents; empty: all
  uint32_t count = 1;             // children of each
  ForkSeed seed = ForkSeed::kKeep;
  std::chrono::milliseconds timeout{0};
};

}  // namespace gwm::client

#endif  // GWM_TYPES_H_
