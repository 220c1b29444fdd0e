#include "server/training/schedule.h"

#include <algorithm>
#include <cmath>

namespace gwm::server {
namespace {

constexpr double kMost = 9007199254740992.0;  // 2^53

const PartProgress* Progress(const TrainingJob& job, TrainPart part) {
  const auto found = std::find_if(job.parts.begin(), job.parts.end(),
                                  [part](const PartProgress& one) { return one.part == part; });
  return found == job.parts.end() ? nullptr : &*found;
}

uint64_t InitialTarget(const PartSchedule& schedule) { return TargetUpdates(schedule, 0); }

uint64_t FramesSinceBegin(const TrainingJob& job) {
  return job.appended_frames - std::min(job.appended_frames, job.appended_before);
}

}  // namespace

uint64_t TargetUpdates(const PartSchedule& schedule, uint64_t frames_since_begin) {
  const double wanted =
      static_cast<double>(schedule.initial_updates) +
      std::floor(schedule.updates_per_frame * static_cast<double>(frames_since_begin));
  const auto target = static_cast<uint64_t>(std::clamp(wanted, 0.0, kMost));
  return schedule.max_updates == 0 ? target : std::min(target, schedule.max_updates);
}

void SetTargets(TrainingJob& job) {
  for (const PartSchedule& schedule : job.spec.schedule) {
    for (PartProgress& part : job.parts) {
      if (part.part == schedule.part) {
        part.target_updates = TargetUpdates(schedule, FramesSinceBegin(job));
      }
    }
  }
}

std::optional<TrainPart> NextPart(const TrainingJob& job) {
  const auto first = [&job](auto target) -> std::optional<TrainPart> {
    for (TrainPart part : kAllTrainParts) {
      const PartProgress* progress = Progress(job, part);
      if (progress == nullptr) continue;
      for (const PartSchedule& schedule : job.spec.schedule) {
        if (schedule.part == part && progress->updates < target(schedule)) return part;
      }
    }
    return std::nullopt;
  };
  if (const auto initial = first(InitialTarget)) return initial;
  return first([&job](const PartSchedule& schedule) {
    return TargetUpdates(schedule, FramesSinceBegin(job));
  });
}

bool InitialUpdatesDone(const TrainingJob& job) {
  return std::all_of(job.spec.schedule.begin(), job.spec.schedule.end(),
                     [&job](const PartSchedule& schedule) {
                       return job.UpdatesOf(schedule.part) >= InitialTarget(schedule);
                     });
}

bool AllUpdatesDone(const TrainingJob& job) {
  return std::all_of(
      job.spec.schedule.begin(), job.spec.schedule.end(), [&job](const PartSchedule& schedule) {
        return schedule.max_updates > 0 && job.UpdatesOf(schedule.part) >= schedule.max_updates;
      });
}

bool PublishDue(const TrainingJob& job, const std::optional<TrainedCheckpoint>& last) {
  if (job.spec.publish_every == 0 || !InitialUpdatesDone(job)) return false;
  if (!last.has_value()) return true;
  const bool dynamics = Progress(job, TrainPart::kDynamics) != nullptr;
  const uint64_t now = dynamics ? job.UpdatesOf(TrainPart::kDynamics) : job.AllUpdates();
  const uint64_t then = dynamics ? last->dynamics_updates : last->all_updates;
  return now >= then + job.spec.publish_every;
}

}  // namespace gwm::server
