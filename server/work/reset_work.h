// Reset: new episodes from frames or from the pool.
#ifndef GWM_SERVER_WORK_RESET_WORK_H_
#define GWM_SERVER_WORK_RESET_WORK_H_

#include <optional>
#include <vector>

#include "server/schedule/work.h"
#include "server/work/frames_batch.h"
#include "server/work/observe.h"
#include "server/work/session_call.h"
#include "server/work/start_state.h"

namespace gwm::server {

struct ResetArgs {
  std::optional<uint64_t> seed;
  std::optional<FramesBatch> frames;  // one row per environment, or one for all
  std::optional<StartState> start;    // for all environments, instead of frames
  std::vector<uint32_t>
      pool_indices;  // one per environment, or empty: chosen by (seed, env, episode)
  ObservationSet observations = 0;
  std::optional<ReplayKey> replay;  // absent: the call will not be repeated
};

struct ResetResult {
  Observations observations;
  std::vector<uint32_t> pool_indices;  // empty when the reset had frames or a state
  std::vector<uint64_t> episodes;
  std::vector<uint64_t> step_index;
  std::vector<std::vector<Camera>> cameras;  // of each environment
  RunTiming timing;
  absl::Duration busy;
  bool replayed = false;  // computed before, for the same call
};

class ResetWork : public SoloWork {
 public:
  ResetWork(SessionCall call, ResetArgs args, Answer<ResetResult> answer);

  void Run(World& world, const RunTiming& timing) override;
  void Refuse(const absl::Status& status) override { Reply(status); }

 private:
  void Reply(absl::StatusOr<ResetResult> result);
  absl::StatusOr<ResetResult> Reset(World& world, const RunTiming& timing);
  // The environments as they will be.
  absl::StatusOr<std::vector<Env>> Begin(World& world, ResetResult& result) const;
  absl::StatusOr<std::vector<Env>> BeginAt(World& world, const StartState& start) const;
  // States and cameras still missing.
  absl::StatusOr<std::vector<Env>> NextEnvs() const;
  std::vector<ResetRequest> Requests(const World& world, const std::vector<Env>& envs,
                                     ResetResult& result) const;

  SessionCall call_;
  ResetArgs args_;
  Answer<ResetResult> answer_;
};

// Device thread. Starts the next episode of each from the pool. Returns the entries that they
// started from. An error may leave some of them changed. Requires a pool.
absl::StatusOr<std::vector<uint32_t>> BeginNextEpisodes(World& world,
                                                        const std::vector<Env*>& envs);

// The entry of a pool of `size` that an episode starts from: a function of its arguments alone.
uint32_t PoolIndex(uint64_t seed, uint32_t env, uint64_t episode, uint32_t size);

}  // namespace gwm::server

#endif  // GWM_SERVER_WORK_RESET_WORK_H_
