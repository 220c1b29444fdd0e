#include "server/convert/training_message.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/error.h"
#include "server/base/status.h"
#include "server/convert/duration.h"
#include "server/convert/tensor.h"
#include "server/training/names.h"

namespace gwm::server {
namespace {

constexpr uint32_t kMaxMicroRows = 1024;
constexpr int kMaxNoteBytes = 1024;
constexpr size_t kMaxJsonBytes = size_t{64} << 10;

// Checks `tensor` and moves its bytes to `out`, with the dtype that episode files use.
absl::Status Take(v1::Tensor& tensor, TensorRule rule, DType stored, HostTensor& out) {
  rule.field = "episode." + rule.field;
  RETURN_IF_ERROR(ParseTensor(tensor, rule).status());
  out.dtype = stored;
  out.shape.assign(tensor.shape().begin(), tensor.shape().end());
  out.data = std::move(*tensor.mutable_data());
  return absl::OkStatus();
}

absl::Status CheckShares(const TrainingSpec& spec, const Limits& limits) {
  const uint32_t least =
      spec.min_share_percent == 0 ? limits.training_share_percent : spec.min_share_percent;
  const uint32_t most =
      spec.max_share_percent == 0 ? limits.training_max_share_percent : spec.max_share_percent;
  if (least > 90) return BadField("min_share_percent", "up to 90 is allowed");
  if (most > 100) return BadField("max_share_percent", "up to 100 is allowed");
  if (least <= most) return absl::OkStatus();
  return BadField("max_share_percent",
                  absl::StrCat(most, "; at least min_share_percent = ", least, " is allowed"));
}

absl::Status TakeSchedule(const v1::StartTrainingRequest& in, TrainingSpec& out) {
  std::set<int> seen;
  for (int i = 0; i < in.schedule_size(); ++i) {
    const v1::PartSchedule& part = in.schedule(i);
    const std::string field = absl::StrCat("schedule[", i, "]");
    if (part.part() < v1::TRAINING_PART_TOKENIZER || part.part() > v1::TRAINING_PART_ERROR) {
      return BadField(field + ".part", "one of the TrainingPart values is asked for");
    }
    if (!seen.insert(part.part()).second) {
      return BadField(field + ".part", "named before; each part is allowed once");
    }
    if (!std::isfinite(part.updates_per_frame()) || part.updates_per_frame() < 0) {
      return BadField(field + ".updates_per_frame", "a finite number of 0 or more is allowed");
    }
    out.schedule.push_back({.part = static_cast<TrainPart>(part.part() - 1),
                            .initial_updates = part.initial_updates(),
                            .updates_per_frame = part.updates_per_frame(),
                            .max_updates = part.max_updates()});
  }
  if (!out.schedule.empty()) return absl::OkStatus();
  return BadField("schedule", "empty; at least one part is asked for");
}

absl::Status CheckNumbers(const TrainingSpec& spec, const Limits& limits) {
  if (spec.micro_rows > kMaxMicroRows) {
    return BeyondLimit("micro_rows",
                       absl::StrCat(spec.micro_rows, "; up to ", kMaxMicroRows, " are allowed"));
  }
  if (spec.replay_frames > limits.max_training_frames) {
    return BeyondLimit("replay_frames",
                       absl::StrCat(spec.replay_frames, "; up to max_training_frames = ",
                                    limits.max_training_frames, " are allowed"));
  }
  // Beside them there is the first model, and the next version before an old one goes.
  const uint32_t most = std::max<int>(1, static_cast<int>(limits.max_models) - 2);
  if (spec.keep_published > most) {
    return BeyondLimit("keep_published",
                       absl::StrCat(spec.keep_published, "; up to ", most,
                                    " are allowed (max_models = ", limits.max_models, ")"));
  }
  for (const auto& [field, text] :
       {std::pair("model_json", &spec.model_json), std::pair("train_json", &spec.train_json)}) {
    if (text->size() > kMaxJsonBytes) return BeyondLimit(field, "up to 65536 bytes are allowed");
  }
  if (spec.note.size() > kMaxNoteBytes) {
    return BeyondLimit("note", "up to 1024 bytes are allowed");
  }
  return CheckShares(spec, limits);
}

v1::StartTrainingRequest RequestOf(const TrainingSpec& spec) {
  v1::StartTrainingRequest out;
  out.set_job_id(spec.job_id);
  out.set_dataset(spec.dataset);
  if (!spec.model_digest.empty()) out.set_model_digest(spec.model_digest);
  if (!spec.checkpoint.empty()) out.set_checkpoint(spec.checkpoint);
  if (!spec.profile.empty()) out.set_profile(spec.profile);
  out.set_model_json(spec.model_json);
  out.set_train_json(spec.train_json);
  out.set_seed(spec.seed);
  out.set_micro_rows(spec.micro_rows);
  for (const PartSchedule& part : spec.schedule) {
    v1::PartSchedule& one = *out.add_schedule();
    one.set_part(static_cast<v1::TrainingPart>(static_cast<int>(part.part) + 1));
    one.set_initial_updates(part.initial_updates);
    one.set_updates_per_frame(part.updates_per_frame);
    one.set_max_updates(part.max_updates);
  }
  out.set_min_frames(spec.min_frames);
  out.set_replay_frames(spec.replay_frames);
  out.set_publish_every(spec.publish_every);
  out.set_keep_published(spec.keep_published);
  out.set_set_default(spec.set_default);
  out.set_min_share_percent(spec.min_share_percent);
  out.set_max_share_percent(spec.max_share_percent);
  out.set_end_when_idle(spec.end_when_idle);
  out.set_note(spec.note);
  return out;
}

}  // namespace

absl::StatusOr<io::Episode> ParseEpisode(v1::TrainingEpisode& episode) {
  RETURN_IF_ERROR(CheckTrainingName(episode.episode_id(), "episode.episode_id"));
  io::Episode out;
  RETURN_IF_ERROR(
      Take(*episode.mutable_rgb(),
           {"rgb", DType::kU8, {kAnySize, kAnySize, kAnySize, kAnySize, 3}, "[T, V, H, W, 3]"},
           DType::kU8, out.rgb));
  const int64_t t = out.frames(), v = out.views(), h = out.height(), w = out.width();
  RETURN_IF_ERROR(Take(*episode.mutable_depth_mm(),
                       {"depth_mm", DType::kU16, {t, v, h, w}, "[T, V, H, W]"}, DType::kU16,
                       out.depth_mm));
  RETURN_IF_ERROR(Take(*episode.mutable_intrinsics(),
                       {"intrinsics", DType::kF32, {v, 3, 3}, "[V, 3, 3]"}, DType::kF32,
                       out.intrinsics));
  RETURN_IF_ERROR(Take(*episode.mutable_world_from_cam(),
                       {"world_from_cam", DType::kF32, {v, 4, 4}, "[V, 4, 4]"}, DType::kF32,
                       out.world_from_cam));
  RETURN_IF_ERROR(Take(*episode.mutable_action(), {"action", DType::kF32, {t, kAnySize}, "[T, A]"},
                       DType::kF32, out.action));
  RETURN_IF_ERROR(Take(*episode.mutable_reward(), {"reward", DType::kF32, {t}, "[T]"}, DType::kF32,
                       out.reward));
  RETURN_IF_ERROR(Take(*episode.mutable_terminated(), {"terminated", DType::kBool, {t}, "[T]"},
                       DType::kU8, out.terminated));
  RETURN_IF_ERROR(Take(*episode.mutable_success(), {"success", DType::kBool, {t}, "[T]"},
                       DType::kU8, out.success));
  out.metadata.insert(episode.metadata().begin(), episode.metadata().end());
  const absl::Status sound = io::CheckEpisode(out);
  if (sound.ok()) return out;
  return BadTensor("episode", std::string(sound.message()));
}

absl::StatusOr<TrainingSpec> ParseStart(const v1::StartTrainingRequest& in, const Limits& limits) {
  TrainingSpec out{.job_id = in.job_id(),
                   .dataset = in.dataset(),
                   .model_digest = in.model_digest(),
                   .checkpoint = in.checkpoint(),
                   .profile = in.profile(),
                   .model_json = in.model_json(),
                   .train_json = in.train_json(),
                   .seed = in.seed(),
                   .micro_rows = in.micro_rows(),
                   .schedule = {},
                   .min_frames = in.min_frames(),
                   .replay_frames = in.replay_frames(),
                   .publish_every = in.publish_every(),
                   .keep_published = in.keep_published(),
                   .set_default = in.set_default(),
                   .min_share_percent = in.min_share_percent(),
                   .max_share_percent = in.max_share_percent(),
                   .end_when_idle = in.end_when_idle(),
                   .note = in.note()};
  if (!out.job_id.empty()) RETURN_IF_ERROR(CheckTrainingName(out.job_id, "job_id"));
  RETURN_IF_ERROR(CheckTrainingName(out.dataset, "dataset"));
  if (out.model_digest.empty() && out.checkpoint.empty() && out.profile.empty()) {
    return BadField("init", "one of model_digest, checkpoint and profile is asked for");
  }
  if (!out.model_json.empty() && out.profile.empty()) {
    return BadField("model_json", "only allowed with profile");
  }
  RETURN_IF_ERROR(TakeSchedule(in, out));
  RETURN_IF_ERROR(CheckNumbers(out, limits));
  return out;
}

absl::StatusOr<SaveArgs> ParseSave(const v1::SaveCheckpointRequest& request) {
  if (!request.name().empty()) RETURN_IF_ERROR(CheckTrainingName(request.name(), "name"));
  if (request.note().size() > kMaxNoteBytes) {
    return BeyondLimit("note", "up to 1024 bytes are allowed");
  }
  if (request.set_default() && !request.load()) {
    return BadField("set_default", "only allowed with load");
  }
  return SaveArgs{.name = request.name(),
                  .note = request.note(),
                  .load = request.load(),
                  .set_default = request.set_default()};
}

absl::StatusOr<absl::Duration> ParseInterval(const v1::WatchJobRequest& request) {
  if (!request.has_min_interval()) return absl::Seconds(1);
  const auto interval = FromProto(request.min_interval());
  if (interval.has_value() && *interval >= absl::ZeroDuration()) return *interval;
  return BadField("min_interval", "a duration of 0 or more is allowed");
}

v1::Dataset ToProto(const DatasetInfo& info) {
  v1::Dataset out;
  out.set_dataset(info.name);
  out.set_episodes(info.episodes);
  out.set_frames(info.frames);
  out.set_bytes(info.bytes);
  out.set_appended_frames(info.appended_frames);
  out.set_dropped_episodes(info.dropped_episodes);
  return out;
}

v1::TrainingJob ToProto(const JobView& view, const IsServed& served) {
  const TrainingJob& job = view.job;
  v1::TrainingJob out;
  out.set_job_id(job.id());
  out.set_state(static_cast<v1::TrainingJob::State>(static_cast<int>(job.state) + 1));
  *out.mutable_request() = RequestOf(job.spec);
  for (const PartProgress& part : job.parts) {
    v1::PartProgress& one = *out.add_parts();
    one.set_part(static_cast<v1::TrainingPart>(static_cast<int>(part.part) + 1));
    one.set_updates(part.updates);
    one.set_target_updates(part.target_updates);
    for (const auto& [name, value] : part.terms) (*one.mutable_terms())[name] = value;
  }
  out.set_replay_frames(job.replay_frames);
  out.set_appended_frames(job.appended_frames);
  for (const TrainedCheckpoint& one : view.published) *out.add_published() = ToProto(one, served);
  *out.mutable_device_time() = ToProto(job.device_time);
  out.set_resumed(job.resumed);
  *out.mutable_created_at() = ToProto(job.created_at);
  *out.mutable_changed_at() = ToProto(job.changed_at);
  out.set_error(job.error);
  return out;
}

v1::TrainedCheckpoint ToProto(const TrainedCheckpoint& checkpoint, const IsServed& served) {
  v1::TrainedCheckpoint out;
  out.set_checkpoint(checkpoint.checkpoint);
  out.set_digest(checkpoint.digest);
  out.set_bytes(checkpoint.bytes);
  *out.mutable_created_at() = ToProto(checkpoint.created_at);
  out.set_job_id(checkpoint.job_id);
  out.set_dynamics_updates(checkpoint.dynamics_updates);
  out.set_appended_frames(checkpoint.appended_frames);
  out.set_loaded(served(checkpoint.digest));
  return out;
}

}  // namespace gwm::server
