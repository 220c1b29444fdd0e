#include "server/training/job_trainer.h"

#include <algorithm>
#include <future>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/io/file.h"
#include "engine/io/folder_edit.h"
#include "server/base/error.h"
#include "server/base/status.h"
#include "server/models/checkpoint_path.h"
#include "server/schedule/errand.h"
#include "server/training/device_piece.h"
#include "server/training/job_file.h"

namespace gwm::server {
namespace {

constexpr char kProgressFile[] = "/progress.json";

// So many episodes are imagined before a head learns from them, and one more after so many of its
// updates.
constexpr uint64_t kFirstImagined = 4;
constexpr uint64_t kUpdatesPerImagined = 8;

// Naps while others use up their share of the device.
constexpr absl::Duration kNap = absl::Milliseconds(5);

uint64_t MostFrames(const TrainingSpec& spec, const Limits& limits) {
  return spec.replay_frames == 0 ? limits.max_training_frames : spec.replay_frames;
}

double MaxShare(const TrainingSpec& spec, const Limits& limits) {
  const uint32_t percent =
      spec.max_share_percent == 0 ? limits.training_max_share_percent : spec.max_share_percent;
  return std::clamp(percent / 100.0, 0.01, 1.0);
}

}  // namespace

JobTrainer::JobTrainer(const TrainingParts& parts, const TrainingSpec& spec,
                       std::function<bool(absl::Duration)> pause)
    : parts_(parts),
      spec_(spec),
      pause_(std::move(pause)),
      folder_(parts.jobs_root + "/" + spec.job_id),
      most_frames_(MostFrames(spec, parts.limits)),
      micro_rows_(spec.micro_rows == 0 ? kDefaultMicroRows : spec.micro_rows),
      reward_imagines_(ImaginedShareOf(spec.train_json) > 0) {}

JobTrainer::~JobTrainer() { Close(); }

void JobTrainer::Close() {
  if (trainer_ == nullptr) return;
  std::promise<void> closed;
  parts_.device->Submit(std::make_unique<Errand>(this,
                                                 [&] {
                                                   trainer_.reset();
                                                   closed.set_value();
                                                 }),
                        Admission::kAlways);
  closed.get_future().wait();
}

absl::Status JobTrainer::OnDevice(const std::function<absl::Status()>& piece) {
  while (parts_.share->Wait(parts_.clock->Now()) > absl::ZeroDuration() && pause_(kNap)) {
  }
  absl::Time begin, end;
  absl::Status status = RunOnDevice(*parts_.device, "job " + spec_.job_id, [&] {
    begin = parts_.clock->Now();
    absl::Status done = piece();
    end = parts_.clock->Now();
    return done;
  });
  parts_.share->TrainingRan(begin, end - begin, MaxShare(spec_, parts_.limits));
  device_time_ += end - begin;
  return status;
}

absl::Status JobTrainer::CopyOrigin() {
  const std::string origin = folder_ + "/init";
  if (parts_.disk->Exists(origin)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::string source, parts_.find_checkpoint(spec_));
  const std::string unfinished = origin + ".tmp";
  RETURN_IF_ERROR(parts_.disk->Remove(unfinished));
  RETURN_IF_ERROR(parts_.disk->MakeFolders(unfinished));
  ASSIGN_OR_RETURN(const auto names, parts_.disk->List(source));
  for (const std::string& name : names) {
    const std::string from = absl::StrCat(source, "/", name);
    ASSIGN_OR_RETURN(const std::string bytes, parts_.disk->Read(from));
    RETURN_IF_ERROR(parts_.disk->Write(absl::StrCat(unfinished, "/", name), bytes));
  }
  return parts_.disk->Rename(unfinished, origin);
}

absl::Status JobTrainer::Open(TrainingJob& job) {
  TrainerOptions options{.profile = spec_.profile,
                         .model_json = spec_.model_json,
                         .train_json = spec_.train_json,
                         .seed = spec_.seed,
                         .micro_rows = static_cast<int>(micro_rows_)};
  if (spec_.profile.empty()) {
    RETURN_IF_ERROR(CopyOrigin());
    options.checkpoint_dir = folder_ + "/init";
  }
  const std::string state = folder_ + "/state";
  const bool resumes = parts_.disk->Exists(state);
  RETURN_IF_ERROR(OnDevice([&]() -> absl::Status {
    ASSIGN_OR_RETURN(trainer_, parts_.open(options));
    return resumes ? trainer_->LoadState(state) : absl::OkStatus();
  }));
  if (!resumes) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::string text, parts_.disk->Read(state + kProgressFile));
  ASSIGN_OR_RETURN(TrainingJob saved, JobFromJson(text));
  job.parts = std::move(saved.parts);
  job.device_time = saved.device_time;
  return absl::OkStatus();
}

absl::StatusOr<bool> JobTrainer::FeedOne() {
  std::vector<EpisodeFile> files = parts_.episodes->Since(spec_.dataset, next_number_);
  if (!std::exchange(fed_, true)) {
    // Of what was there before only as much as the replay holds, which is one episode at least.
    uint64_t frames = 0;
    auto first = files.end();
    while (first != files.begin() &&
           (first == files.end() || frames + std::prev(first)->frames <= most_frames_)) {
      frames += (--first)->frames;
    }
    files.erase(files.begin(), first);
  }
  if (files.empty()) return false;
  const EpisodeFile& file = files.front();
  next_number_ = file.number + 1;
  const auto episode = parts_.episodes->Read(spec_.dataset, file);
  // Dropped meanwhile, or damaged since the server started: the job goes on without it.
  if (!episode.ok()) {
    if (parts_.hooks.on_trouble) parts_.hooks.on_trouble(std::string(episode.status().message()));
    return true;
  }
  RETURN_IF_ERROR(AddToReplay(file, *episode));
  return true;
}

absl::Status JobTrainer::AddToReplay(const EpisodeFile& file, const io::Episode& episode) {
  bool fits = true;
  ReplaySize size;
  absl::Status added = OnDevice([&]() -> absl::Status {
    fits = episode.views() == trainer_->views() && episode.height() == trainer_->height() &&
           episode.width() == trainer_->width() && episode.action_dim() == trainer_->action_dim();
    absl::Status status = trainer_->AddEpisode(episode);
    if (status.ok()) trainer_->DropOldest(static_cast<int64_t>(most_frames_));
    size = trainer_->replay();
    return status;
  });
  if (absl::IsInvalidArgument(added)) {
    added = absl::InvalidArgumentError(absl::StrCat("episode ", file.id, ": ", added.message()));
    if (!fits) return added;
    // Too short to learn from, which says nothing about the others.
    if (parts_.hooks.on_trouble) parts_.hooks.on_trouble(std::string(added.message()));
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(added);
  stale_ = true;
  frames_ = static_cast<uint64_t>(size.frames);
  episodes_ = static_cast<uint64_t>(size.episodes);
  return absl::OkStatus();
}

bool JobTrainer::WantsImagined(TrainPart part) const {
  if (part != TrainPart::kError && !(part == TrainPart::kReward && reward_imagines_)) return false;
  return imagined_ < std::min(episodes_, kFirstImagined) + head_updates_ / kUpdatesPerImagined;
}

absl::StatusOr<TrainedMicroBatch> JobTrainer::Learn(TrainPart part) {
  TrainedMicroBatch batch;
  if (part != TrainPart::kTokenizer && stale_) {
    RETURN_IF_ERROR(OnDevice([&]() -> absl::Status {
      ASSIGN_OR_RETURN(stale_, trainer_->PrepareNext());
      return absl::OkStatus();
    }));
    return batch;
  }
  if (WantsImagined(part)) {
    RETURN_IF_ERROR(OnDevice([&] { return trainer_->ImagineNext(); }));
    ++imagined_;
    return batch;
  }
  RETURN_IF_ERROR(OnDevice([&]() -> absl::Status {
    ASSIGN_OR_RETURN(batch, trainer_->Train(part));
    return absl::OkStatus();
  }));
  if (batch.updated && part == TrainPart::kTokenizer) stale_ = true;
  if (batch.updated && part != TrainPart::kTokenizer && part != TrainPart::kDynamics) {
    ++head_updates_;
  }
  if (parts_.hooks.on_micro_batch) parts_.hooks.on_micro_batch(part, micro_rows_, batch);
  return batch;
}

absl::Status JobTrainer::SaveState(const TrainingJob& job) {
  const absl::Time begin = parts_.clock->Now();
  const std::string state = folder_ + "/state";
  ASSIGN_OR_RETURN(const auto edit, io::FolderEdit::Begin(state));
  RETURN_IF_ERROR(OnDevice([&] { return trainer_->SaveState(edit->staged()); }));
  RETURN_IF_ERROR(parts_.disk->Write(edit->staged() + kProgressFile, ToJson(job)));
  RETURN_IF_ERROR(edit->Commit());
  if (parts_.hooks.on_checkpoint) {
    parts_.hooks.on_checkpoint("state", FolderBytes(state), parts_.clock->Now() - begin);
  }
  return absl::OkStatus();
}

absl::Status JobTrainer::SaveCheckpoint(const std::string& folder, const std::string& note) {
  RETURN_IF_ERROR(parts_.disk->MakeFolders(folder.substr(0, folder.rfind('/'))));
  return OnDevice([&] { return trainer_->SaveCheckpoint(folder, note); });
}

void JobTrainer::ForgetState() {
  for (const char* name : {"/state", "/init"}) parts_.disk->Remove(folder_ + name).IgnoreError();
}

}  // namespace gwm::server
