// The server's settings as plain values. config.proto is their form in files; convert/config.h
// translates.
#ifndef GWM_SERVER_BASE_OPTIONS_H_
#define GWM_SERVER_BASE_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace gwm::server {

// Meaning and units: Limits in proto/gwm/v1/server.proto, field by field.
struct Limits {
  uint64_t max_message_bytes = uint64_t{64} << 20;
  uint32_t max_sessions = 256;
  uint32_t max_envs_per_session = 256;
  uint64_t max_envs = 0;  // 0: as many as max_state_bytes holds
  uint32_t max_image_side = 2048;
  uint64_t max_pixels_per_render = uint64_t{1} << 24;
  uint32_t max_imagine_steps = 1000;
  uint32_t max_imagine_branches = 64;
  uint32_t max_perception_rows = 64;
  absl::Duration min_idle_ttl = absl::Seconds(1);
  absl::Duration max_idle_ttl = absl::Hours(24);
  absl::Duration default_idle_ttl = absl::Seconds(300);
  absl::Duration max_lifetime = absl::Hours(24);
  absl::Duration max_call_time = absl::Seconds(120);
  uint32_t max_queue_length = 1024;
  uint32_t max_batch_rows = 64;
  uint32_t max_imagine_streams = 32;
  uint64_t max_replay_bytes = uint64_t{4} << 20;
  uint64_t max_state_bytes = 0;  // 0: half of a world's state pool
  uint32_t max_list_page = 100;
  absl::Duration tombstone_ttl = absl::Hours(1);
  uint32_t max_tombstones = 10'000;
  uint64_t max_state_blob_bytes = uint64_t{16} << 20;
  uint32_t max_kept_states = 256;
  uint32_t max_models = 4;
  uint64_t max_spill_bytes = uint64_t{1} << 30;
  absl::Duration max_queue_time = absl::Milliseconds(500);
  absl::Duration max_quantum = absl::Milliseconds(10);
  uint32_t ageing_quanta = 10;
  uint32_t training_share_percent = 10;
  bool allow_high_priority = false;
  absl::Duration slow_reader_timeout = absl::Seconds(60);
  uint32_t max_run_window = 64;
  uint32_t max_run_streams = 256;
  uint64_t max_dataset_bytes = uint64_t{4} << 30;
  uint32_t max_datasets = 64;
  uint32_t max_training_jobs = 4;
  uint32_t max_training_jobs_kept = 100;
  uint64_t max_training_frames = 20'000;
  uint32_t training_max_share_percent = 25;
  uint32_t max_trained_checkpoints = 64;
  uint32_t max_sampled_gaussians = 4096;
};

// How a server goes out of service, counted from the beginning of it: for how long it still takes
// calls, and when it cancels those that run.
struct DrainTimes {
  absl::Duration lame_duck = absl::Seconds(5);
  absl::Duration timeout = absl::Seconds(25);
};

// How the health of the device is judged; field by field in ServerConfig.
struct HealthTimes {
  absl::Duration probe_period = absl::Seconds(2);
  absl::Duration timeout = absl::Seconds(5);
  absl::Duration watchdog = absl::Seconds(10);  // zero: off
};

// Meaning: ServerConfig in proto/gwm/v1/config.proto, field by field.
struct ServerOptions {
  std::vector<std::string> listen = {"127.0.0.1:50051"};
  std::string checkpoint = "checkpoints/gwm-small";
  std::string toy;  // of a world without a checkpoint; empty: the checkpoint's is served
  std::string metrics_listen;
  std::string device = "auto";
  std::string precision = "auto";
  std::string episode_root;
  Limits limits;
  uint64_t state_pool_bytes = uint64_t{1} << 30;
  uint32_t threads = 0;
  std::string log_level = "info";
  DrainTimes drain;
  std::string state_key_file;
  std::string checkpoint_root;
  absl::Duration warm_up_time = absl::Seconds(1);
  HealthTimes health;
  std::string training_root;
  absl::Duration training_save_period = absl::Seconds(30);
};

}  // namespace gwm::server

#endif  // GWM_SERVER_BASE_OPTIONS_H_
