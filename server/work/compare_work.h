// Observe: what the real world did beside what was imagined, and going on from there.
#ifndef GWM_SERVER_WORK_COMPARE_WORK_H_
#define GWM_SERVER_WORK_COMPARE_WORK_H_

#include <optional>
#include <vector>

#include "server/schedule/work.h"
#include "server/work/frames_batch.h"
#include "server/work/observe.h"
#include "server/work/session_call.h"

namespace gwm::server {

struct CompareArgs {
  FramesBatch frames;      // one row per environment
  bool re_anchor = false;  // the environments go on from the real frames
  ObservationSet observations = 0;
  std::optional<ReplayKey> replay;  // absent: nothing changes, or the call will not be repeated
};

// One entry per row.
struct CompareResult {
  std::vector<float> latent_error;
  std::vector<float> psnr_db;
  std::vector<uint64_t> episode;
  std::vector<uint64_t> step_index;
  Observations observations;  // of the states after the call
  RunTiming timing;
  absl::Duration busy;
  bool replayed = false;  // computed before, for the same call
};

class CompareWork : public SoloWork {
 public:
  CompareWork(SessionCall call, CompareArgs args, Answer<CompareResult> answer);

  void Run(World& world, const RunTiming& timing) override;
  void Refuse(const absl::Status& status) override { Reply(status); }

 private:
  void Reply(absl::StatusOr<CompareResult> result);
  absl::StatusOr<CompareResult> Compare(World& world, const RunTiming& timing);
  // The figures of all rows.
  absl::Status Measure(World& world, const std::vector<Env>& envs, CompareResult& result) const;
  // Gives each environment the state and the cameras of its real frame.
  absl::Status ReAnchor(World& world, std::vector<Env>& envs) const;

  SessionCall call_;
  CompareArgs args_;
  Answer<CompareResult> answer_;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_WORK_COMPARE_WORK_H_
