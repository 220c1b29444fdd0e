#include "server/training/training_room.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/base/error.h"
#include "server/base/status.h"
#include "server/models/checkpoint_path.h"
#include "server/training/job_file.h"
#include "server/training/schedule.h"

namespace gwm::server {
namespace {

absl::Status NoSuchJob(const std::string& id) {
  return MakeError(absl::StatusCode::kNotFound, absl::StrCat("job_id: there is no ", Quoted(id)),
                   {.reason = std::string(kUnknownJob), .field = "job_id"});
}

TrainingJob NewJob(TrainingSpec spec, uint64_t appended, absl::Time now) {
  TrainingJob job;
  for (const PartSchedule& schedule : spec.schedule) {
    job.parts.push_back(
        {.part = schedule.part, .updates = 0, .target_updates = TargetUpdates(schedule, 0)});
  }
  job.spec = std::move(spec);
  job.appended_frames = job.appended_before = appended;
  job.created_at = job.changed_at = now;
  return job;
}

// An opener's error in the words of the protocol. Lack of memory and bugs keep their own reasons.
absl::Status NotTrainable(const absl::Status& status, const TrainingSpec& spec) {
  if (absl::IsResourceExhausted(status) || absl::IsInternal(status) ||
      !DetailsOf(status).reason.empty()) {
    return status;
  }
  const bool fresh = !spec.profile.empty();
  return MakeError(status.code(), std::string(status.message()),
                   {.reason = std::string(fresh ? kBadField : kBadCheckpoint), .field = "init"});
}

}  // namespace

TrainingRoom::TrainingRoom(TrainingOptions options) : options_(std::move(options)) {
  parts_ = {.jobs_root = options_.root + "/jobs",
            .limits = options_.limits,
            .save_period = options_.save_period,
            .disk = options_.disk.get(),
            .share = options_.share,
            .device = options_.device,
            .clock = options_.clock,
            .open = [this](const TrainerOptions& trainer) { return options_.open(trainer); },
            .find_checkpoint = [this](const TrainingSpec& spec) { return FolderOfOrigin(spec); },
            .hooks = options_.hooks};
}

absl::StatusOr<std::unique_ptr<TrainingRoom>> TrainingRoom::Open(TrainingOptions options) {
  std::unique_ptr<TrainingRoom> room(new TrainingRoom(std::move(options)));
  RETURN_IF_ERROR(room->OpenFolders());
  RETURN_IF_ERROR(room->LoadJobs());
  return room;
}

absl::Status TrainingRoom::OpenFolders() {
  Disk& disk = *options_.disk;
  const TrainingHooks& hooks = options_.hooks;
  RETURN_IF_ERROR(disk.MakeFolders(parts_.jobs_root));
  auto lock = io::FileLock::Acquire(options_.root + "/lock");
  if (!lock.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat("training_root: another server uses ", options_.root));
  }
  lock_ = *std::move(lock);
  ASSIGN_OR_RETURN(
      episodes_,
      EpisodeStore::Open({.root = options_.root + "/datasets",
                          .max_dataset_bytes = options_.limits.max_dataset_bytes,
                          .max_datasets = options_.limits.max_datasets,
                          .disk = &disk,
                          .on_damaged = [&hooks](const std::string& path, const absl::Status& why) {
                            if (hooks.on_damaged_file) hooks.on_damaged_file();
                            if (hooks.on_trouble) {
                              hooks.on_trouble(
                                  absl::StrCat(path, " is damaged and set aside: ", why.message()));
                            }
                          }}));
  checkpoints_ = std::make_unique<CheckpointTable>(&disk, options_.root + "/checkpoints.json");
  const absl::Status table = checkpoints_->Load();
  if (absl::IsDataLoss(table)) {
    if (hooks.on_damaged_file) hooks.on_damaged_file();
    if (hooks.on_trouble) hooks.on_trouble(absl::StrCat("checkpoints.json: ", table.message()));
  } else {
    RETURN_IF_ERROR(table);
  }
  publisher_ = std::make_unique<Publisher>(
      PublisherOptions{.checkpoint_root = options_.checkpoint_root,
                       .max_checkpoints = options_.limits.max_trained_checkpoints,
                       .disk = &disk,
                       .models = options_.models,
                       .table = checkpoints_.get()});
  parts_.episodes = episodes_.get();
  parts_.checkpoints = checkpoints_.get();
  parts_.publisher = publisher_.get();
  return absl::OkStatus();
}

absl::Status TrainingRoom::LoadJobs() {
  ASSIGN_OR_RETURN(const auto names, options_.disk->List(parts_.jobs_root));
  absl::MutexLock lock(&mutex_);
  for (const std::string& name : names) {
    const std::string folder = parts_.jobs_root + "/" + name;
    const auto text = options_.disk->Read(folder + "/job.json");
    // It was never confirmed.
    if (absl::IsNotFound(text.status())) {
      RETURN_IF_ERROR(options_.disk->Remove(folder));
      continue;
    }
    RETURN_IF_ERROR(text.status());
    auto job = JobFromJson(*text);
    if (job.ok()) {
      jobs_[name] = std::make_shared<JobRunner>(parts_, *std::move(job));
      continue;
    }
    if (options_.hooks.on_damaged_file) options_.hooks.on_damaged_file();
    if (options_.hooks.on_trouble) {
      options_.hooks.on_trouble(absl::StrCat("job ", name, ": ", job.status().message()));
    }
  }
  return absl::OkStatus();
}

TrainingRoom::~TrainingRoom() { Stop(); }

void TrainingRoom::Resume() {
  std::vector<Job> going_on;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [id, job] : jobs_) {
      if (!Ended(job->job().state)) going_on.push_back(job);
    }
  }
  for (const Job& job : going_on) job->Begin(/*resumes=*/true, [](const absl::Status&) {});
  SetLeastShare();
  if (options_.collect_period > absl::ZeroDuration()) {
    collector_ = std::make_unique<Ticker>(options_.collect_period, [this] {
      Collect();
      SetLeastShare();
    });
  }
}

void TrainingRoom::Stop() {
  collector_.reset();
  std::map<std::string, Job> jobs;
  std::vector<Job> failed;
  {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
    jobs.swap(jobs_);
    failed.swap(failed_);
  }
  // All at once, then one after the other.
  for (const auto& [id, job] : jobs) job->Stop();
  for (const auto& [id, job] : jobs) job->Join();
  for (const Job& job : failed) job->Join();
}

void TrainingRoom::Appended() {
  absl::MutexLock lock(&mutex_);
  for (const auto& [id, job] : jobs_) job->Wake();
}

absl::Status TrainingRoom::DeleteDataset(const std::string& dataset) {
  // The lock keeps jobs from beginning on it meanwhile.
  absl::MutexLock lock(&mutex_);
  for (const auto& [id, runner] : jobs_) {
    const TrainingJob job = runner->job();
    if (job.spec.dataset != dataset || Ended(job.state)) continue;
    return MakeError(absl::StatusCode::kFailedPrecondition,
                     absl::StrCat("job ", id, " learns from the dataset; CancelJob it first"),
                     {.reason = std::string(kJobRunning), .field = "dataset"});
  }
  return episodes_->Delete(dataset);
}

absl::StatusOr<std::string> TrainingRoom::FolderOfOrigin(const TrainingSpec& spec) const {
  if (!spec.checkpoint.empty()) {
    return ResolveCheckpoint(options_.checkpoint_root, spec.checkpoint);
  }
  ASSIGN_OR_RETURN(const Model model, options_.models->Get("", spec.model_digest));
  // The first one is known by the last part of its path alone.
  const std::string sums = options_.first_checkpoint + "/SHA256SUMS";
  if (!options_.first_checkpoint.empty() && options_.disk->Exists(sums)) {
    ASSIGN_OR_RETURN(const std::string digest, publisher_->DigestOf(options_.first_checkpoint));
    if (digest == spec.model_digest) return options_.first_checkpoint;
  }
  return ResolveCheckpoint(options_.checkpoint_root, model.checkpoint);
}

absl::Status TrainingRoom::CheckRoom(const TrainingSpec& spec) {
  if (stopped_) return DrainingError();
  const size_t active = CountActive();
  if (active >= options_.limits.max_training_jobs) {
    return MakeError(
        absl::StatusCode::kResourceExhausted,
        absl::StrCat(active, " jobs are running; max_training_jobs = ",
                     options_.limits.max_training_jobs, " are allowed: cancel one first"),
        {.reason = std::string(kQuota)});
  }
  if (checkpoints_->Find("trained/" + spec.job_id).has_value()) {
    return MakeError(absl::StatusCode::kAlreadyExists,
                     absl::StrCat("job_id: there is a checkpoint trained/", spec.job_id),
                     {.reason = std::string(kCheckpointExists), .field = "job_id"});
  }
  return absl::OkStatus();
}

absl::StatusOr<TrainingRoom::Job> TrainingRoom::Place(TrainingSpec& spec, bool& begun) {
  std::vector<Job> forgotten, failed;  // joined out of the lock
  absl::MutexLock lock(&mutex_);
  if (spec.job_id.empty()) spec.job_id = absl::StrFormat("job-%016x", options_.random());
  if (const auto found = jobs_.find(spec.job_id); found != jobs_.end()) {
    if (found->second->job().spec == spec) return found->second;
    return MakeError(absl::StatusCode::kAlreadyExists,
                     absl::StrCat("job_id: another request began ", spec.job_id),
                     {.reason = std::string(kJobExists), .field = "job_id"});
  }
  RETURN_IF_ERROR(CheckRoom(spec));
  ASSIGN_OR_RETURN(const DatasetInfo data, episodes_->Get(spec.dataset));
  ForgetOldJobs(forgotten);
  failed.swap(failed_);
  begun = true;
  const std::string id = spec.job_id;
  return jobs_[id] = std::make_shared<JobRunner>(
             parts_, NewJob(spec, data.appended_frames, options_.clock->Now()));
}

void TrainingRoom::Start(TrainingSpec spec, const Viewed& done) {
  bool begun = false;
  auto job = Place(spec, begun);
  if (!job.ok()) return done(job.status());
  if (begun) {
    {
      absl::MutexLock lock(&mutex_);
      opening_[spec.job_id].push_back(done);
    }
    (*job)->Begin(/*resumes=*/false, [this, weak = std::weak_ptr(*job)](const absl::Status& s) {
      if (const Job opened = weak.lock(); opened != nullptr) Opened(opened, s);
    });
    return;
  }
  {
    absl::MutexLock lock(&mutex_);
    if (const auto found = opening_.find(spec.job_id); found != opening_.end()) {
      found->second.push_back(done);
      return;
    }
  }
  done(View(**job));
}

void TrainingRoom::Opened(const Job& job, const absl::Status& status) {
  const TrainingSpec spec = job->job().spec;
  std::vector<Viewed> waiting;
  {
    absl::MutexLock lock(&mutex_);
    waiting.swap(opening_[spec.job_id]);
    opening_.erase(spec.job_id);
    if (!status.ok() && jobs_.erase(spec.job_id) > 0) failed_.push_back(job);
  }
  SetLeastShare();
  for (const Viewed& done : waiting) {
    if (status.ok()) {
      done(View(*job));
    } else {
      done(NotTrainable(status, spec));
    }
  }
}

void TrainingRoom::ForgetOldJobs(std::vector<Job>& forgotten) {
  const uint32_t most = options_.limits.max_training_jobs_kept;
  while (jobs_.size() >= std::max<size_t>(most, 1)) {
    auto oldest = jobs_.end();
    for (auto one = jobs_.begin(); one != jobs_.end(); ++one) {
      const TrainingJob job = one->second->job();
      const bool older = oldest == jobs_.end() || job.created_at < oldest->second->job().created_at;
      if (Ended(job.state) && older) oldest = one;
    }
    if (oldest == jobs_.end()) return;
    options_.disk->Remove(parts_.jobs_root + "/" + oldest->first).IgnoreError();
    forgotten.push_back(std::move(oldest->second));
    jobs_.erase(oldest);
  }
}

absl::StatusOr<TrainingRoom::Job> TrainingRoom::Find(const std::string& id) const {
  absl::MutexLock lock(&mutex_);
  if (stopped_) return DrainingError();
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) return NoSuchJob(id);
  return found->second;
}

JobView TrainingRoom::View(const JobRunner& job) const {
  JobView view{.job = {}, .published = {}, .version = job.version()};
  view.job = job.job();
  view.published = checkpoints_->PublishedBy(view.job.id());
  return view;
}

absl::StatusOr<JobView> TrainingRoom::Get(const std::string& id) const {
  ASSIGN_OR_RETURN(const Job job, Find(id));
  return View(*job);
}

absl::StatusOr<uint64_t> TrainingRoom::VersionOf(const std::string& id) const {
  ASSIGN_OR_RETURN(const Job job, Find(id));
  return job->version();
}

std::vector<JobView> TrainingRoom::List() const {
  std::vector<Job> jobs;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [id, job] : jobs_) jobs.push_back(job);
  }
  std::vector<JobView> views;
  for (const Job& job : jobs) views.push_back(View(*job));
  std::stable_sort(views.begin(), views.end(), [](const JobView& a, const JobView& b) {
    return a.job.created_at < b.job.created_at;
  });
  return views;
}

size_t TrainingRoom::active_jobs() const {
  absl::MutexLock lock(&mutex_);
  return CountActive();
}

size_t TrainingRoom::CountActive() const {
  return static_cast<size_t>(std::count_if(jobs_.begin(), jobs_.end(), [](const auto& item) {
    return !Ended(item.second->job().state);
  }));
}

void TrainingRoom::Cancel(const std::string& id, const Viewed& done) {
  auto job = Find(id);
  if (!job.ok()) return done(job.status());
  (*job)->Cancel([this, weak = std::weak_ptr(*job), done](const absl::Status& status) {
    const Job ended = weak.lock();
    if (!status.ok() || ended == nullptr) return done(status.ok() ? DrainingError() : status);
    done(View(*ended));
  });
}

void TrainingRoom::Save(const std::string& id, SaveArgs args, const JobRunner::Saved& done) {
  auto job = Find(id);
  if (!job.ok()) return done(job.status());
  (*job)->Save(std::move(args), done);
}

void TrainingRoom::SetLeastShare() {
  uint32_t percent = 0;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [id, runner] : jobs_) {
      const TrainingJob job = runner->job();
      if (!Ended(job.state)) percent = std::max(percent, job.spec.min_share_percent);
    }
  }
  if (percent == 0) percent = options_.limits.training_share_percent;
  options_.device->SetTrainingShare(percent / 100.0);
}

}  // namespace gwm::server
