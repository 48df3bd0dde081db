/// @file
/// The parser of JSON text (RFC 8259): must::Json::parse.
#ifndef MUST_JSON_PARSE_HPP
#define MUST_JSON_PARSE_HPP

#include "json.hpp"
#include "utf8.hpp"

#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <locale>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace must {
namespace detail {

/// Reads one JSON text from start to end. Errors give the position and do not quote the text.
class JsonParser {
 public:
  explicit JsonParser(std::string_view text) : text_(text) {}

  /// Reads the whole text as one value.
  [[nodiscard]] Json whole() {
    Json json = value(0);
    skip_space();
    if (at_ < text_.size()) fail("something follows the value");
    return json;
  }

 private:
  /// Maximum nesting. Deeper nesting could exhaust the stack.
  static constexpr int deepest = 128;

  [[nodiscard]] Json value(int depth) {
    if (depth > deepest) fail("it is nested too deeply");
    skip_space();
    switch (peek()) {
      case '{': return object(depth);
      case '[': return array(depth);
      case '"': {
        WipedText text;
        string(text);
        return Json(view(text));
      }
      case 't': return literal("true", true);
      case 'f': return literal("false", false);
      case 'n': return literal("null", nullptr);
      default: return number();
    }
  }

  [[nodiscard]] Json object(int depth) {
    Json::Object members;
    items('}', [&] {
      skip_space();
      std::string name;
      string(name);
      skip_space();
      expect(':');
      members.emplace_back(std::move(name), value(depth + 1));
    });
    return Json::object(std::move(members));
  }

  [[nodiscard]] Json array(int depth) {
    Json::Array all;
    items(']', [&] { all.push_back(value(depth + 1)); });
    return Json::array(std::move(all));
  }

  template <typename Item>
  void items(char close, Item item) {
    ++at_;
    skip_space();
    if (peek() == close) {
      ++at_;
      return;
    }
    for (;;) {
      item();
      skip_space();
      if (peek() == close) break;
      expect(',');
    }
    ++at_;
  }

  template <typename Value>
  [[nodiscard]] Json literal(std::string_view name, Value value) {
    if (text_.substr(at_, name.size()) != name) fail("there is no such value");
    at_ += name.size();
    return Json(value);
  }

  /// Text that grows in a `std::string` or, where it may be a secret, in memory that is wiped.
  template <typename Text>
  void string(Text &text) {
    expect('"');
    for (;;) {
      const char c = peek();
      if (c == '"') break;
      if (c == '\\') {
        ++at_;
        escape(text);
        continue;
      }
      if (static_cast<unsigned char>(c) < 0x20) fail("a text holds a control character, or does not end");
      const std::size_t length = utf8_length(text_.substr(at_, 4));
      if (length == 0) fail("a text is not UTF-8");
      for (std::size_t index = 0; index < length; ++index) text.push_back(text_[at_++]);
    }
    ++at_;
  }

  template <typename Text>
  void escape(Text &text) {
    const char c = peek();
    ++at_;
    switch (c) {
      case '"':
      case '\\':
      case '/': text.push_back(c); return;
      case 'b': text.push_back('\b'); return;
      case 'f': text.push_back('\f'); return;
      case 'n': text.push_back('\n'); return;
      case 'r': text.push_back('\r'); return;
      case 't': text.push_back('\t'); return;
      case 'u': append_utf8(text, escaped()); return;
      default: --at_; fail("there is no such escape");
    }
  }

  /// A character behind `\u`: one code unit of UTF-16, or the two of a surrogate pair.
  [[nodiscard]] std::uint32_t escaped() {
    const std::uint32_t first = code_unit();
    if (first < 0xd800 || first > 0xdfff) return first;
    if (first > 0xdbff || text_.substr(at_, 2) != "\\u") fail("half a surrogate pair is no character");
    at_ += 2;
    const std::uint32_t second = code_unit();
    if (second < 0xdc00 || second > 0xdfff) fail("half a surrogate pair is no character");
    return 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
  }

  [[nodiscard]] std::uint32_t code_unit() {
    std::uint32_t unit = 0;
    for (int count = 0; count < 4; ++count) {
      const char c = peek();
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) fail("an escape has four hexadecimal digits");
      unit = unit * 16 + static_cast<std::uint32_t>(digit);
      ++at_;
    }
    return unit;
  }

  [[nodiscard]] Json number() {
    const std::size_t start = at_;
    bool whole = true;
    if (peek() == '-') ++at_;
    if (peek() == '0') {
      ++at_;
    } else {
      digits();
    }
    if (peek() == '.') {
      whole = false;
      ++at_;
      digits();
    }
    if (peek() == 'e' || peek() == 'E') {
      whole = false;
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      digits();
    }
    const std::string_view found = text_.substr(start, at_ - start);
    if (whole) {
      std::int64_t integer = 0;
      if (integer_from(found, integer)) return Json(integer);
      std::uint64_t large = 0;
      if (found.front() != '-' && integer_from(found, large)) return Json(large);
    }
    return fraction(std::string(found));
  }

  void digits() {
    if (peek() < '0' || peek() > '9') fail("there is no value");
    while (peek() >= '0' && peek() <= '9') ++at_;
  }

  template <typename Integer>
  [[nodiscard]] static bool integer_from(std::string_view digits, Integer &integer) {
    const char *end = digits.data() + digits.size();
    const auto [rest, error] = std::from_chars(digits.data(), end, integer);
    return error == std::errc() && rest == end;
  }

  /// Not every standard library has `std::from_chars` for floating-point numbers, and the locale must not matter.
  [[nodiscard]] Json fraction(const std::string &digits) {
    std::istringstream stream(digits);
    stream.imbue(std::locale::classic());
    double number = 0;
    stream >> number;
    // Too small a number is 0, too large a one is an error.
    if (stream.fail() && std::abs(number) > 1) fail("a number is too large");
    return Json(number);
  }

  /// The next byte; at the end NUL, which JSON never contains.
  [[nodiscard]] char peek() const noexcept { return at_ < text_.size() ? text_[at_] : '\0'; }
  void expect(char c) {
    if (peek() != c) fail(std::string("a ") + c + " is missing");
    ++at_;
  }
  void skip_space() noexcept {
    while (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r') ++at_;
  }
  [[noreturn]] void fail(const std::string &what) const {
    throw Error(MUST_VALIDATION_ERROR, "the text is no JSON at byte " + std::to_string(at_) + ": " + what);
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace detail

inline Json Json::parse(std::string_view text) { return detail::JsonParser(text).whole(); }

}  // namespace must

#endif  // MUST_JSON_PARSE_HPP
