// The environment that is to be controlled: one environment of a session, with the frames that a
// model needs to follow it.
#ifndef GWM_CLIENTS_PLANNER_REAL_WORLD_H_
#define GWM_CLIENTS_PLANNER_REAL_WORLD_H_

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <vector>

#include "gwm/client.h"

namespace gwm::planner {

struct RealStep {
  float reward = 0;
  bool success = false;
  bool ended = false;
};

// Every call throws client::Error.
class RealWorld {
 public:
  // `context_frames`: how many of the newest frames are kept, at least 1; 0: none are asked for.
  RealWorld(client::Client& client, uint64_t seed, int context_frames);

  const client::Spec& spec() const { return spec_; }
  void Reset(uint64_t seed);
  // action: [A] in [-1, 1].
  RealStep Step(std::span<const float> action);
  // The newest frames, oldest first, with the actions between them.
  client::Frames Context() const;
  client::StateRef State() { return session_.ExportState(); }

 private:
  struct Moment {
    std::string rgb;            // u8 [V, H, W, 3]
    std::string depth_mm;       // u16 [V, H, W]
    std::vector<float> action;  // that led here
  };
  void Keep(const std::map<std::string, client::Tensor>& observations,
            std::span<const float> action);

  client::Spec spec_;
  size_t context_frames_;
  client::Session session_;
  client::Tensor intrinsics_;      // f32 [V, 3, 3]
  client::Tensor world_from_cam_;  // f32 [V, 4, 4]
  std::deque<Moment> moments_;
};

}  // namespace gwm::planner

#endif  // GWM_CLIENTS_PLANNER_REAL_WORLD_H_
