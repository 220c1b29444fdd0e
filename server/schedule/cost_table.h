// What a stage costs on this device, by the number of rows that go together: measured, and kept up
// to date by what was seen last.
//
//   costs.Learn(Stage::kStep, 8, measured);
//   costs.Predict(Stage::kStep, 12);  // between what 8 and 16 rows cost
#ifndef GWM_SERVER_SCHEDULE_COST_TABLE_H_
#define GWM_SERVER_SCHEDULE_COST_TABLE_H_

#include <array>
#include <optional>

#include "absl/time/time.h"
#include "server/schedule/work_class.h"

namespace gwm::server {

// Thread-compatible. Costs are kept at 1, 2, 4, ... rows; between them they are a straight line,
// beyond them they go on in proportion to the rows.
class CostTable {
 public:
  // rows >= 1. Averages over about the last eight measurements. A single one that is far off (a
  // page fault, another process) moves the average by no more than if it were four times the
  // expected.
  void Learn(Stage stage, int rows, absl::Duration cost);
  // Absent: nothing was measured of this stage yet.
  std::optional<absl::Duration> Predict(Stage stage, int rows) const;

 private:
  static constexpr int kKnots = 17;  // 1 to 65536 rows
  // Microseconds at 2^i rows; below 0: not known.
  struct Row {
    std::array<double, kKnots> micros;
    Row() { micros.fill(-1); }
  };
  static double At(const Row& row, double rows);

  std::array<Row, kStages> stages_;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_SCHEDULE_COST_TABLE_H_
