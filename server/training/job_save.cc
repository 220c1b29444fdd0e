// What a job writes: versions that it publishes, checkpoints that were asked for, its state.
#include "absl/strings/str_cat.h"
#include "server/base/error.h"
#include "server/base/status.h"
#include "server/training/job_runner.h"
#include "server/training/schedule.h"

namespace gwm::server {

absl::Status JobRunner::PublishIfDue() {
  const auto published = parts_.checkpoints->PublishedBy(id_);
  const auto last = published.empty() ? std::nullopt : std::optional(published.back());
  return PublishDue(job(), last) ? Publish() : absl::OkStatus();
}

absl::Status JobRunner::Publish() {
  const TrainingJob job = this->job();
  std::string name = absl::StrCat("trained/", id_, "/", job.AllUpdates());
  // A job that lost some updates in a crash comes by the same number again.
  if (job.resumed > 0) absl::StrAppend(&name, "-", job.resumed);
  ASSIGN_OR_RETURN(const TrainedCheckpoint written, Write(name, job.spec.note, /*published=*/true));
  const absl::Status loaded = parts_.publisher->Load(written, job.spec.set_default);
  const auto& tell = loaded.ok() ? parts_.hooks.on_event : parts_.hooks.on_trouble;
  if (tell) {
    tell(absl::StrCat("job ", id_, " published ", name, ", digest ", written.digest,
                      loaded.ok() ? "" : absl::StrCat(", not loaded: ", loaded.message())));
  }
  Change([](TrainingJob&) {});
  const uint32_t keep =
      job.spec.keep_published == 0 ? kDefaultKeepPublished : job.spec.keep_published;
  RETURN_IF_ERROR(parts_.publisher->Retire(id_, keep));
  parts_.publisher->Collect();
  return absl::OkStatus();
}

absl::StatusOr<TrainedCheckpoint> JobRunner::Write(const std::string& checkpoint,
                                                   const std::string& note, bool published) {
  const absl::Time begin = parts_.clock->Now();
  const TrainingJob job = this->job();
  RETURN_IF_ERROR(trainer_->SaveCheckpoint(
      parts_.publisher->FolderOf(checkpoint),
      absl::StrCat(note, note.empty() ? "" : "\n\n", "Job ", id_, ", ", job.AllUpdates(),
                   " updates, ", job.appended_frames, " frames appended.")));
  ASSIGN_OR_RETURN(
      const TrainedCheckpoint written,
      parts_.publisher->Record({.checkpoint = checkpoint,
                                .digest = {},
                                .created_at = parts_.clock->Now(),
                                .job_id = id_,
                                .dynamics_updates = job.UpdatesOf(TrainPart::kDynamics),
                                .all_updates = job.AllUpdates(),
                                .appended_frames = job.appended_frames,
                                .published = published}));
  if (parts_.hooks.on_checkpoint) {
    parts_.hooks.on_checkpoint(published ? "publish" : "save", written.bytes,
                               parts_.clock->Now() - begin);
  }
  return written;
}

void JobRunner::Save(SaveArgs args, Saved done) {
  {
    absl::MutexLock lock(&mutex_);
    if (!Ended(job_.state) && !stop_) {
      saves_.push_back({std::move(args), std::move(done)});
      return;
    }
  }
  done(MakeError(absl::StatusCode::kFailedPrecondition, "the job has ended",
                 {.reason = std::string(kJobEnded), .field = "job_id"}));
}

void JobRunner::ServeSaves() {
  while (true) {
    SaveRequest next;
    {
      absl::MutexLock lock(&mutex_);
      if (saves_.empty()) return;
      next = std::move(saves_.front());
      saves_.pop_front();
    }
    next.done(SaveNow(next.args));
  }
}

absl::StatusOr<TrainedCheckpoint> JobRunner::SaveNow(const SaveArgs& args) {
  const TrainingJob job = this->job();
  if (trainer_->frames() == 0) {
    return MakeError(absl::StatusCode::kFailedPrecondition, "the job has no data to learn from yet",
                     {.reason = std::string(kNoData), .field = "job_id"});
  }
  const std::string name = absl::StrCat(
      "trained/", args.name.empty() ? absl::StrCat(id_, "-", job.AllUpdates()) : args.name);
  RETURN_IF_ERROR(parts_.publisher->CheckFree(name));
  auto written = Write(name, args.note, /*published=*/false);
  if (!written.ok()) return ForClients(written.status());
  if (args.load) RETURN_IF_ERROR(parts_.publisher->Load(*written, args.set_default));
  return written;
}

void JobRunner::SaveStateNow() {
  saved_at_ = parts_.clock->Now();
  const absl::Status saved = trainer_->SaveState(job());
  unsaved_ = unsaved_ && !saved.ok();
  // The job goes on: a later attempt may find room.
  if (!saved.ok() && parts_.hooks.on_trouble) {
    parts_.hooks.on_trouble(
        absl::StrCat("job ", id_, ": its state was not saved: ", saved.message()));
  }
}

void JobRunner::SaveStateIfDue() {
  if (parts_.clock->Now() - saved_at_ >= parts_.save_period) SaveStateNow();
}

}  // namespace gwm::server
