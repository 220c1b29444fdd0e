// What a replay notes about a frame, as bits.
#ifndef GWM_CLIENTS_RL_REPLAY_FLAGS_H_
#define GWM_CLIENTS_RL_REPLAY_FLAGS_H_

#include <cstdint>

namespace gwm::rl {

inline constexpr uint8_t kFrameTerminated = 1;  // the episode truly ended here
inline constexpr uint8_t kFrameTruncated = 2;   // the episode was cut here
inline constexpr uint8_t kFrameHistory = 4;     // before the episode: no transition starts here
inline constexpr uint8_t kAllFrameFlags = 7;

}  // namespace gwm::rl

#endif  // GWM_CLIENTS_RL_REPLAY_FLAGS_H_
