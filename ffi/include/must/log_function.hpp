/// @file
/// The function that receives log records: must::LogFunction.
#ifndef MUST_LOG_FUNCTION_HPP
#define MUST_LOG_FUNCTION_HPP

#include "json_parse.hpp"
#include "log.hpp"

#include <cstdint>
#include <functional>

namespace must {

/// A function that receives log records. Called on a thread of the library, one record at a time for each platform; it may call
/// the platform. Exceptions from it are ignored.
using LogFunction = std::function<void(const LogRecord &)>;

namespace detail {

/// A log function that the library owns until it calls `destroy`.
struct Logger {
  LogFunction log;

  static void call(void *user, int32_t, const char *, const char *, const char *json) noexcept {
    try {
      auto record = LogRecord::from_json(Json::parse(json));
      record.json = json;
      static_cast<Logger *>(user)->log(record);
    } catch (...) {
    }
  }
  static void destroy(void *user) noexcept { delete static_cast<Logger *>(user); }
};

}  // namespace detail
}  // namespace must

#endif  // MUST_LOG_FUNCTION_HPP
