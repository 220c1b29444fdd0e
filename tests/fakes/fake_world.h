// A world with exact, known dynamics and faults on demand.
//
// The state is a point x in R^2 and a hash of all that happened. An action adds to x; the reward is
// the sum of the action; an episode ends when |x0| >= 10; the goal is met when x1 >= 1; the error
// to expect is |x0| / 10. Pixels show x0 (red), x1 (green) and the hash (blue); depth is 1 m + x0;
// latents are [M, L] with x0, x1 and parts of the hash; every Gaussian sits at (x0, x1, 0).
// Compare: latent_error is the squared distance of the points, image_error a hundredth of it.
#ifndef GWM_TESTS_FAKES_FAKE_WORLD_H_
#define GWM_TESTS_FAKES_FAKE_WORLD_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "engine/api/world.h"
#include "tests/fakes/counter.h"
#include "tests/fakes/gate.h"

namespace gwm::fakes {

// The test's hands inside the world. Thread-safe. Shared: it outlives the world and its states.
struct FakeWorldControls {
  Gate gate;  // each denoiser call passes it
  // Called with the rows of each denoiser call, on the device thread; to be set before the world is
  // used.
  std::function<void(int)> on_advance;
  // The same for "reset" and "render".
  std::function<void(std::string_view)> on_call;
  absl::Duration heads_time;  // that HeadsTime tells; constant while the world is used
  std::atomic<int64_t> live_states = 0;
  std::atomic<int64_t> pool_states = 64;    // more give ResourceExhausted
  std::atomic<int64_t> max_step_rows = 64;  // more in one call give ResourceExhausted
  std::atomic<bool> throw_in_step = false;
  std::atomic<bool> fail_render = false;  // Internal
  std::atomic<bool> error_head = true;    // this and the next two: read when the world is made
  std::string model_id = "fake";
  std::string digest = "0123abcd";
  std::atomic<int64_t> step_us = 0;           // time of one Step, microseconds ...
  std::atomic<int64_t> row_us = 0;            // ... and of each of its rows
  std::atomic<int64_t> hang_after_steps = 0;  // Steps until the gate closes; 0: it stays open
  std::atomic<int64_t> lose_after_steps =
      0;  // Steps until every call gives Unavailable; 0: none does
  std::atomic<bool> lost = false;
  std::atomic<int64_t> leak_bytes = 0;  // lost by every Step
  std::atomic<int64_t> width = 6;       // of the cameras; read when the world is made
  std::atomic<int64_t> height = 4;
  std::atomic<int64_t> gaussians = 1;       // that the spec tells; read when the world is made
  std::atomic<bool> record_batches = true;  // for Batches()
  std::atomic<uint32_t> last_age = 0;       // of the row that was stepped last
  Counter renders;                          // rows of Render so far

  void AddBatch(int rows) ABSL_LOCKS_EXCLUDED(mutex) {
    if (!record_batches) return;
    absl::MutexLock lock(&mutex);
    batches.push_back(rows);
  }
  // Rows of each denoiser call so far.
  std::vector<int> Batches() const ABSL_LOCKS_EXCLUDED(mutex) {
    absl::MutexLock lock(&mutex);
    return batches;
  }

 private:
  mutable absl::Mutex mutex;
  std::vector<int> batches ABSL_GUARDED_BY(mutex);
};

// A row whose first action entry is this comes out non-finite.
inline constexpr float kPoisonAction = 0.6875f;
// A denoiser call with a row whose first action entry is this throws.
inline constexpr float kThrowAction = 0.4375f;

// 2 action entries in [-1, 1]; T <= 2 frames of 1 view of 6 x 4 pixels; 3 tokens x 4; 5 features; 1
// to 4 sampler calls, by default 2; a reset pool of 5 entries (entry i starts at x = (i, 0)).
WorldSpec FakeSpec();

std::unique_ptr<World> MakeFakeWorld(std::shared_ptr<FakeWorldControls> controls);

}  // namespace gwm::fakes

#endif  // GWM_TESTS_FAKES_FAKE_WORLD_H_
