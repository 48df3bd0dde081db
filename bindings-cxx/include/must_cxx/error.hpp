/// @file
/// Errors between C++ and Rust: must::from_rust and must::calling_rust for errors of Rust, must::to_rust for exceptions of C++.
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

/// Prefix of a text that carries an error. `src/error.rs` has the same.
inline constexpr std::string_view error_mark = "must::Error ";

}  // namespace detail

/// The text that carries an error to Rust, where `must_cxx::from_cpp` reads it. Only hosts whose bridge has its own
/// `trycatch` call it; for all others must_cxx/trycatch.hpp does.
[[nodiscard]] inline std::string to_rust(const Error &error) {
  const auto text = [](const std::string &part) { return Json(detail::whole_utf8(part)); };
  Json carried;
  carried.set("code", error.code_name()).set("detail", text(error.detail())).set("user_action", text(error.user_action()));
  return std::string(detail::error_mark) + carried.dump();
}

/// The error that a Rust function of a bridge failed with: the contents of its `must_cxx::Thrown`, or `internal` with the
/// text of any other Rust error.
[[nodiscard]] inline Error from_rust(const rust::Error &error) {
  const std::string_view text = error.what();
  if (text.substr(0, detail::error_mark.size()) == detail::error_mark) {
    try {
      const Json carried = Json::parse(text.substr(detail::error_mark.size()));
      const std::string_view name = carried["code"].text();
      const int32_t code = must_code_from_name(name.data(), name.size());
      return Error(code > 0 ? static_cast<ErrorCode>(code) : MUST_INTERNAL, carried["detail"].get<std::string>(),
                   carried["user_action"].get<std::string>());
    } catch (const Error &) {  // The text after the prefix is not an error object: treat it as any other text.
    }
  }
  return Error(MUST_INTERNAL, "Rust failed: " + std::string(text));
}

/// Calls a function that calls Rust, and throws Rust's errors as must::Error:
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
