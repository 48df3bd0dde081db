/// @file
/// Stable names of enum values in JSON. A name that this header does not know is read as `unknown`.
#ifndef MUST_NAMES_HPP
#define MUST_NAMES_HPP

#include <string_view>
#include <type_traits>

namespace must {
namespace detail {

/// A value of an enum and its stable name.
template <typename Enum>
struct Named {
  Enum value;
  const char *name;
};

/// The names of an enum: each enum specialises this with its names in `table`. The enum's value 0 is `unknown`.
template <typename Enum>
struct Names;

template <typename Enum, typename = void>
inline constexpr bool has_names = false;
template <typename Enum>
inline constexpr bool has_names<Enum, std::void_t<decltype(Names<Enum>::table)>> = true;

/// The value with this stable name; `unknown` for a name that only a later version has.
template <typename Enum>
[[nodiscard]] constexpr Enum from_name(std::string_view name) noexcept {
  for (const auto &named : Names<Enum>::table) {
    if (named.name == name) return named.value;
  }
  return Enum{};
}

}  // namespace detail

/// The stable name of a value; `unknown` for a value that has none.
template <typename Enum, std::enable_if_t<detail::has_names<Enum>, int> = 0>
[[nodiscard]] constexpr const char *to_string(Enum value) noexcept {
  for (const auto &named : detail::Names<Enum>::table) {
    if (named.value == value) return named.name;
  }
  return "unknown";
}

}  // namespace must

#endif  // MUST_NAMES_HPP
