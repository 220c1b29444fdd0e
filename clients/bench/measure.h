// What a load saw: times, outcomes, bytes.
#ifndef GWM_CLIENTS_BENCH_MEASURE_H_
#define GWM_CLIENTS_BENCH_MEASURE_H_

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace gwm::bench {

using Clock = std::chrono::steady_clock;

struct Percentiles {
  double p50_ms = 0, p95_ms = 0, p99_ms = 0, p999_ms = 0, max_ms = 0;
};
// Of `values`, which get sorted; zeros when there are none. The smallest value that at least that
// share of all values does not exceed.
Percentiles PercentilesOf(std::vector<double>& values);

// One call as it ended.
struct Outcome {
  bool ok = false;
  std::string error;  // "CODE/REASON" when not ok
  double ms = 0;      // from sending to the answer
  double device_ms = 0;
  uint64_t env_steps = 0;
  uint64_t bytes = 0;  // of the reply's arrays
  bool in_time = true;
};

// Thread-safe: many threads add, each mostly to a shard of its own.
class Measure {
 public:
  // Only what happens between Open and Close counts.
  void Open();
  void Close();
  void Add(const Outcome& outcome);
  uint64_t calls() const { return calls_; }

  // {"seconds", "calls", "calls_per_s", "env_steps_per_s", "in_time_per_s" (goodput), "attainment",
  // "latency", "added",
  //  "mb_per_s", "errors": {...}}; after Close.
  nlohmann::json Report();

 private:
  struct Shard {
    std::mutex mutex;
    std::vector<double> ms, added_ms;
    std::map<std::string, uint64_t> errors;
    uint64_t env_steps = 0, bytes = 0, in_time = 0;
  };
  Shard& Mine();

  std::array<Shard, 16> shards_;
  std::atomic<bool> open_ = false;
  std::atomic<uint64_t> calls_ = 0;
  Clock::time_point opened_, closed_;
};

}  // namespace gwm::bench

#endif  // GWM_CLIENTS_BENCH_MEASURE_H_
