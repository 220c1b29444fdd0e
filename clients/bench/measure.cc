#include "clients/bench/measure.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <thread>

namespace gwm::bench {
namespace {

nlohmann::json ToJson(const Percentiles& p) {
  return {{"p50_ms", p.p50_ms},
          {"p95_ms", p.p95_ms},
          {"p99_ms", p.p99_ms},
          {"p999_ms", p.p999_ms},
          {"max_ms", p.max_ms}};
}

}  // namespace

Percentiles PercentilesOf(std::vector<double>& values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const auto at = [&values](double share) {
    const double rank = std::ceil(share * static_cast<double>(values.size()));
    return values[static_cast<size_t>(std::max(rank, 1.0)) - 1];
  };
  return {at(0.5), at(0.95), at(0.99), at(0.999), values.back()};
}

void Measure::Open() {
  opened_ = Clock::now();
  open_ = true;
}

void Measure::Close() {
  open_ = false;
  closed_ = Clock::now();
}

Measure::Shard& Measure::Mine() {
  return shards_[std::hash<std::thread::id>()(std::this_thread::get_id()) % shards_.size()];
}

void Measure::Add(const Outcome& outcome) {
  if (!open_) return;
  ++calls_;
  Shard& shard = Mine();
  const std::lock_guard lock(shard.mutex);
  if (!outcome.ok) {
    ++shard.errors[outcome.error];
    return;
  }
  shard.ms.push_back(outcome.ms);
  shard.added_ms.push_back(outcome.ms - outcome.device_ms);
  shard.env_steps += outcome.env_steps;
  shard.bytes += outcome.bytes;
  shard.in_time += outcome.in_time ? 1 : 0;
}

nlohmann::json Measure::Report() {
  std::vector<double> ms, added_ms;
  std::map<std::string, uint64_t> errors;
  double env_steps = 0, bytes = 0, in_time = 0;
  for (Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    ms.insert(ms.end(), shard.ms.begin(), shard.ms.end());
    added_ms.insert(added_ms.end(), shard.added_ms.begin(), shard.added_ms.end());
    for (const auto& [name, count] : shard.errors) errors[name] += count;
    env_steps += static_cast<double>(shard.env_steps);
    bytes += static_cast<double>(shard.bytes);
    in_time += static_cast<double>(shard.in_time);
  }
  const double seconds = std::chrono::duration<double>(closed_ - opened_).count();
  const auto all = static_cast<double>(calls_.load());
  return {{"seconds", seconds},
          {"calls", calls_.load()},
          {"calls_per_s", static_cast<double>(ms.size()) / seconds},
          {"env_steps_per_s", env_steps / seconds},
          {"in_time_per_s", in_time / seconds},
          {"attainment", all > 0 ? in_time / all : 0.0},
          {"mb_per_s", bytes / seconds / 1e6},
          {"latency", ToJson(PercentilesOf(ms))},
          {"added", ToJson(PercentilesOf(added_ms))},
          {"errors", errors}};
}

}  // namespace gwm::bench
