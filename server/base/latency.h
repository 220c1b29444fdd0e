// Where the time of a call goes, from its arrival to its answer.
#ifndef GWM_SERVER_BASE_LATENCY_H_
#define GWM_SERVER_BASE_LATENCY_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

namespace gwm::server {

enum class LatencyStage : uint8_t {
  kQueue,     // waiting for the device: before the first turn, between turns, for batch mates
  kEncode,    // real frames and states from elsewhere become states
  kDynamics,  // denoiser calls
  kReward,    // reward, success and expected error of the new states
  kRender,    // observations and images
  kPack,      // the rest: reading and checking the request, committing, making the message
};
inline constexpr size_t kLatencyStages = 6;
using StageTimes = std::array<absl::Duration, kLatencyStages>;

struct CallLatency {
  StageTimes stages = {};
  absl::Duration total;  // from the start to the close; the stages add up to it
};

// Label of metrics: "queue", "encode", ...
constexpr const char* StageName(LatencyStage stage) {
  constexpr std::array<const char*, kLatencyStages> kNames = {"queue",  "encode", "dynamics",
                                                              "reward", "render", "pack"};
  return kNames[static_cast<size_t>(stage)];
}

// One call's time, divided among the stages without gaps: whoever knows what the call has been
// doing since the last mark says so. Used by whichever thread has the call in its hands.
class LatencyLedger {
 public:
  // From here on the time counts.
  void Start(absl::Time now) {
    times_ = {};
    started_at_ = mark_ = now;
  }
  // The call goes to the device for the first time, or once more.
  void Enqueue(absl::Time now) {
    Mark(LatencyStage::kPack, now);
    // Written once: a watcher of slow readers may ask at any time after that.
    if (!enqueued_) enqueued_ = true;
  }
  // Whether it ever did.
  bool enqueued() const { return enqueued_; }
  // Everything since the last mark was `stage`. Before Start: nothing happens.
  void Mark(LatencyStage stage, absl::Time now) {
    if (mark_ == absl::InfinitePast()) return;
    times_[static_cast<size_t>(stage)] += std::max(now - mark_, absl::ZeroDuration());
    mark_ = std::max(mark_, now);
  }
  // As Mark, with the last `share` of the time for `stage` and the rest for `before`.
  void Split(LatencyStage before, LatencyStage stage, absl::Duration share, absl::Time now) {
    Mark(before, std::max(mark_, now - share));
    Mark(stage, now);
  }
  // The answer is there.
  CallLatency Close(absl::Time now) {
    Mark(LatencyStage::kPack, now);
    return {.stages = times_, .total = now - started_at_};
  }

 private:
  StageTimes times_ = {};
  bool enqueued_ = false;
  absl::Time started_at_ = absl::InfinitePast();
  absl::Time mark_ = absl::InfinitePast();
};

}  // namespace gwm::server

#endif  // GWM_SERVER_BASE_LATENCY_H_
