/// @file
/// Logging: must::LogRecord, must::LogFunction.
#ifndef MUST_LOG_HPP
#define MUST_LOG_HPP

#include "../must.h"

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

namespace must {

/// Severity of a log record.
enum class LogLevel : int32_t {
  error = MUST_LOG_LEVEL_ERROR,  ///< Something was lost, or will be lost unless a person acts.
  warn = MUST_LOG_LEVEL_WARN,    ///< Something is wrong, and work continues.
  info = MUST_LOG_LEVEL_INFO,    ///< Something that a person running the platform may want to know.
  debug = MUST_LOG_LEVEL_DEBUG,  ///< What the platform does, such as loading and unloading pipelines.
  trace = MUST_LOG_LEVEL_TRACE,  ///< Everything.
};

/// The stable name of a level.
[[nodiscard]] inline const char *to_string(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::error: return "error";
    case LogLevel::warn: return "warn";
    case LogLevel::info: return "info";
    case LogLevel::debug: return "debug";
    case LogLevel::trace: return "trace";
  }
  return "";
}

/// A log record of a platform. Holds no prompt and no secret.
struct LogRecord {
  LogLevel level{};     ///< Severity.
  std::string target;   ///< Module that logged it.
  std::string message;  ///< What happened.
  std::string json;     ///< The whole record: a JSON object with `time`, `level`, `target`, `message` and `fields`.
};

/// A function that receives log records. Called on a thread of the library, one record at a time; it may call the platform.
/// Exceptions from it are ignored.
using LogFunction = std::function<void(const LogRecord &)>;

namespace detail {

/// A log function that the library owns until it calls `destroy`.
struct Logger {
  LogFunction log;

  static void call(void *user, int32_t level, const char *target, const char *message, const char *json) noexcept {
    try {
      static_cast<Logger *>(user)->log(LogRecord{static_cast<LogLevel>(level), target, message, json});
    } catch (...) {
    }
  }
  static void destroy(void *user) noexcept { delete static_cast<Logger *>(user); }
};

}  // namespace detail
}  // namespace must

#endif  // MUST_LOG_HPP
