/// @file
/// Errors over the border to Rust: must::from_rust and must::calling_rust for what Rust failed with, must::to_rust for what
/// C++ throws.
#ifndef MUST_CXX_ERROR_HPP
#define MUST_CXX_ERROR_HPP

#include "must/error.hpp"
#include "must/json.hpp"
#include "must/utf8.hpp"
#include "rust/cxx.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace must {
namespace detail {

/// What a text that carries an error begins with. `src/error.rs` has the same.
inline constexpr std::string_view error_mark = "must::Error ";

}  // namespace detail

/// The text that carries an error to Rust, where `must_cxx::from_cpp` reads it. For a host whose bridge has a `trycatch` of its
/// own; must_cxx/trycatch.hpp calls it otherwise.
[[nodiscard]] inline std::string to_rust(const Error &error) {
  const auto text = [](const std::string &part) { return Json(detail::whole_utf8(part)); };
  Json carried;
  carried.set("code", error.code_name()).set("detail", text(error.detail())).set("user_action", text(error.user_action()));
  return std::string(detail::error_mark) + carried.dump();
}

/// The error that a Rust function of a bridge failed with: what its `must_cxx::Thrown` holds, or `internal` with the text of
/// any other error of Rust's.
[[nodiscard]] inline Error from_rust(const rust::Error &error) {
  const std::string_view text = error.what();
  if (text.substr(0, detail::error_mark.size()) == detail::error_mark) {
    try {
      const Json carried = Json::parse(text.substr(detail::error_mark.size()));
      const std::string_view name = carried["code"].text();
      const int32_t code = must_code_from_name(name.data(), name.size());
      return Error(code > 0 ? static_cast<ErrorCode>(code) : MUST_INTERNAL, carried["detail"].get<std::string>(),
                   carried["user_action"].get<std::string>());
    } catch (const Error &) {  // Not what the mark promised: it is a text like any other.
    }
  }
  return Error(MUST_INTERNAL, "Rust failed: " + std::string(text));
}

/// Calls functions of Rust, and throws what they fail with as must::Error:
/// `const auto id = must::calling_rust([&] { return studio::register_poster(name); });`
template <typename Function>
decltype(auto) calling_rust(Function &&function) {
  try {
    return std::forward<Function>(function)();
  } catch (const rust::Error &error) {
    throw from_rust(error);
  }
}

}  // namespace must

#endif  // MUST_CXX_ERROR_HPP
