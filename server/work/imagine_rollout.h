// Imagine: many branches rolled forward from a copy of one environment, chunk by chunk on request.
//
//   auto rollout = ImagineRollout::Create(...);  // checks that the start can be stepped
//   rollout->RequestChunk();                     // answers through on_chunk, once, on the device
//   thread
//   ... on_chunk: write it; when it is written, RequestChunk() again unless it was the last
//
// One step of all branches is one work, so that other calls get their turn between steps, and
// nothing is computed ahead of the reader.
#ifndef GWM_SERVER_WORK_IMAGINE_ROLLOUT_H_
#define GWM_SERVER_WORK_IMAGINE_ROLLOUT_H_

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "server/schedule/device_thread.h"
#include "server/schedule/work.h"
#include "server/work/observe.h"
#include "server/work/session_call.h"
#include "server/work/start_state.h"

namespace gwm::server {

struct ImagineArgs {
  std::span<const float> actions;  // [1 or B, T, A]; borrowed from the request until the last chunk
  uint32_t action_rows = 1;        // 1 or B
  uint32_t steps = 1;              // T
  uint32_t branches = 1;           // B
  std::optional<uint64_t> seed;
  ObservationSet outputs = 0;
  uint32_t stride = 1;
  StepOptions sampler;           // nothing left open
  std::optional<Camera> camera;  // absent: the environment's own
  bool final_states = false;     // to bring with the last chunk
  bool common_noise = false;     // all branches draw what branch 0 draws
};

// Where a rollout begins.
struct RolloutStart {
  WorldHandle world;
  Env env;
  uint32_t max_episode_steps = 0;     // goes into final states
  std::optional<SessionUse> session;  // whose environment it is; absent: a state by itself
};

// S steps of B branches; vectors are row-major [B, S].
struct ImagineResult {
  uint32_t t = 0;
  uint32_t steps = 0;  // S
  std::vector<float> reward;
  std::vector<uint8_t> terminated;
  std::vector<uint8_t> success;
  std::vector<float> expected_error;        // of a done branch: its last; empty: not told
  std::vector<uint8_t> done;                // [B]
  std::vector<absl::Status> branch_status;  // [B]
  Observations observations;
  uint64_t computed_rows = 0;  // branch steps that were computed for this chunk
  uint32_t sampler_calls = 0;
  CallLatency latency;  // since the chunk was requested
  bool last = false;
  std::vector<StateContent> final_states;  // [B] with the last chunk, if asked for
};

// One thread at a time uses it: the device thread while a chunk is being made, else whoever
// requests the next one.
class ImagineRollout : public std::enable_shared_from_this<ImagineRollout> {
 public:
  using OnChunk = std::function<void(absl::StatusOr<ImagineResult>)>;

  // The call is shared with the RPC's reactor; `device` outlives the rollout. FailedPrecondition /
  // NEEDS_RESET for a start that is not running.
  static absl::StatusOr<std::shared_ptr<ImagineRollout>> Create(std::shared_ptr<CallHandle> call,
                                                                RolloutStart start,
                                                                ImagineArgs args,
                                                                DeviceThread* device,
                                                                OnChunk on_chunk);
  // Every chunk but the first restarts the call's ledger: the reader's time is nobody's.
  void RequestChunk();
  ~ImagineRollout() { LetGo(); }

 private:
  struct Branch {
    StatePtr state;
    bool done = false;
    bool terminated = false;
    uint32_t steps = 0;        // of its last state
    float expected_error = 0;  // of its last state
    absl::Status status;
  };
  class StepOfAll;

  ImagineRollout(std::shared_ptr<CallHandle> call, RolloutStart start, ImagineArgs args,
                 DeviceThread* device, OnChunk on_chunk);
  // The session first: whoever sees the states gone may let it expire.
  void LetGo();
  // Of the next step.
  StepShape Shape() const;
  void SubmitStep();
  std::vector<StepRequest> Rows() const;
  // Takes one step's rows in; then either goes on to the next step or delivers the chunk.
  void Absorb(World& world, std::span<StepRow> rows);
  void Deliver(World& world);
  // Moves the figures of the chunk in the making to the result.
  void TakeChunk(bool expected_errors, ImagineResult& result);
  absl::StatusOr<std::vector<StateContent>> FinalStates(World& world) const;
  // The environment that a branch is at its step t_.
  Env BranchEnv(uint32_t b) const;
  // Once per requested chunk; later answers are dropped.
  void Answer(absl::StatusOr<ImagineResult> result);
  int live() const;

  const std::shared_ptr<CallHandle> call_;
  const WorldHandle world_;  // outlives the states
  std::optional<SessionUse> session_;
  const ImagineArgs args_;
  DeviceThread* const device_;
  OnChunk on_chunk_;
  Env start_;  // without its state
  const uint32_t max_episode_steps_;
  std::vector<Branch> branches_;
  uint32_t t_ = 0;
  bool awaited_ = false;
  uint64_t computed_rows_ = 0;  // for this chunk
  // Of the chunk in the making: [step][branch].
  std::vector<std::vector<StepRow>> chunk_;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_WORK_IMAGINE_ROLLOUT_H_
