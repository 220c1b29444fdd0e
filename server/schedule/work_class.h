// How urgent work is, and what it does: the two things that order and cost depend on.
#ifndef GWM_SERVER_SCHEDULE_WORK_CLASS_H_
#define GWM_SERVER_SCHEDULE_WORK_CLASS_H_

#include <algorithm>
#include <cstdint>
#include <string_view>

namespace gwm::server {

// The most urgent first.
enum class WorkClass : uint8_t { kInteractive, kImagine, kPerception, kTraining };
inline constexpr int kWorkClasses = 4;

inline constexpr std::string_view ClassName(WorkClass work_class) {
  constexpr std::string_view kNames[kWorkClasses] = {"interactive", "imagine", "perception",
                                                     "training"};
  return kNames[static_cast<int>(work_class)];
}

// What a client asks for, within its call's class.
enum class Priority : uint8_t { kLow, kNormal, kHigh };

// One class less urgent, or more, but never below kPerception: kTraining is no client's class.
inline constexpr WorkClass Prioritised(WorkClass work_class, Priority priority) {
  if (work_class == WorkClass::kTraining) return work_class;
  const int step = priority == Priority::kLow ? 1 : (priority == Priority::kHigh ? -1 : 0);
  return static_cast<WorkClass>(
      std::clamp(static_cast<int>(work_class) + step, 0, static_cast<int>(WorkClass::kPerception)));
}

// What the device does for a piece of work; costs are measured per stage.
enum class Stage : uint8_t {
  kStep,    // one denoiser call
  kShow,    // what follows the last one: reward, reset of ended episodes, observations
  kReset,   // frames to states
  kRender,  // states to images
  kEncode,  // frames to latents or features
  kState,   // fork, export, import
  kProbe,   // the server's own question whether the device computes
  kOther,
};
inline constexpr int kStages = 8;

inline constexpr std::string_view StageName(Stage stage) {
  constexpr std::string_view kNames[kStages] = {"step",   "show",  "reset", "render",
                                                "encode", "state", "probe", "other"};
  return kNames[static_cast<int>(stage)];
}

}  // namespace gwm::server

#endif  // GWM_SERVER_SCHEDULE_WORK_CLASS_H_
