// The log: one line a message on stderr, with time and level. Format with absl::StrCat or
// absl::StrFormat.
#ifndef GWM_ENGINE_BASE_LOG_H_
#define GWM_ENGINE_BASE_LOG_H_

#include <string_view>

namespace gwm {

enum class LogLevel { kDebug, kInfo, kWarning, kError, kOff };

// Thread-safe. Handle an error once: log it or return it.
void LogDebug(std::string_view message);
void LogInfo(std::string_view message);
void LogWarning(std::string_view message);
void LogError(std::string_view message);

// Messages below `level` are dropped; kInfo at start.
void SetLogLevel(LogLevel level);

}  // namespace gwm

#endif  // GWM_ENGINE_BASE_LOG_H_
