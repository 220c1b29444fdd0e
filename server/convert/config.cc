#include "server/convert/config.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "server/base/error.h"
#include "server/base/status.h"
#include "server/convert/duration.h"

namespace gwm::server {
namespace {

// Env ids and branches share a 32-bit noise coordinate: 16 bits each.
constexpr uint32_t kMaxEnvsOrBranches = 1u << 16;

template <typename T>
void Take(T value, T& target) {
  if (value != 0) target = value;
}

absl::Status Take(bool present, const google::protobuf::Duration& value, const std::string& field,
                  absl::Duration& target) {
  if (!present) return absl::OkStatus();
  const auto parsed = FromProto(value);
  if (!parsed.has_value() || *parsed < absl::ZeroDuration()) {
    return BadField(field, "a duration of 0 or more is allowed");
  }
  target = *parsed;
  return absl::OkStatus();
}

absl::Status CheckLimits(const Limits& limits) {
  if (limits.max_envs_per_session > kMaxEnvsOrBranches) {
    return BadField("max_envs_per_session", "up to 65536 is allowed");
  }
  if (limits.max_imagine_branches > kMaxEnvsOrBranches) {
    return BadField("max_imagine_branches", "up to 65536 is allowed");
  }
  if (limits.max_message_bytes > (uint64_t{1} << 31) - 1) {
    return BadField("max_message_bytes", "up to 2147483647 is allowed");
  }
  if (limits.min_idle_ttl > limits.default_idle_ttl ||
      limits.default_idle_ttl > limits.max_idle_ttl) {
    return BadField("default_idle_ttl",
                    "min_idle_ttl <= default_idle_ttl <= max_idle_ttl is asked for");
  }
  if (limits.min_idle_ttl < absl::Milliseconds(1)) {
    return BadField("min_idle_ttl", "1 ms or more is allowed");
  }
  if (limits.max_quantum <= absl::ZeroDuration()) {
    return BadField("max_quantum", "more than 0 is allowed");
  }
  if (limits.training_share_percent > 90) {
    return BadField("training_share_percent", "1 to 90 is allowed");
  }
  if (limits.training_max_share_percent > 100 ||
      limits.training_max_share_percent < limits.training_share_percent) {
    return BadField("training_max_share_percent", "training_share_percent to 100 is allowed");
  }
  if (limits.slow_reader_timeout < absl::Milliseconds(1)) {
    return BadField("slow_reader_timeout", "1 ms or more is allowed");
  }
  return absl::OkStatus();
}

absl::Status CheckDrain(const DrainTimes& times, const std::string& timeout_field) {
  if (times.timeout >= times.lame_duck) return absl::OkStatus();
  return BadField(timeout_field,
                  absl::StrCat(absl::FormatDuration(times.timeout), ", but calls are taken for ",
                               absl::FormatDuration(times.lame_duck), " (lame_duck)"));
}

absl::Status TakeHealth(const v1::ServerConfig& in, HealthTimes& out) {
  RETURN_IF_ERROR(Take(in.has_health_probe_period(), in.health_probe_period(),
                       "health_probe_period", out.probe_period));
  RETURN_IF_ERROR(
      Take(in.has_health_timeout(), in.health_timeout(), "health_timeout", out.timeout));
  RETURN_IF_ERROR(
      Take(in.has_watchdog_timeout(), in.watchdog_timeout(), "watchdog_timeout", out.watchdog));
  if (out.timeout > out.probe_period) return absl::OkStatus();
  return BadField(
      "health_timeout",
      absl::StrCat(absl::FormatDuration(out.timeout), "; more than health_probe_period = ",
                   absl::FormatDuration(out.probe_period), " is allowed"));
}

absl::Status CheckOneOf(const std::string& value, const std::string& field,
                        std::initializer_list<std::string_view> allowed) {
  if (std::find(allowed.begin(), allowed.end(), value) != allowed.end()) return absl::OkStatus();
  std::string list;
  for (std::string_view one : allowed) list += (list.empty() ? "" : ", ") + std::string(one);
  return BadField(field, absl::StrCat(Quoted(value), "; one of ", list, " is allowed"));
}

// Keeps the first error, with where it is.
class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, int column, const std::string& message) override {
    if (text.empty())
      text = absl::StrCat("line ", line + 1, ", column ", column + 1, ": ", message);
  }
  std::string text;
};

}  // namespace

v1::Limits ToProto(const Limits& limits) {
  v1::Limits out;
  out.set_max_message_bytes(limits.max_message_bytes);
  out.set_max_sessions(limits.max_sessions);
  out.set_max_envs_per_session(limits.max_envs_per_session);
  out.set_max_envs(limits.max_envs);
  out.set_max_image_side(limits.max_image_side);
  out.set_max_pixels_per_render(limits.max_pixels_per_render);
  out.set_max_imagine_steps(limits.max_imagine_steps);
  out.set_max_imagine_branches(limits.max_imagine_branches);
  out.set_max_perception_rows(limits.max_perception_rows);
  *out.mutable_min_idle_ttl() = ToProto(limits.min_idle_ttl);
  *out.mutable_max_idle_ttl() = ToProto(limits.max_idle_ttl);
  *out.mutable_default_idle_ttl() = ToProto(limits.default_idle_ttl);
  *out.mutable_max_lifetime() = ToProto(limits.max_lifetime);
  *out.mutable_max_call_time() = ToProto(limits.max_call_time);
  out.set_max_queue_length(limits.max_queue_length);
  out.set_max_batch_rows(limits.max_batch_rows);
  out.set_max_imagine_streams(limits.max_imagine_streams);
  out.set_max_replay_bytes(limits.max_replay_bytes);
  out.set_max_state_bytes(limits.max_state_bytes);
  out.set_max_list_page(limits.max_list_page);
  *out.mutable_tombstone_ttl() = ToProto(limits.tombstone_ttl);
  out.set_max_tombstones(limits.max_tombstones);
  out.set_max_state_blob_bytes(limits.max_state_blob_bytes);
  out.set_max_kept_states(limits.max_kept_states);
  out.set_max_models(limits.max_models);
  out.set_max_spill_bytes(limits.max_spill_bytes);
  *out.mutable_max_queue_time() = ToProto(limits.max_queue_time);
  *out.mutable_max_quantum() = ToProto(limits.max_quantum);
  out.set_ageing_quanta(limits.ageing_quanta);
  out.set_training_share_percent(limits.training_share_percent);
  out.set_allow_high_priority(limits.allow_high_priority);
  *out.mutable_slow_reader_timeout() = ToProto(limits.slow_reader_timeout);
  out.set_max_run_window(limits.max_run_window);
  out.set_max_run_streams(limits.max_run_streams);
  out.set_max_dataset_bytes(limits.max_dataset_bytes);
  out.set_max_datasets(limits.max_datasets);
  out.set_max_training_jobs(limits.max_training_jobs);
  out.set_max_training_jobs_kept(limits.max_training_jobs_kept);
  out.set_max_training_frames(limits.max_training_frames);
  out.set_training_max_share_percent(limits.training_max_share_percent);
  out.set_max_trained_checkpoints(limits.max_trained_checkpoints);
  out.set_max_sampled_gaussians(limits.max_sampled_gaussians);
  return out;
}

absl::StatusOr<Limits> FromProto(const v1::Limits& in) {
  Limits out;
  Take(in.max_message_bytes(), out.max_message_bytes);
  Take(in.max_sessions(), out.max_sessions);
  Take(in.max_envs_per_session(), out.max_envs_per_session);
  Take(in.max_envs(), out.max_envs);
  Take(in.max_image_side(), out.max_image_side);
  Take(in.max_pixels_per_render(), out.max_pixels_per_render);
  Take(in.max_imagine_steps(), out.max_imagine_steps);
  Take(in.max_imagine_branches(), out.max_imagine_branches);
  Take(in.max_perception_rows(), out.max_perception_rows);
  Take(in.max_queue_length(), out.max_queue_length);
  Take(in.max_batch_rows(), out.max_batch_rows);
  Take(in.max_imagine_streams(), out.max_imagine_streams);
  Take(in.max_replay_bytes(), out.max_replay_bytes);
  Take(in.max_state_bytes(), out.max_state_bytes);
  Take(in.max_list_page(), out.max_list_page);
  Take(in.max_tombstones(), out.max_tombstones);
  Take(in.max_state_blob_bytes(), out.max_state_blob_bytes);
  Take(in.max_kept_states(), out.max_kept_states);
  Take(in.max_models(), out.max_models);
  Take(in.max_spill_bytes(), out.max_spill_bytes);
  Take(in.ageing_quanta(), out.ageing_quanta);
  Take(in.training_share_percent(), out.training_share_percent);
  out.allow_high_priority = in.allow_high_priority();
  Take(in.max_run_window(), out.max_run_window);
  Take(in.max_run_streams(), out.max_run_streams);
  Take(in.max_dataset_bytes(), out.max_dataset_bytes);
  Take(in.max_datasets(), out.max_datasets);
  Take(in.max_training_jobs(), out.max_training_jobs);
  Take(in.max_training_jobs_kept(), out.max_training_jobs_kept);
  Take(in.max_training_frames(), out.max_training_frames);
  out.training_max_share_percent =
      std::max(out.training_max_share_percent, out.training_share_percent);
  Take(in.training_max_share_percent(), out.training_max_share_percent);
  Take(in.max_trained_checkpoints(), out.max_trained_checkpoints);
  Take(in.max_sampled_gaussians(), out.max_sampled_gaussians);
  RETURN_IF_ERROR(Take(in.has_min_idle_ttl(), in.min_idle_ttl(), "min_idle_ttl", out.min_idle_ttl));
  RETURN_IF_ERROR(Take(in.has_max_idle_ttl(), in.max_idle_ttl(), "max_idle_ttl", out.max_idle_ttl));
  RETURN_IF_ERROR(Take(in.has_default_idle_ttl(), in.default_idle_ttl(), "default_idle_ttl",
                       out.default_idle_ttl));
  RETURN_IF_ERROR(Take(in.has_max_lifetime(), in.max_lifetime(), "max_lifetime", out.max_lifetime));
  RETURN_IF_ERROR(
      Take(in.has_max_call_time(), in.max_call_time(), "max_call_time", out.max_call_time));
  RETURN_IF_ERROR(
      Take(in.has_tombstone_ttl(), in.tombstone_ttl(), "tombstone_ttl", out.tombstone_ttl));
  RETURN_IF_ERROR(
      Take(in.has_max_queue_time(), in.max_queue_time(), "max_queue_time", out.max_queue_time));
  RETURN_IF_ERROR(Take(in.has_max_quantum(), in.max_quantum(), "max_quantum", out.max_quantum));
  RETURN_IF_ERROR(Take(in.has_slow_reader_timeout(), in.slow_reader_timeout(),
                       "slow_reader_timeout", out.slow_reader_timeout));
  RETURN_IF_ERROR(CheckLimits(out));
  return out;
}

v1::ServerConfig ToProto(const ServerOptions& options) {
  v1::ServerConfig out;
  for (const std::string& address : options.listen) out.add_listen(address);
  out.set_checkpoint(options.checkpoint);
  out.set_metrics_listen(options.metrics_listen);
  out.set_device(options.device);
  out.set_episode_root(options.episode_root);
  *out.mutable_limits() = ToProto(options.limits);
  out.set_state_pool_bytes(options.state_pool_bytes);
  out.set_threads(options.threads);
  out.set_log_level(options.log_level);
  *out.mutable_drain_timeout() = ToProto(options.drain.timeout);
  *out.mutable_lame_duck() = ToProto(options.drain.lame_duck);
  out.set_state_key_file(options.state_key_file);
  out.set_checkpoint_root(options.checkpoint_root);
  *out.mutable_warm_up_time() = ToProto(options.warm_up_time);
  *out.mutable_health_probe_period() = ToProto(options.health.probe_period);
  *out.mutable_health_timeout() = ToProto(options.health.timeout);
  *out.mutable_watchdog_timeout() = ToProto(options.health.watchdog);
  out.set_toy(options.toy);
  out.set_precision(options.precision);
  out.set_training_root(options.training_root);
  *out.mutable_training_save_period() = ToProto(options.training_save_period);
  return out;
}

absl::StatusOr<ServerOptions> FromProto(const v1::ServerConfig& in) {
  ServerOptions out;
  if (!in.listen().empty()) out.listen.assign(in.listen().begin(), in.listen().end());
  if (!in.checkpoint().empty()) out.checkpoint = in.checkpoint();
  if (!in.device().empty()) out.device = in.device();
  if (!in.precision().empty()) out.precision = in.precision();
  if (!in.log_level().empty()) out.log_level = in.log_level();
  out.metrics_listen = in.metrics_listen();
  out.episode_root = in.episode_root();
  out.state_key_file = in.state_key_file();
  out.checkpoint_root = in.checkpoint_root();
  out.toy = in.toy();
  out.training_root = in.training_root();
  if (!out.training_root.empty() && out.checkpoint_root.empty()) {
    return BadField("training_root", "checkpoint_root is needed too: trained checkpoints go there");
  }
  out.threads = in.threads();
  Take(in.state_pool_bytes(), out.state_pool_bytes);
  ASSIGN_OR_RETURN(out.limits, FromProto(in.limits()));
  RETURN_IF_ERROR(
      Take(in.has_drain_timeout(), in.drain_timeout(), "drain_timeout", out.drain.timeout));
  RETURN_IF_ERROR(Take(in.has_lame_duck(), in.lame_duck(), "lame_duck", out.drain.lame_duck));
  RETURN_IF_ERROR(Take(in.has_warm_up_time(), in.warm_up_time(), "warm_up_time", out.warm_up_time));
  RETURN_IF_ERROR(Take(in.has_training_save_period(), in.training_save_period(),
                       "training_save_period", out.training_save_period));
  RETURN_IF_ERROR(CheckDrain(out.drain, "drain_timeout"));
  RETURN_IF_ERROR(TakeHealth(in, out.health));
  RETURN_IF_ERROR(CheckOneOf(out.device, "device", {"auto", "cpu", "cuda"}));
  RETURN_IF_ERROR(CheckOneOf(out.precision, "precision", {"auto", "fp32", "bf16"}));
  RETURN_IF_ERROR(CheckOneOf(out.log_level, "log_level", {"debug", "info", "warn", "error"}));
  return out;
}

absl::StatusOr<DrainTimes> FromProto(const v1::DrainRequest& in, const DrainTimes& defaults) {
  DrainTimes out = defaults;
  RETURN_IF_ERROR(Take(in.has_lame_duck(), in.lame_duck(), "lame_duck", out.lame_duck));
  RETURN_IF_ERROR(Take(in.has_timeout(), in.timeout(), "timeout", out.timeout));
  RETURN_IF_ERROR(CheckDrain(out, "timeout"));
  return out;
}

absl::StatusOr<v1::ServerConfig> ParseConfigText(const std::string& text) {
  v1::ServerConfig config;
  google::protobuf::TextFormat::Parser parser;
  FirstError error;
  parser.RecordErrorsTo(&error);
  if (!parser.ParseFromString(text, &config)) return absl::InvalidArgumentError(error.text);
  return config;
}

std::string ConfigText(const v1::ServerConfig& config) {
  std::string text;
  google::protobuf::TextFormat::PrintToString(config, &text);
  return text;
}

}  // namespace gwm::server
