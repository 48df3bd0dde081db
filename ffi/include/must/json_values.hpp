/// @file
/// Conversions between JSON values and C++ values: must::Json::get, and the arguments of calls.
#ifndef MUST_JSON_VALUES_HPP
#define MUST_JSON_VALUES_HPP

#include "json.hpp"
#include "names.hpp"
#include "time.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace must {
namespace detail {

/// Types that have a function `from_json`.
template <typename T, typename>
struct FromJson {
  static T read(const Json &json) { return T::from_json(json); }
};
template <typename T>
struct FromJson<T, std::enable_if_t<std::is_arithmetic_v<T>>> {
  static T read(const Json &json) {
    if constexpr (std::is_same_v<T, bool>) {
      return json.as<bool>("true or false");
    } else {
      return json.number<T>();
    }
  }
};
template <typename T>
struct FromJson<T, std::enable_if_t<has_names<T>>> {
  static T read(const Json &json) { return from_name<T>(json.text()); }
};
template <>
struct FromJson<std::string> {
  static std::string read(const Json &json) { return std::string(json.text()); }
};
template <>
struct FromJson<SecretText> {
  static SecretText read(const Json &json) { return SecretText(json.text()); }
};
template <>
struct FromJson<Time> {
  static Time read(const Json &json) { return time_from(json.text()); }
};
template <>
struct FromJson<Json> {
  static Json read(const Json &json) { return json; }
};
template <typename T>
struct FromJson<std::optional<T>> {
  static std::optional<T> read(const Json &json) { return json.is_null() ? std::nullopt : std::optional<T>(json.get<T>()); }
};
template <typename T>
struct FromJson<std::vector<T>> {
  static std::vector<T> read(const Json &json) {
    std::vector<T> all;
    all.reserve(json.items().size());
    for (const Json &item : json.items()) all.push_back(item.get<T>());
    return all;
  }
};
template <typename T>
struct FromJson<std::map<std::string, T>> {
  static std::map<std::string, T> read(const Json &json) {
    std::map<std::string, T> all;
    for (const auto &[name, value] : json.members()) all.insert_or_assign(name, value.template get<T>());
    return all;
  }
};

template <typename T, typename = void>
inline constexpr bool has_to_json = false;
template <typename T>
inline constexpr bool has_to_json<T, std::void_t<decltype(std::declval<const T &>().to_json())>> = true;

inline Json json_of(Seconds length) { return Json(length.count()); }
/// A moment as calls take it, in milliseconds since 1970.
inline Json json_of(Time moment) { return Json(static_cast<std::int64_t>(moment.time_since_epoch().count())); }
/// Values that JSON has, enums with names, and types that have a function `to_json`.
template <typename T>
Json json_of(const T &value) {
  if constexpr (has_to_json<T>) {
    return value.to_json();
  } else if constexpr (has_names<T>) {
    return Json(to_string(value));
  } else {
    return Json(value);
  }
}
template <typename T>
Json json_of(const std::vector<T> &values) {
  Json::Array all;
  all.reserve(values.size());
  for (const T &value : values) all.push_back(json_of(value));
  return Json::array(std::move(all));
}
template <typename T>
Json json_of(const std::map<std::string, T> &values) {
  Json::Object all;
  for (const auto &[name, value] : values) all.emplace_back(name, json_of(value));
  return Json::object(std::move(all));
}

/// An object whose members may be left out.
class Fields {
 public:
  template <typename T>
  Fields &set(std::string_view name, const T &value) {
    json_.set(name, json_of(value));
    return *this;
  }
  template <typename T>
  Fields &set(std::string_view name, const std::optional<T> &value) {
    if (value) set(name, *value);
    return *this;
  }
  [[nodiscard]] const Json &json() const noexcept { return json_; }

 private:
  Json json_ = Json::object();
};

}  // namespace detail

template <typename T>
T Json::get() const {
  return detail::FromJson<T>::read(*this);
}

}  // namespace must

#endif  // MUST_JSON_VALUES_HPP
