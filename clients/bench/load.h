// The kinds of load.
#ifndef GWM_CLIENTS_BENCH_LOAD_H_
#define GWM_CLIENTS_BENCH_LOAD_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "clients/bench/measure.h"

namespace gwm::bench {

struct LoadOptions {
  std::string address;
  int connections = 8;
  uint32_t envs = 1;                      // per session
  double rate = 20;                       // arriving sessions per second
  int steps = 50;                         // per arriving session
  std::chrono::milliseconds deadline{0};  // of a step; 0: none
  std::vector<std::string> observations;
  std::chrono::milliseconds idle_ttl{0};             // of the sessions; 0: the server's default
  uint32_t width = 2048, height = 1365, images = 2;  // of LargeReplies: 16.8 MB
  uint64_t seed = 0;
};

// Runs from Start to Stop. Start throws std::runtime_error when the server is not there or refuses;
// Stop is due then too.
class Load {
 public:
  virtual ~Load() = default;
  virtual void Start() = 0;
  // Sends nothing more, waits for the answers, closes the sessions.
  virtual void Stop() = 0;
  // What is particular to this load, for the report.
  virtual nlohmann::json Extra() const { return nlohmann::json::object(); }
};

// Open loop: sessions arrive as a Poisson process of `rate`; each makes `steps` steps, one after
// the other.
std::unique_ptr<Load> ArrivingSessions(const LoadOptions& options, Measure& measure);
// Closed loop: one session of `envs` on each connection, stepped all the time.
std::unique_ptr<Load> SteppingSessions(const LoadOptions& options, Measure& measure);
// The same with Render of `images` images.
std::unique_ptr<Load> LargeReplies(const LoadOptions& options, Measure& measure);
// One Run stream per connection, its window filled with steps of single environments.
std::unique_ptr<Load> RunStreams(const LoadOptions& options, Measure& measure);

}  // namespace gwm::bench

#endif  // GWM_CLIENTS_BENCH_LOAD_H_
