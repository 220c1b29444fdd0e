// Step: one action for each named environment.
#ifndef GWM_SERVER_WORK_STEP_WORK_H_
#define GWM_SERVER_WORK_STEP_WORK_H_

#include <optional>
#include <vector>

#include "server/schedule/work.h"
#include "server/work/observe.h"
#include "server/work/session_call.h"

namespace gwm::server {

struct StepArgs {
  std::span<const float> actions;  // [n, A], checked; borrowed from the request until the answer
  ObservationSet observations = 0;
  StepOptions sampler;                  // nothing left open
  std::optional<Camera> camera;         // absent: the environments' own
  std::vector<uint64_t> expected_step;  // one per row, or empty: not checked
  std::optional<ReplayKey> replay;      // absent: the call will not be repeated
};

// Why an episode was cut off.
enum class Truncation : uint8_t { kNone, kMaxEpisodeSteps, kModelHorizon };

// One entry per row.
struct StepResult {
  std::vector<float> reward;
  std::vector<uint8_t> terminated;
  std::vector<uint8_t> truncated;
  std::vector<uint8_t> success;
  std::vector<float> success_probability;
  std::vector<float> expected_error;  // empty when the world does not tell
  std::vector<Truncation> truncation;
  std::vector<uint64_t> step_index;
  std::vector<uint8_t> reset;          // an episode began
  std::vector<uint64_t> episode;       // the present one
  std::vector<uint32_t> pool_indices;  // of rows whose episode began; empty when none did
  std::vector<absl::Status> row_status;
  Observations observations;
  // Rows that ended an episode and began the next one at once, as they were at the end.
  std::vector<uint32_t> final_rows;
  std::vector<uint64_t> final_step_index;
  Observations final_observations;
  RunTiming timing;
  absl::Duration busy;
  bool replayed = false;  // computed before, for the same call
};

class SessionStepWork : public StepWork {
 public:
  SessionStepWork(SessionCall call, StepArgs args, Answer<StepResult> answer);

  absl::StatusOr<std::vector<StepRequest>> Begin() override;
  bool answered() const override { return answered_; }
  void Complete(World& world, std::span<StepRow> results, const RunTiming& timing) override;
  void Refuse(const absl::Status& status) override { Reply(status); }

 private:
  void Reply(absl::StatusOr<StepResult> result);
  absl::StatusOr<StepResult> Finish(World& world, std::span<StepRow> rows, const RunTiming& timing);
  // Whether the step that led to `row`, the env's steps-th, cuts the episode off.
  Truncation TruncationOf(const StepRow& row, uint64_t steps) const;
  // Moves one environment on and appends its row to the result.
  void Advance(const StepRow& row, Env& env, StepResult& result) const;
  // The row of an environment that waits for its reset: no reward, no end.
  static void AppendWaiting(StepResult& result);
  // Advance for all; rows that wait for their reset take none of `rows`.
  void AdvanceAll(std::span<StepRow> rows, StepResult& result);
  // The rows whose next episode begins in this step.
  std::vector<uint32_t> FreshRows() const;
  absl::Status KeepFinal(World& world, const std::vector<uint32_t>& rows, StepResult& result) const;
  absl::Status BeginFresh(World& world, const std::vector<uint32_t>& rows, StepResult& result);
  Viewed View(size_t row) const;

  SessionCall call_;
  StepArgs args_;
  Answer<StepResult> answer_;
  std::vector<Env> envs_;      // as they were at Begin, then as they will be
  std::vector<bool> waiting_;  // per row: its episode had ended before this step
  bool answered_ = false;
};

// The noise of the env's next step.
NoiseKey NextNoise(const Env& env);

}  // namespace gwm::server

#endif  // GWM_SERVER_WORK_STEP_WORK_H_
