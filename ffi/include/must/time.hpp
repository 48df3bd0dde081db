/// @file
/// Points in time and durations.
#ifndef MUST_TIME_HPP
#define MUST_TIME_HPP

#include "error.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace must {

/// A moment, in UTC, to the millisecond.
using Time = std::chrono::time_point<std::chrono::system_clock, std::chrono::milliseconds>;

/// A length of time; any `std::chrono::duration` will do, such as `24h` or `500ms`.
using Seconds = std::chrono::duration<double>;

namespace detail {

/// Days from 1970-01-01 to a date of the Gregorian calendar (Hinnant, chrono-compatible low-level date algorithms).
[[nodiscard]] constexpr std::int64_t days_from_date(std::int64_t year, std::int64_t month, std::int64_t day) noexcept {
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

/// Reads a moment as the library writes it, RFC 3339 in UTC: `2026-11-24T09:15:00.000Z`.
[[nodiscard]] inline Time time_from(std::string_view text) {
  const auto refuse = [] { throw Error(MUST_VALIDATION_ERROR, "a time must be as 2026-11-24T09:15:00.000Z, and is not"); };
  // Each 0 stands for a digit; the fraction may have any number of digits.
  static constexpr std::string_view form = "0000-00-00T00:00:00";
  if (text.size() <= form.size() || text.back() != 'Z') refuse();
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  for (std::size_t index = 0; index < form.size(); ++index) {
    if (form[index] == '0' ? !digit(text[index]) : text[index] != form[index]) refuse();
  }
  const auto number = [&](std::size_t from, std::size_t size) {
    std::int64_t sum = 0;
    for (const char c : text.substr(from, size)) sum = sum * 10 + (c - '0');
    return sum;
  };
  std::string_view fraction = text.substr(form.size(), text.size() - form.size() - 1);
  std::int64_t milliseconds = 0;
  if (!fraction.empty()) {
    if (fraction.front() != '.' || fraction.size() == 1) refuse();
    fraction.remove_prefix(1);
    for (const char c : fraction) {
      if (!digit(c)) refuse();
    }
    for (std::size_t index = 0; index < 3; ++index) {
      milliseconds = milliseconds * 10 + (index < fraction.size() ? fraction[index] - '0' : 0);
    }
  }
  const std::int64_t month = number(5, 2), day = number(8, 2), hour = number(11, 2), minute = number(14, 2),
                     second = number(17, 2);
  // Second 60 is a leap second; it is read as the first moment of the next minute.
  if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60) refuse();
  const std::int64_t seconds = ((days_from_date(number(0, 4), month, day) * 24 + hour) * 60 + minute) * 60 + second;
  return Time(std::chrono::milliseconds(seconds * 1000 + milliseconds));
}

}  // namespace detail
}  // namespace must

#endif  // MUST_TIME_HPP
