/// @file
/// Errors: must::Error, which every call of this layer throws when it fails.
#ifndef MUST_ERROR_HPP
#define MUST_ERROR_HPP

#if !defined(__cpp_exceptions) && !defined(__EXCEPTIONS) && !defined(_CPPUNWIND)
#error \
    "must.hpp reports failures by exceptions, which are turned off here. Turn them on (-fexceptions, /EHsc), or use must.h, whose functions return codes."
#endif
#if __cplusplus < 201703L && (!defined(_MSVC_LANG) || _MSVC_LANG < 201703L)
#error "must.hpp needs C++17 or later (-std=c++17, /std:c++17). must.h is for C11 and every C++."
#endif

#include "../must.h"

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace must {

/// The kind of an error, as a value to branch on: `MUST_VALIDATION_ERROR` and so on.
using ErrorCode = ::must_code_t;

namespace detail {

/// The code with this name. It is `MUST_INTERNAL` if the library does not know the name.
[[nodiscard]] inline ErrorCode code_from(std::string_view name) noexcept {
  const std::int32_t number = must_code_from_name(name.data(), name.size());
  return number < 0 ? MUST_INTERNAL : static_cast<ErrorCode>(number);
}

}  // namespace detail

/// An error: its code, what happened, and what to do about it.
class Error : public std::runtime_error {
 public:
  /// An error as the library gives it.
  Error(ErrorCode code, const std::string &detail, std::string user_action)
      : std::runtime_error(name_of(code) + ": " + detail), code_(code), detail_(detail), user_action_(std::move(user_action)) {}
  /// An error with the general advice for its code.
  Error(ErrorCode code, const std::string &detail) : Error(code, detail, action_of(code)) {}

  /// The code to branch on.
  [[nodiscard]] ErrorCode code() const noexcept { return code_; }
  /// Its stable name, such as `validation_error`.
  [[nodiscard]] std::string code_name() const { return name_of(code_); }
  /// What happened, in one line.
  [[nodiscard]] const std::string &detail() const noexcept { return detail_; }
  /// What a person can do about it, in one line.
  [[nodiscard]] const std::string &user_action() const noexcept { return user_action_; }
  /// Whether the same call may succeed later without a change by the caller.
  [[nodiscard]] bool is_retryable() const noexcept { return must_code_is_retryable(code_); }

 private:
  static std::string name_of(ErrorCode code) {
    const char *name = must_code_name(code);
    return name != nullptr ? name : "unknown";
  }
  static std::string action_of(ErrorCode code) {
    const char *action = must_code_user_action(code);
    return action != nullptr ? action : "";
  }

  ErrorCode code_;
  std::string detail_;
  std::string user_action_;
};

}  // namespace must

#endif  // MUST_ERROR_HPP
