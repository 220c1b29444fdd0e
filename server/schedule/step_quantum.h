// One quantum of the dynamics: one denoiser call for rows of several works.
#ifndef GWM_SERVER_SCHEDULE_STEP_QUANTUM_H_
#define GWM_SERVER_SCHEDULE_STEP_QUANTUM_H_

#include <memory>
#include <span>

#include "server/schedule/metered_world.h"
#include "server/schedule/step_progress.h"
#include "server/schedule/work.h"

namespace gwm::server {

// A work's part of a quantum.
struct StepTurn {
  StepWork* work = nullptr;                           // borrowed for the call
  std::unique_ptr<StepProgress>* progress = nullptr;  // null inside: the work has not begun
  int rows = 1;                                       // that it may advance
  // Results. over: the work was answered or refused.
  bool over = false;
  absl::Duration device_time;  // its share of the quantum
  absl::Duration show_time;    // of that, what completing it took
};

struct QuantumReport {
  int rows = 0;              // that were advanced
  absl::Duration call_time;  // of the denoiser call
  bool whole = true;         // in one piece: call_time says what so many rows cost
};

// Device thread. Whatever fails - a work's beginning or completion, the world, by an error or an
// exception - ends the works concerned alone. When a call fails for several works, or does not fit
// into memory, it is tried in halves.
// meter: that of the world.
QuantumReport RunStepQuantum(World& world, std::span<StepTurn> turns, DeviceMeter& meter);

}  // namespace gwm::server

#endif  // GWM_SERVER_SCHEDULE_STEP_QUANTUM_H_
