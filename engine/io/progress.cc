#include "engine/io/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace gwm::io {
namespace {

constexpr double kTerminalIntervalS = 0.1;
constexpr int kDefaultColumns = 80;
constexpr int kBarColumns = 24;

double SteadySeconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

int TerminalColumns(std::FILE* out) {
  winsize size = {};
  const int descriptor = fileno(out);
  if (descriptor >= 0 && ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    return size.ws_col;
  }
  return kDefaultColumns;
}

std::string Bar(double fraction) {
  const int filled = static_cast<int>(std::floor(fraction * kBarColumns));
  std::string bar(kBarColumns, ' ');
  std::fill(bar.begin(), bar.begin() + filled, '#');
  if (filled < kBarColumns && filled > 0) bar[filled - 1] = '>';
  return absl::StrCat("[", bar, "]");
}

// "12.5/s", or "3.20 s each" for slow work.
std::string Rate(double per_s) {
  if (!(per_s > 0) || !std::isfinite(per_s)) return "?/s";
  if (per_s < 1) return absl::StrFormat("%.2f s each", 1 / per_s);
  return FormatCount(per_s) + "/s";
}

}  // namespace

std::string FormatCount(double count) {
  const char* suffix = "";
  for (const char* larger : {"k", "M", "G"}) {
    if (std::abs(count) < 999.5) break;
    count /= 1000;
    suffix = larger;
  }
  const bool whole = *suffix == '\0' && count == std::floor(count);
  const int decimals = whole || count >= 99.95 ? 0 : count >= 9.995 ? 1 : 2;
  return absl::StrFormat("%.*f%s", decimals, count, suffix);
}

std::string FormatSeconds(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0 || seconds > 1e9) return "?";
  const int64_t whole = std::llround(seconds);
  if (whole < 3600) return absl::StrFormat("%d:%02d", whole / 60, whole % 60);
  return absl::StrFormat("%d:%02d:%02d", whole / 3600, whole / 60 % 60, whole % 60);
}

Progress::Progress(ProgressOptions options) : options_(std::move(options)) {
  if (!options_.now_s) options_.now_s = SteadySeconds;
  terminal_ =
      options_.is_terminal ? options_.is_terminal(options_.out) : isatty(fileno(options_.out)) == 1;
  done_ = options_.initial;
  start_s_ = options_.now_s();
}

Progress::~Progress() { Finish(note_); }

void Progress::Update(int64_t done, const std::string& note) {
  if (finished_) return;
  done_ = done;
  note_ = note;
  const double interval_s = terminal_ ? kTerminalIntervalS : options_.plain_interval_s;
  if (options_.now_s() - last_print_s_ >= interval_s) Print(false);
}

void Progress::Finish(const std::string& note) {
  if (finished_) return;
  finished_ = true;
  if (!note.empty()) note_ = note;
  Print(true);
}

std::string Progress::Line(double elapsed_s) const {
  const double rate = static_cast<double>(done_ - options_.initial) / elapsed_s;
  std::string line = options_.label;
  if (!line.empty()) line += ' ';
  if (options_.total > 0) {
    const double fraction =
        std::clamp(static_cast<double>(done_) / static_cast<double>(options_.total), 0.0, 1.0);
    line += absl::StrFormat("%3d%% ", static_cast<int>(std::floor(fraction * 100)));
    if (terminal_) line += Bar(fraction) + " ";
    line += absl::StrFormat("%d/%d", done_, options_.total);
  } else {
    line += absl::StrFormat("%d", done_);
  }
  absl::StrAppend(&line, " ", FormatSeconds(elapsed_s));
  if (options_.total > 0 && !finished_) {
    absl::StrAppend(&line, "<", FormatSeconds(static_cast<double>(options_.total - done_) / rate));
  }
  absl::StrAppend(&line, " ", Rate(rate));
  if (!note_.empty()) absl::StrAppend(&line, " ", note_);
  return line;
}

void Progress::Print(bool last) {
  last_print_s_ = options_.now_s();
  std::string line = Line(last_print_s_ - start_s_);
  if (terminal_) {
    const int columns = options_.columns > 0 ? options_.columns : TerminalColumns(options_.out);
    // A line as wide as the terminal would wrap, and the next carriage return would not reach its
    // start.
    if (line.size() >= static_cast<size_t>(columns)) line.resize(columns - 1);
    std::fprintf(options_.out, "\r%s\x1b[K%s", line.c_str(), last ? "\n" : "");
  } else {
    std::fprintf(options_.out, "%s\n", line.c_str());
  }
  std::fflush(options_.out);
}

}  // namespace gwm::io
