// A progress line for long work: bar, rate and time left on a terminal; plain lines when piped.
#ifndef GWM_ENGINE_IO_PROGRESS_H_
#define GWM_ENGINE_IO_PROGRESS_H_

#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>

namespace gwm::io {

struct ProgressOptions {
  std::string label;
  int64_t total = 0;  // 0: unknown
  std::FILE* out = stderr;
  double plain_interval_s = 10;                 // between lines when `out` is no terminal
  std::function<double()> now_s;                // monotonic seconds; empty: the steady clock
  std::function<bool(std::FILE*)> is_terminal;  // empty: isatty
  int64_t initial = 0;  // already done before the start (a resumed run): not part of the rate
  int columns = 0;      // width of the terminal; 0: ask it
};

// "1.50k", "250", "3.20M".
std::string FormatCount(double count);
// "0:07", "1:02:03": minutes and seconds, with hours from one hour on; "?" for what is not finite
// or negative.
std::string FormatSeconds(double seconds);

// Thread-compatible. Prints at most ten times a second on a terminal.
class Progress {
 public:
  explicit Progress(ProgressOptions options);
  ~Progress();  // finishes the line
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `note` is shown at the end of the line ("loss 0.123").
  void Update(int64_t done, const std::string& note = "");
  void Finish(const std::string& note = "");

 private:
  void Print(bool last);
  std::string Line(double elapsed_s) const;
  ProgressOptions options_;
  bool terminal_ = false;
  int64_t done_ = 0;
  std::string note_;
  double start_s_ = 0;
  double last_print_s_ = -1e9;
  bool finished_ = false;
};

}  // namespace gwm::io

#endif  // GWM_ENGINE_IO_PROGRESS_H_
