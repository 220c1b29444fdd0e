// The server's log: one line an event on stderr.
#ifndef GWM_SERVER_OBSERVE_LOG_H_
#define GWM_SERVER_OBSERVE_LOG_H_

#include <memory>
#include <string>
#include <string_view>

namespace spdlog {
class logger;
}

namespace gwm::server {

// Thread-safe. Handle an error once: log it or return it.
class Log {
 public:
  // "debug", "info", "warn", "error" or "off".
  explicit Log(const std::string& level);
  ~Log();

  void Debug(std::string_view message) const;
  void Info(std::string_view message) const;
  void Warn(std::string_view message) const;
  void Error(std::string_view message) const;

 private:
  std::unique_ptr<spdlog::logger> logger_;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_OBSERVE_LOG_H_
