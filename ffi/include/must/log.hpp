/// @file
/// The log records of a platform.
/// Made from types in core/src by `cargo xtask regen`; do not edit.
#ifndef MUST_LOG_HPP
#define MUST_LOG_HPP

#include "json.hpp"

#include <string>

namespace must {

/// The importance of a log record.
enum class LogLevel {
  unknown,  ///< A value of a later version.
  error,  ///< Something was lost, or will be unless a person acts.
  warn,  ///< Something is wrong, but work continues.
  info,  ///< Information for the person who runs the platform.
  debug,  ///< What the platform does, such as loading and unloading pipelines.
  trace,  ///< Everything.
};
template <>
struct detail::Names<LogLevel> {
  static constexpr Named<LogLevel> table[] = {
      {LogLevel::error, "error"},
      {LogLevel::warn, "warn"},
      {LogLevel::info, "info"},
      {LogLevel::debug, "debug"},
      {LogLevel::trace, "trace"},
  };
};

/// A log record. It contains no prompt, no picture and no secret. Control characters in its texts are escaped, so that
/// printing them to a terminal is safe.
struct LogRecord {
  /// When it was logged.
  Time time;
  /// How important it is.
  LogLevel level{};
  /// The module that logged it, such as `must::task::runner`.
  std::string target;
  /// What happened, in one sentence.
  std::string message;
  /// What it is about: `task`, `code`, `model` and so on.
  Json fields;

  /// The whole record as one line of JSON.
  std::string json{};

  /// Reads it from the JSON of an answer.
  [[nodiscard]] static LogRecord from_json(const Json &json) {
    return {json["time"].get<Time>(),
            json["level"].get<LogLevel>(),
            json["target"].get<std::string>(),
            json["message"].get<std::string>(),
            json["fields"].get<Json>()};
  }
};

}  // namespace must

#endif  // MUST_LOG_HPP
