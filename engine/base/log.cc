#include "engine/base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

namespace gwm {
namespace {

// stdout belongs to results, so the log takes stderr. spdlog's own registry keeps the logger.
std::shared_ptr<spdlog::logger> Logger() {
  if (auto logger = spdlog::get("gwm")) return logger;
  try {
    return spdlog::stderr_color_mt("gwm");
  } catch (const spdlog::spdlog_ex&) {
    return spdlog::get("gwm");  // Another thread was faster.
  }
}

spdlog::level::level_enum SpdlogLevel(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kOff:
      break;
  }
  return spdlog::level::off;
}

void Log(LogLevel level, std::string_view message) {
  Logger()->log(SpdlogLevel(level), spdlog::string_view_t(message.data(), message.size()));
}

}  // namespace

void LogDebug(std::string_view message) { Log(LogLevel::kDebug, message); }
void LogInfo(std::string_view message) { Log(LogLevel::kInfo, message); }
void LogWarning(std::string_view message) { Log(LogLevel::kWarning, message); }
void LogError(std::string_view message) { Log(LogLevel::kError, message); }
void SetLogLevel(LogLevel level) { Logger()->set_level(SpdlogLevel(level)); }

}  // namespace gwm
