#include "clients/cpp/src/trainer_convert.h"

namespace gwm::client::internal {
namespace {

TrainingRequest RequestFromProto(const v1::StartTrainingRequest& proto) {
  TrainingRequest request{.job_id = proto.job_id(),
                          .dataset = proto.dataset(),
                          .model_digest = proto.model_digest(),
                          .checkpoint = proto.checkpoint(),
                          .profile = proto.profile(),
                          .model_json = proto.model_json(),
                          .train_json = proto.train_json(),
                          .seed = proto.seed(),
                          .micro_rows = proto.micro_rows(),
                          .schedule = {},
                          .min_frames = proto.min_frames(),
                          .replay_frames = proto.replay_frames(),
                          .publish_every = proto.publish_every(),
                          .keep_published = proto.keep_published(),
                          .set_default = proto.set_default(),
                          .min_share_percent = proto.min_share_percent(),
                          .max_share_percent = proto.max_share_percent(),
                          .end_when_idle = proto.end_when_idle(),
                          .note = proto.note()};
  for (const v1::PartSchedule& part : proto.schedule()) {
    request.schedule.push_back({.part = static_cast<TrainingPart>(part.part()),
                                .initial_updates = part.initial_updates(),
                                .updates_per_frame = part.updates_per_frame(),
                                .max_updates = part.max_updates()});
  }
  return request;
}

PartProgress ProgressFromProto(const v1::PartProgress& proto) {
  PartProgress progress{.part = static_cast<TrainingPart>(proto.part()),
                        .updates = proto.updates(),
                        .target_updates = proto.target_updates(),
                        .terms = {}};
  progress.terms.insert(proto.terms().begin(), proto.terms().end());
  return progress;
}

}  // namespace

v1::TrainingEpisode ToProto(const TrainingEpisode& episode) {
  v1::TrainingEpisode proto;
  proto.set_episode_id(episode.episode_id);
  *proto.mutable_rgb() = ToProto(episode.rgb);
  *proto.mutable_depth_mm() = ToProto(episode.depth_mm);
  *proto.mutable_intrinsics() = ToProto(episode.intrinsics);
  *proto.mutable_world_from_cam() = ToProto(episode.world_from_cam);
  *proto.mutable_action() = ToProto(episode.action);
  *proto.mutable_reward() = ToProto(episode.reward);
  *proto.mutable_terminated() = ToProto(episode.terminated);
  *proto.mutable_success() = ToProto(episode.success);
  for (const auto& [key, value] : episode.metadata) (*proto.mutable_metadata())[key] = value;
  return proto;
}

v1::StartTrainingRequest ToProto(const TrainingRequest& request) {
  v1::StartTrainingRequest proto;
  proto.set_job_id(request.job_id);
  proto.set_dataset(request.dataset);
  if (!request.model_digest.empty()) proto.set_model_digest(request.model_digest);
  if (!request.checkpoint.empty()) proto.set_checkpoint(request.checkpoint);
  if (!request.profile.empty()) proto.set_profile(request.profile);
  proto.set_model_json(request.model_json);
  proto.set_train_json(request.train_json);
  proto.set_seed(request.seed);
  proto.set_micro_rows(request.micro_rows);
  for (const PartSchedule& part : request.schedule) {
    v1::PartSchedule& out = *proto.add_schedule();
    out.set_part(static_cast<v1::TrainingPart>(part.part));
    out.set_initial_updates(part.initial_updates);
    out.set_updates_per_frame(part.updates_per_frame);
    out.set_max_updates(part.max_updates);
  }
  proto.set_min_frames(request.min_frames);
  proto.set_replay_frames(request.replay_frames);
  proto.set_publish_every(request.publish_every);
  proto.set_keep_published(request.keep_published);
  proto.set_set_default(request.set_default);
  proto.set_min_share_percent(request.min_share_percent);
  proto.set_max_share_percent(request.max_share_percent);
  proto.set_end_when_idle(request.end_when_idle);
  proto.set_note(request.note);
  return proto;
}

Dataset FromProto(const v1::Dataset& dataset) {
  return {.dataset = dataset.dataset(),
          .episodes = dataset.episodes(),
          .frames = dataset.frames(),
          .bytes = dataset.bytes(),
          .appended_frames = dataset.appended_frames(),
          .dropped_episodes = dataset.dropped_episodes()};
}

TrainedCheckpoint FromProto(const v1::TrainedCheckpoint& checkpoint) {
  const auto& time = checkpoint.created_at();
  return {.checkpoint = checkpoint.checkpoint(),
          .digest = checkpoint.digest(),
          .bytes = checkpoint.bytes(),
          .created_at = std::chrono::system_clock::time_point(
              std::chrono::seconds(time.seconds()) +
              std::chrono::duration_cast<std::chrono::system_clock::duration>(
                  std::chrono::nanoseconds(time.nanos()))),
          .job_id = checkpoint.job_id(),
          .dynamics_updates = checkpoint.dynamics_updates(),
          .appended_frames = checkpoint.appended_frames(),
          .loaded = checkpoint.loaded()};
}

TrainingJob FromProto(const v1::TrainingJob& proto) {
  TrainingJob job{.job_id = proto.job_id(),
                  .state = static_cast<TrainingJob::State>(proto.state()),
                  .request = RequestFromProto(proto.request()),
                  .parts = {},
                  .replay_frames = proto.replay_frames(),
                  .appended_frames = proto.appended_frames(),
                  .published = {},
                  .device_time = std::chrono::milliseconds(proto.device_time().seconds() * 1000 +
                                                           proto.device_time().nanos() / 1'000'000),
                  .resumed = proto.resumed(),
                  .error = proto.error()};
  for (const auto& part : proto.parts()) job.parts.push_back(ProgressFromProto(part));
  for (const auto& one : proto.published()) job.published.push_back(FromProto(one));
  return job;
}

}  // namespace gwm::client::internal
