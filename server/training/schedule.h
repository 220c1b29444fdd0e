// What a job's schedule asks for, as arithmetic.
#ifndef GWM_SERVER_TRAINING_SCHEDULE_H_
#define GWM_SERVER_TRAINING_SCHEDULE_H_

#include <cstdint>
#include <optional>

#include "server/training/training_job.h"

namespace gwm::server {

// initial_updates + updates_per_frame * frames, at most max_updates; never beyond 2^53.
uint64_t TargetUpdates(const PartSchedule& schedule, uint64_t frames_since_begin);

// Puts the targets that hold now into the job's parts.
void SetTargets(TrainingJob& job);

// The part to train next: the first one that has not made its initial updates, in the order
// tokenizer, dynamics, reward, error, since each learns from what the one before it makes; then the
// first one in that order that is behind its target. Absent: the schedule asks for nothing now.
std::optional<TrainPart> NextPart(const TrainingJob& job);

// Every part has made its initial updates.
bool InitialUpdatesDone(const TrainingJob& job);
// Every part has made max_updates: more data changes nothing.
bool AllUpdatesDone(const TrainingJob& job);

// Whether a version is due, after the last one that was published; absent: none was. Counts the
// updates of the dynamics, or of all parts when it is not trained.
bool PublishDue(const TrainingJob& job, const std::optional<TrainedCheckpoint>& last);

}  // namespace gwm::server

#endif  // GWM_SERVER_TRAINING_SCHEDULE_H_
