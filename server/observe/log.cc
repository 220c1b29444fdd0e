#include "server/observe/log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

namespace gwm::server {

Log::Log(const std::string& level)
    : logger_(std::make_unique<spdlog::logger>("gwm-server",
                                               std::make_shared<spdlog::sinks::stderr_sink_mt>())) {
  logger_->set_level(spdlog::level::from_str(level));
  logger_->set_pattern("%Y-%m-%dT%H:%M:%S.%e %L %v");
  logger_->flush_on(spdlog::level::info);
}
Log::~Log() = default;

// The text is data, never a format.
void Log::Debug(std::string_view message) const { logger_->debug("{}", message); }
void Log::Info(std::string_view message) const { logger_->info("{}", message); }
void Log::Warn(std::string_view message) const { logger_->warn("{}", message); }
void Log::Error(std::string_view message) const { logger_->error("{}", message); }

}  // namespace gwm::server
