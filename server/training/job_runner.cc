#include "server/training/job_runner.h"

#include <algorithm>
#include <exception>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "server/base/error.h"
#include "server/base/status.h"
#include "server/training/job_file.h"
#include "server/training/schedule.h"

namespace gwm::server {
namespace {

bool IsRefusal(const absl::Status& status) {
  const std::string reason = DetailsOf(status).reason;
  return reason == kDraining || reason == kDeviceLost;
}

}  // namespace

JobRunner::JobRunner(const TrainingParts& parts, TrainingJob job)
    : parts_(parts), id_(job.id()), job_(std::move(job)) {}

JobRunner::~JobRunner() {
  Stop();
  Join();
}

void JobRunner::Join() {
  if (!thread_.joinable()) return;
  // The last owner may be who was told of the end, by the thread itself; nothing follows then.
  if (thread_.get_id() == std::this_thread::get_id()) {
    thread_.detach();
  } else {
    thread_.join();
  }
}

void JobRunner::Begin(bool resumes, Done opened) {
  thread_ = std::thread([this, resumes, opened = std::move(opened)] { Run(resumes, opened); });
}

void JobRunner::Stop() {
  absl::MutexLock lock(&mutex_);
  stop_ = true;
}

void JobRunner::Wake() {
  absl::MutexLock lock(&mutex_);
  woken_ = true;
}

void JobRunner::Cancel(Done done) {
  {
    absl::MutexLock lock(&mutex_);
    if (!Ended(job_.state) && !stop_) {
      cancel_ = true;
      on_end_.push_back(std::move(done));
      return;
    }
  }
  done(Ended(job().state) ? absl::OkStatus() : DrainingError());
}

TrainingJob JobRunner::job() const {
  absl::MutexLock lock(&mutex_);
  return job_;
}

uint64_t JobRunner::version() const {
  absl::MutexLock lock(&mutex_);
  return version_;
}

bool JobRunner::stopped() const {
  absl::MutexLock lock(&mutex_);
  return stop_;
}

bool JobRunner::cancelled() const {
  absl::MutexLock lock(&mutex_);
  return cancel_;
}

bool JobRunner::Pause(absl::Duration time) {
  absl::MutexLock lock(&mutex_);
  const auto over = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stop_ || cancel_; };
  return !mutex_.AwaitWithTimeout(absl::Condition(&over), time);
}

void JobRunner::SetState(JobState state) {
  if (job().state == state) return;
  Change([state](TrainingJob& job) { job.state = state; });
}

absl::Status JobRunner::Note() { return parts_.disk->Write(folder() + "/job.json", ToJson(job())); }

// What may be shown: no folders of the server.
absl::Status JobRunner::ForClients(const absl::Status& status) const {
  return MakeError(status.code(),
                   absl::StrReplaceAll(std::string(status.message()),
                                       {{folder(), "job"}, {parts_.publisher->FolderOf(""), ""}}),
                   DetailsOf(status));
}

void JobRunner::Run(bool resumes, const Done& opened) {
  trainer_.emplace(parts_, job().spec, [this](absl::Duration time) { return Pause(time); });
  absl::Status status;
  bool open = false;
  try {
    status = OpenAndLoop(resumes, opened, open);
  } catch (const std::exception& error) {
    status = absl::InternalError(error.what());
  }
  // The device thread has ended, or the device itself: that is no fault of the job.
  if (stopped() || IsRefusal(status)) {
    if (open && !IsRefusal(status)) SaveStateNow();
    trainer_.reset();
    TellWaiters(DrainingError(), DrainingError());
    status = DrainingError();
  } else if (open && cancelled()) {
    End(JobState::kCancelled, absl::OkStatus());
  } else {
    End(status.ok() ? JobState::kSucceeded : JobState::kFailed, status);
  }
  if (open) return;
  if (!resumes) parts_.disk->Remove(folder()).IgnoreError();
  opened(ForClients(status));
}

absl::Status JobRunner::OpenAndLoop(bool resumes, const Done& opened, bool& open) {
  RETURN_IF_ERROR(Open(resumes));
  open = true;
  opened(absl::OkStatus());
  return Loop();
}

absl::Status JobRunner::Open(bool resumes) {
  RETURN_IF_ERROR(parts_.disk->MakeFolders(folder()));
  TrainingJob job = this->job();
  RETURN_IF_ERROR(trainer_->Open(job));
  Change([&](TrainingJob& own) {
    own.parts = job.parts;
    own.device_time = job.device_time + trainer_->TakeDeviceTime();
    own.resumed += resumes ? 1 : 0;
    own.error.clear();
    own.state = JobState::kRunning;
    SetTargets(own);
  });
  saved_at_ = parts_.clock->Now();
  RETURN_IF_ERROR(Note());
  if (resumes) {
    // Sessions may ask for these again.
    for (const auto& one : parts_.checkpoints->PublishedBy(id_)) {
      const absl::Status loaded = parts_.publisher->Load(one, job.spec.set_default);
      if (!loaded.ok() && parts_.hooks.on_trouble) {
        parts_.hooks.on_trouble(absl::StrCat("job ", id_, ": ", loaded.message()));
      }
    }
  }
  if (parts_.hooks.on_event) {
    parts_.hooks.on_event(absl::StrCat("job ", id_, (resumes ? " goes on" : " begins"),
                                       " on dataset ", job.spec.dataset));
  }
  return absl::OkStatus();
}

absl::Status JobRunner::Loop() {
  while (!stopped() && !cancelled()) {
    ServeSaves();
    ASSIGN_OR_RETURN(const bool finished, Turn());
    if (!finished || stopped() || cancelled()) continue;
    const auto published = parts_.checkpoints->PublishedBy(id_);
    if (!published.empty() && published.back().all_updates == job().AllUpdates()) {
      return absl::OkStatus();
    }
    return Publish();
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> JobRunner::Turn() {
  bool fed = false;
  RETURN_IF_ERROR(Feed(fed));
  if (fed) return false;
  const TrainingJob job = this->job();
  if (AllUpdatesDone(job)) return true;
  const bool enough = HasEnoughData();
  const auto part = enough ? NextPart(job) : std::nullopt;
  if (part.has_value()) {
    SetState(JobState::kRunning);
    RETURN_IF_ERROR(LearnPiece(*part));
    return false;
  }
  if (enough && job.spec.end_when_idle) return true;
  WaitForData();
  return false;
}

bool JobRunner::HasEnoughData() const {
  const TrainingJob job = this->job();
  const auto info = parts_.episodes->Get(job.spec.dataset);
  return info.ok() && trainer_->frames() > 0 && info->frames >= job.spec.min_frames;
}

absl::Status JobRunner::Feed(bool& fed) {
  ASSIGN_OR_RETURN(fed, trainer_->FeedOne());
  const auto info = parts_.episodes->Get(job().spec.dataset);
  const uint64_t appended = info.ok() ? info->appended_frames : 0;
  const TrainingJob before = job();
  if (!fed && before.appended_frames == appended) return absl::OkStatus();
  Change([&](TrainingJob& job) {
    job.replay_frames = trainer_->frames();
    job.appended_frames = std::max(job.appended_frames, appended);
    job.device_time += trainer_->TakeDeviceTime();
    SetTargets(job);
  });
  return absl::OkStatus();
}

absl::Status JobRunner::LearnPiece(TrainPart part) {
  ASSIGN_OR_RETURN(const TrainedMicroBatch batch, trainer_->Learn(part));
  if (!batch.updated) return absl::OkStatus();
  unsaved_ = true;
  Change([&](TrainingJob& job) {
    job.device_time += trainer_->TakeDeviceTime();
    for (PartProgress& one : job.parts) {
      if (one.part != part) continue;
      one.updates = static_cast<uint64_t>(batch.updates);
      one.terms = batch.terms;
    }
  });
  SaveStateIfDue();
  return PublishIfDue();
}

void JobRunner::WaitForData() {
  // What was learnt so far is safe before a wait that may be long.
  if (unsaved_) SaveStateNow();
  SetState(JobState::kWaiting);
  absl::MutexLock lock(&mutex_);
  const auto reason = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return stop_ || cancel_ || woken_ || !saves_.empty();
  };
  mutex_.Await(absl::Condition(&reason));
  woken_ = false;
}

void JobRunner::End(JobState state, const absl::Status& why) {
  TrainingJob last = job();
  last.state = state;
  if (!why.ok()) last.error = std::string(ForClients(why).message());
  last.device_time += trainer_->TakeDeviceTime();
  last.changed_at = parts_.clock->Now();
  // Its memory is free, and its end is on disk, before anybody hears of it.
  trainer_->Close();
  const absl::Status noted = parts_.disk->Write(folder() + "/job.json", ToJson(last));
  if (noted.ok()) trainer_->ForgetState();
  trainer_.reset();
  Change([&last](TrainingJob& job) { job = std::move(last); });
  const auto& tell = why.ok() && noted.ok() ? parts_.hooks.on_event : parts_.hooks.on_trouble;
  if (tell) {
    tell(absl::StrCat(
        "job ", id_, " has ended: ",
        why.ok() ? (state == JobState::kCancelled ? "cancelled" : "succeeded") : why.ToString(),
        noted.ok() ? "" : absl::StrCat("; ", noted.message())));
  }
  TellWaiters(MakeError(absl::StatusCode::kFailedPrecondition, "the job has ended",
                        {.reason = std::string(kJobEnded), .field = "job_id"}),
              absl::OkStatus());
}

void JobRunner::TellWaiters(const absl::Status& saves, const absl::Status& cancels) {
  std::deque<SaveRequest> saving;
  std::vector<Done> cancelling;
  {
    absl::MutexLock lock(&mutex_);
    saving.swap(saves_);
    cancelling.swap(on_end_);
  }
  for (const SaveRequest& save : saving) save.done(saves);
  for (const Done& done : cancelling) done(cancels);
}

}  // namespace gwm::server
