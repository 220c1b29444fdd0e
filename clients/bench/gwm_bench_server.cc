// gwm-bench-server: loads a running server. See kUsage.
#include <cstdio>
#include <exception>
#include <fstream>
#include <map>
#include <thread>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/flags/usage_config.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "clients/bench/load.h"
#include "engine/io/progress.h"

ABSL_FLAG(std::string, address, "127.0.0.1:50051", "server: HOST:PORT or unix:PATH");
ABSL_FLAG(std::string, mode, "sessions", "sessions, steps, vector, run, reply or latency");
ABSL_FLAG(double, duration, 10, "seconds that are measured");
ABSL_FLAG(double, warmup, 2, "seconds before that, which do not count");
ABSL_FLAG(int, connections, 8, "connections to the server");
ABSL_FLAG(uint32_t, envs, 0, "environments of a session; 0: 64 for vector and run, else 1");
ABSL_FLAG(double, rate, 20, "sessions: how many arrive per second");
ABSL_FLAG(int, steps, 50, "sessions: steps of each");
ABSL_FLAG(int, deadline_ms, 0, "sessions: time that a call may take; 0: as long as it likes");
ABSL_FLAG(int, idle_ttl_ms, 0, "after which a session without calls expires; 0: the server's");
ABSL_FLAG(std::string, observations, "", "to return with every step: names with commas");
ABSL_FLAG(uint32_t, width, 2048, "reply: pixels of an image");
ABSL_FLAG(uint32_t, height, 1365, "reply: pixels of an image");
ABSL_FLAG(uint32_t, images, 2, "reply: images of one reply, 3 bytes per pixel");
ABSL_FLAG(uint64_t, seed, 0, "of arrivals and sessions");
ABSL_FLAG(std::string, json, "", "file for the report; empty: the table only");

namespace gwm::bench {
namespace {

constexpr char kUsage[] =
    "loads a running gwm server and reports what its clients saw.\n\n"
    "  gwm-bench-server --mode=sessions --rate=40 --steps=50 --deadline_ms=100\n"
    "      sessions arrive at random (Poisson), 40 per second, whether or not the server keeps "
    "up;\n"
    "      each makes 50 steps one after the other: goodput, attained deadlines, percentiles\n"
    "  gwm-bench-server --mode=steps --connections=16\n"
    "      unary steps per second, closed loop\n"
    "  gwm-bench-server --mode=vector --envs=64\n"
    "      environment steps per second in sessions of 64\n"
    "  gwm-bench-server --mode=run --envs=64\n"
    "      the same, each environment by itself, through Simulator.Run\n"
    "  gwm-bench-server --mode=reply\n"
    "      replies of 16.8 MB: bytes per second\n"
    "  gwm-bench-server --mode=latency --json=/tmp/latency.json\n"
    "      one step at a time: \"added\" is what the caller waited beyond the device's own time\n\n"
    "Exit status: 0 done, 1 the server is not there or refused everything, 2 bad usage.";

using Maker = std::unique_ptr<Load> (*)(const LoadOptions&, Measure&);
const std::map<std::string, Maker> kModes = {
    {"sessions", ArrivingSessions}, {"steps", SteppingSessions},
    {"vector", SteppingSessions},   {"run", RunStreams},
    {"reply", LargeReplies},        {"latency", SteppingSessions}};

LoadOptions OptionsOf(const std::string& mode) {
  LoadOptions options{
      .address = absl::GetFlag(FLAGS_address),
      .connections = absl::GetFlag(FLAGS_connections),
      .envs = absl::GetFlag(FLAGS_envs),
      .rate = absl::GetFlag(FLAGS_rate),
      .steps = absl::GetFlag(FLAGS_steps),
      .deadline = std::chrono::milliseconds(absl::GetFlag(FLAGS_deadline_ms)),
      .observations = absl::StrSplit(absl::GetFlag(FLAGS_observations), ',', absl::SkipEmpty()),
      .idle_ttl = std::chrono::milliseconds(absl::GetFlag(FLAGS_idle_ttl_ms)),
      .width = absl::GetFlag(FLAGS_width),
      .height = absl::GetFlag(FLAGS_height),
      .images = absl::GetFlag(FLAGS_images),
      .seed = absl::GetFlag(FLAGS_seed)};
  if (options.envs == 0) options.envs = mode == "vector" || mode == "run" ? 64 : 1;
  if (mode == "latency") options.connections = 1;
  return options;
}

void Wait(double seconds, const std::string& label, const Measure& measure) {
  io::Progress progress({.label = label, .total = static_cast<int64_t>(seconds * 10)});
  const auto start = Clock::now();
  for (int64_t tenth = 1; tenth <= static_cast<int64_t>(seconds * 10); ++tenth) {
    std::this_thread::sleep_until(start + std::chrono::milliseconds(100) * tenth);
    progress.Update(tenth, io::FormatCount(static_cast<double>(measure.calls())) + " calls");
  }
}

void PrintTimes(const char* name, const nlohmann::json& times) {
  std::printf("%-22s p50 %.3f  p95 %.3f  p99 %.3f  p99.9 %.3f  max %.3f ms\n", name,
              times["p50_ms"].get<double>(), times["p95_ms"].get<double>(),
              times["p99_ms"].get<double>(), times["p999_ms"].get<double>(),
              times["max_ms"].get<double>());
}

void PrintTable(const nlohmann::json& report) {
  const auto number = [&report](const char* name, const char* label, const char* format) {
    std::printf("%-22s ", label);
    std::printf(format, report[name].get<double>());
    std::printf("\n");
  };
  std::printf("mode %s, %.1f s after %.1f s of warm-up\n",
              report["mode"].get<std::string>().c_str(), report["seconds"].get<double>(),
              report["warmup_s"].get<double>());
  number("calls_per_s", "calls/s", "%.1f");
  number("env_steps_per_s", "env-steps/s", "%.1f");
  number("in_time_per_s", "goodput, calls/s", "%.1f");
  number("attainment", "deadlines attained", "%.4f");
  if (report["mb_per_s"].get<double>() > 0) number("mb_per_s", "MB/s", "%.1f");
  PrintTimes("latency", report["latency"]);
  PrintTimes("added to device time", report["added"]);
  for (const auto& [name, count] : report["errors"].items()) {
    std::printf("%-22s %llu\n", name.c_str(),
                static_cast<unsigned long long>(count.get<uint64_t>()));
  }
  for (const char* name : {"sessions_arrived", "sessions_rejected", "sessions_finished"}) {
    if (report.contains(name)) number(name, name, "%.0f");
  }
}

int Run(const std::string& mode) {
  const LoadOptions options = OptionsOf(mode);
  const double duration_s = absl::GetFlag(FLAGS_duration), warmup_s = absl::GetFlag(FLAGS_warmup);
  Measure measure;
  const auto load = kModes.at(mode)(options, measure);
  try {
    load->Start();
  } catch (...) {
    load->Stop();  // for what was started before the failure
    throw;
  }
  Wait(warmup_s, "warm-up", measure);
  measure.Open();
  Wait(duration_s, mode, measure);
  measure.Close();
  load->Stop();
  nlohmann::json report = measure.Report();
  report.update(load->Extra());
  report["mode"] = mode;
  report["warmup_s"] = warmup_s;
  report["connections"] = options.connections;
  report["envs"] = options.envs;
  PrintTable(report);
  if (const std::string path = absl::GetFlag(FLAGS_json); !path.empty()) {
    std::ofstream file(path);
    file << report.dump(2) << "\n";
    if (!file) {
      std::fprintf(stderr, "gwm-bench-server: cannot write %s\n", path.c_str());
      return 2;
    }
  }
  return report["calls_per_s"].get<double>() > 0 ? 0 : 1;
}

bool UsageIsFine() {
  return kModes.count(absl::GetFlag(FLAGS_mode)) > 0 && absl::GetFlag(FLAGS_connections) > 0 &&
         absl::GetFlag(FLAGS_duration) > 0 && absl::GetFlag(FLAGS_warmup) >= 0 &&
         absl::GetFlag(FLAGS_rate) > 0 && absl::GetFlag(FLAGS_deadline_ms) >= 0;
}

}  // namespace
}  // namespace gwm::bench

int main(int argc, char** argv) {
  // As in the server: the generator must not be what is measured.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  absl::SetProgramUsageMessage(gwm::bench::kUsage);
  absl::FlagsUsageConfig help;
  help.contains_help_flags = [](absl::string_view file) {
    return absl::EndsWith(file, "gwm_bench_server.cc");
  };
  absl::SetFlagsUsageConfig(help);
  if (absl::ParseCommandLine(argc, argv).size() > 1 || !gwm::bench::UsageIsFine()) {
    std::fprintf(stderr,
                 "gwm-bench-server: takes flags only; --mode is one of sessions, steps, vector, "
                 "run, reply, latency, and numbers are positive; see --help\n");
    return 2;
  }
  try {
    return gwm::bench::Run(absl::GetFlag(FLAGS_mode));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gwm-bench-server: %s: %s\n", absl::GetFlag(FLAGS_address).c_str(),
                 error.what());
    return 1;
  }
}
