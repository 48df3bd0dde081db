/// @file
/// What a platform logs, and who hears it: must::LogRecord, must::LogFunction.
#ifndef MUST_LOG_HPP
#define MUST_LOG_HPP

#include "../must.h"

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

namespace must {

/// How much a log record matters.
enum class LogLevel : int32_t {
  error = MUST_LOG_LEVEL_ERROR,  ///< Something was lost, or will be unless a person acts.
  warn = MUST_LOG_LEVEL_WARN,    ///< Something is not as it should be, and work goes on.
  info = MUST_LOG_LEVEL_INFO,    ///< Something that a person running the platform may want to know.
  debug = MUST_LOG_LEVEL_DEBUG,  ///< What the platform does, such as loading and letting go of pipelines.
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

/// One thing that a platform logged. Holds no prompt and no secret.
struct LogRecord {
  LogLevel level{};     ///< How much it matters.
  std::string target;   ///< Module that logged it.
  std::string message;  ///< What happened.
  std::string json;     ///< The whole record: a JSON object with `time`, `level`, `target`, `message` and `fields`.
};

/// A function that hears what a platform logs. Called on a thread of the library, one record at a time; may call the
/// platform. What it throws is dropped, and the next record comes.
using LogFunction = std::function<void(const LogRecord &)>;

namespace detail {

/// A log function that the library holds; `destroy` ends it.
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
