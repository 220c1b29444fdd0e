#include "server/training/job_file.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "server/training/schedule.h"

namespace gwm::server {
namespace {

using Json = nlohmann::json;

constexpr std::array<const char*, 6> kStateNames = {"queued",    "running",   "waiting",
                                                    "succeeded", "cancelled", "failed"};

int64_t Micros(absl::Time time) { return absl::ToUnixMicros(time); }

// The index of the text; throws out_of_range like the accessors of Json.
template <size_t n>
size_t IndexOf(const std::array<const char*, n>& names, const std::string& text) {
  const auto found = std::find(names.begin(), names.end(), text);
  if (found == names.end()) throw std::out_of_range("unknown name " + text);
  return static_cast<size_t>(found - names.begin());
}
TrainPart PartOf(const std::string& name) {
  return static_cast<TrainPart>(IndexOf(kTrainPartNames, name));
}

Json SpecJson(const TrainingSpec& spec) {
  Json schedule = Json::array();
  for (const PartSchedule& part : spec.schedule) {
    schedule.push_back({{"part", NameOf(part.part)},
                        {"initial_updates", part.initial_updates},
                        {"updates_per_frame", part.updates_per_frame},
                        {"max_updates", part.max_updates}});
  }
  return {{"job_id", spec.job_id},
          {"dataset", spec.dataset},
          {"model_digest", spec.model_digest},
          {"checkpoint", spec.checkpoint},
          {"profile", spec.profile},
          {"model_json", spec.model_json},
          {"train_json", spec.train_json},
          {"seed", spec.seed},
          {"micro_rows", spec.micro_rows},
          {"schedule", std::move(schedule)},
          {"min_frames", spec.min_frames},
          {"replay_frames", spec.replay_frames},
          {"publish_every", spec.publish_every},
          {"keep_published", spec.keep_published},
          {"set_default", spec.set_default},
          {"min_share_percent", spec.min_share_percent},
          {"max_share_percent", spec.max_share_percent},
          {"end_when_idle", spec.end_when_idle},
          {"note", spec.note}};
}

TrainingSpec SpecOf(const Json& json) {
  TrainingSpec spec;
  json.at("job_id").get_to(spec.job_id);
  json.at("dataset").get_to(spec.dataset);
  json.at("model_digest").get_to(spec.model_digest);
  json.at("checkpoint").get_to(spec.checkpoint);
  json.at("profile").get_to(spec.profile);
  json.at("model_json").get_to(spec.model_json);
  json.at("train_json").get_to(spec.train_json);
  json.at("seed").get_to(spec.seed);
  json.at("micro_rows").get_to(spec.micro_rows);
  json.at("min_frames").get_to(spec.min_frames);
  json.at("replay_frames").get_to(spec.replay_frames);
  json.at("publish_every").get_to(spec.publish_every);
  json.at("keep_published").get_to(spec.keep_published);
  json.at("set_default").get_to(spec.set_default);
  json.at("min_share_percent").get_to(spec.min_share_percent);
  json.at("max_share_percent").get_to(spec.max_share_percent);
  json.at("end_when_idle").get_to(spec.end_when_idle);
  json.at("note").get_to(spec.note);
  for (const Json& part : json.at("schedule")) {
    spec.schedule.push_back({.part = PartOf(part.at("part")),
                             .initial_updates = part.at("initial_updates"),
                             .updates_per_frame = part.at("updates_per_frame"),
                             .max_updates = part.at("max_updates")});
  }
  return spec;
}

Json PartsJson(const std::vector<PartProgress>& parts) {
  Json out = Json::array();
  for (const PartProgress& part : parts) {
    Json terms = Json::array();
    for (const auto& [name, value] : part.terms) {
      if (std::isfinite(value)) terms.push_back({name, value});
    }
    out.push_back(
        {{"part", NameOf(part.part)}, {"updates", part.updates}, {"terms", std::move(terms)}});
  }
  return out;
}

std::vector<PartProgress> PartsOf(const Json& json) {
  std::vector<PartProgress> parts;
  for (const Json& one : json) {
    PartProgress& part = parts.emplace_back();
    part.part = PartOf(one.at("part"));
    one.at("updates").get_to(part.updates);
    one.at("terms").get_to(part.terms);
  }
  return parts;
}

TrainingJob JobOf(const Json& json) {
  TrainingJob job;
  job.spec = SpecOf(json.at("spec"));
  job.state = static_cast<JobState>(IndexOf(kStateNames, json.at("state")));
  job.parts = PartsOf(json.at("parts"));
  json.at("replay_frames").get_to(job.replay_frames);
  json.at("appended_frames").get_to(job.appended_frames);
  json.at("appended_before").get_to(job.appended_before);
  job.device_time = absl::Microseconds(json.at("device_time_us").get<int64_t>());
  json.at("resumed").get_to(job.resumed);
  job.created_at = absl::FromUnixMicros(json.at("created_us"));
  job.changed_at = absl::FromUnixMicros(json.at("changed_us"));
  json.at("error").get_to(job.error);
  SetTargets(job);
  return job;
}

TrainedCheckpoint CheckpointOf(const Json& json) {
  TrainedCheckpoint one;
  json.at("checkpoint").get_to(one.checkpoint);
  json.at("digest").get_to(one.digest);
  json.at("bytes").get_to(one.bytes);
  one.created_at = absl::FromUnixMicros(json.at("created_us"));
  json.at("job_id").get_to(one.job_id);
  json.at("dynamics_updates").get_to(one.dynamics_updates);
  json.at("all_updates").get_to(one.all_updates);
  json.at("appended_frames").get_to(one.appended_frames);
  json.at("published").get_to(one.published);
  json.at("retired").get_to(one.retired);
  return one;
}

// A file is what this program wrote or it is damaged: accessors that throw are all the checking.
template <typename Function>
auto Checked(std::string_view text, const Function& parse)
    -> absl::StatusOr<decltype(parse(Json()))> {
  try {
    return parse(Json::parse(text));
  } catch (const std::exception& error) {
    return absl::DataLossError(error.what());
  }
}

// Text of clients may be no UTF-8; a record of it must be possible all the same.
std::string Dump(const Json& json) {
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string ToJson(const TrainingJob& job) {
  return Dump({{"spec", SpecJson(job.spec)},
               {"state", kStateNames[static_cast<size_t>(job.state)]},
               {"parts", PartsJson(job.parts)},
               {"replay_frames", job.replay_frames},
               {"appended_frames", job.appended_frames},
               {"appended_before", job.appended_before},
               {"device_time_us", absl::ToInt64Microseconds(job.device_time)},
               {"resumed", job.resumed},
               {"created_us", Micros(job.created_at)},
               {"changed_us", Micros(job.changed_at)},
               {"error", job.error}});
}

absl::StatusOr<TrainingJob> JobFromJson(std::string_view text) { return Checked(text, JobOf); }

std::string ToJson(const std::vector<TrainedCheckpoint>& checkpoints) {
  Json out = Json::array();
  for (const TrainedCheckpoint& one : checkpoints) {
    out.push_back({{"checkpoint", one.checkpoint},
                   {"digest", one.digest},
                   {"bytes", one.bytes},
                   {"created_us", Micros(one.created_at)},
                   {"job_id", one.job_id},
                   {"dynamics_updates", one.dynamics_updates},
                   {"all_updates", one.all_updates},
                   {"appended_frames", one.appended_frames},
                   {"published", one.published},
                   {"retired", one.retired}});
  }
  return Dump(out);
}

absl::StatusOr<std::vector<TrainedCheckpoint>> CheckpointsFromJson(std::string_view text) {
  return Checked(text, [](const Json& json) {
    std::vector<TrainedCheckpoint> checkpoints;
    for (const Json& one : json) checkpoints.push_back(CheckpointOf(one));
    return checkpoints;
  });
}

double ImaginedShareOf(const std::string& train_json) {
  const Json json = Json::parse(train_json, nullptr, /*allow_exceptions=*/false);
  const auto pointer = "/reward_loss/imagined_share"_json_pointer;
  if (!json.is_object() || !json.contains(pointer) || !json.at(pointer).is_number()) return 0;
  return json.at(pointer).get<double>();
}

}  // namespace gwm::server
