// How far a StepWork is: its rows, each with the denoiser calls that it still needs.
#ifndef GWM_SERVER_SCHEDULE_STEP_PROGRESS_H_
#define GWM_SERVER_SCHEDULE_STEP_PROGRESS_H_

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "engine/api/world.h"

namespace gwm::server {

// Device thread only.
struct StepProgress {
  std::vector<StepInProgressPtr> rows;
  absl::Duration device_time;  // that it took so far
  uint32_t batch_rows = 0;     // the most that were computed together

  int rows_left() const {
    return static_cast<int>(std::count_if(rows.begin(), rows.end(),
                                          [](const auto& row) { return row->calls_left() > 0; }));
  }
  int row_calls_left() const {
    int calls = 0;
    for (const StepInProgressPtr& row : rows) calls += row->calls_left();
    return calls;
  }
  // The first `count` of those with calls left: a row is seen through before the next one begins,
  // so that few of them hold memory at the same time.
  std::vector<StepInProgress*> Next(int count) const {
    std::vector<StepInProgress*> next;
    for (const StepInProgressPtr& row : rows) {
      if (static_cast<int>(next.size()) == count) break;
      if (row->calls_left() > 0) next.push_back(row.get());
    }
    return next;
  }
  // When no row has a call left; lets go of the old states.
  std::vector<StepRow> TakeResults() {
    std::vector<StepRow> results;
    for (const StepInProgressPtr& row : rows) results.push_back(row->TakeResult());
    rows.clear();
    return results;
  }
};

}  // namespace gwm::server

#endif  // GWM_SERVER_SCHEDULE_STEP_PROGRESS_H_
