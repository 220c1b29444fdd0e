// How many rows to compute together.
#ifndef GWM_SERVER_SCHEDULE_BATCH_SIZE_H_
#define GWM_SERVER_SCHEDULE_BATCH_SIZE_H_

#include "absl/time/time.h"
#include "server/schedule/cost_table.h"

namespace gwm::server {

struct BatchLimits {
  int max_rows = 64;
  // No rows are added that make one quantum longer than this; one row always goes, and when that
  // takes longer already, rows may make it twice as long if it makes them cheaper.
  absl::Duration max_quantum = absl::Milliseconds(10);
};

// Of `wanted` rows that could start a quantum, at least 1. Without measured costs: as many as
// max_rows allows.
int RowsToStart(const CostTable& costs, int wanted, const BatchLimits& limits);

// The limits of a quantum of less urgent work while interactive clients are about: such a client
// waits for the end of a quantum, so that may last no more than twice a single row's.
BatchLimits LimitsAmongUrgent(const CostTable& costs, const BatchLimits& limits);

// Of `more` rows that could join the `have` ones, those that do not make a row of the batch dearer.
// urgent_rows: how many of the `have` are of a higher class; rows that join them may prolong them
// by no more than a quarter. 0: none are.
int RowsToJoin(const CostTable& costs, int have, int more, int urgent_rows,
               const BatchLimits& limits);

// Device time of one row's denoiser call in the largest batch that the limits allow; zero while
// nothing was measured.
absl::Duration TimePerRow(const CostTable& costs, const BatchLimits& limits);

// Device time of `calls` denoiser calls for each of `rows` rows that have the device for
// themselves; but the last call is made among as many others as the limits allow, since a row's
// result is there when its whole quantum is done.
absl::Duration TimeToResult(const CostTable& costs, int rows, int calls, const BatchLimits& limits);

}  // namespace gwm::server

#endif  // GWM_SERVER_SCHEDULE_BATCH_SIZE_H_
