/// @file
/// JSON values: must::Json, which parses, writes and converts them.
#ifndef MUST_JSON_HPP
#define MUST_JSON_HPP

#include "error.hpp"
#include "secret_text.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <locale>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace must {
namespace detail {

/// Converts a JSON value to a C++ value.
template <typename T, typename = void>
struct FromJson;

}  // namespace detail

/// A JSON value: null, a boolean, a number, a text, an array or an object. Integers of 64 bits are kept exactly, objects keep
/// their order. The memory of every text value is wiped when it is freed, since a text may be a secret; names are not wiped.
/// Reading a value as another kind throws `validation_error`, which does not quote the value.
class Json {
 public:
  /// The kinds of value.
  enum class Kind { null, boolean, number, text, array, object };
  /// The items of an array.
  using Array = std::vector<Json>;
  /// A name in an object and the value that it has.
  using Member = std::pair<std::string, Json>;
  /// The members of an object, in their order.
  using Object = std::vector<Member>;

  /// Null.
  Json() = default;
  /// Null.
  Json(std::nullptr_t) {}
  /// A text, UTF-8.
  template <typename Text, std::enable_if_t<detail::is_text<Text>, int> = 0>
  Json(const Text &text) : Json(std::string_view(text), 0) {}
  /// A secret, as a text.
  Json(const SecretText &text) : Json(text.reveal(), 0) {}
  /// A boolean or a number. Throws `validation_error` for infinity and NaN.
  template <typename Scalar, std::enable_if_t<std::is_arithmetic_v<Scalar>, int> = 0>
  Json(Scalar scalar) {
    if constexpr (std::is_same_v<Scalar, bool>) {
      value_ = scalar;
    } else if constexpr (std::is_floating_point_v<Scalar>) {
      if (!std::isfinite(scalar)) throw Error(MUST_VALIDATION_ERROR, "a number must be finite");
      value_ = static_cast<double>(scalar);
    } else if (fits<std::int64_t>(scalar)) {
      value_ = static_cast<std::int64_t>(scalar);
    } else {
      value_ = static_cast<std::uint64_t>(scalar);
    }
  }
  /// An array.
  [[nodiscard]] static Json array(Array items = {}) { return Json(Value(std::move(items)), 0); }
  /// An object.
  [[nodiscard]] static Json object(Object members = {}) { return Json(Value(std::move(members)), 0); }

  /// Reads JSON text (RFC 8259), nested at most 128 deep. Throws `validation_error` with the byte at which it is not valid.
  [[nodiscard]] static Json parse(std::string_view text);
  /// The value as JSON text without spaces. If the value holds a secret, the caller must wipe the text.
  [[nodiscard]] std::string dump() const {
    std::string text;
    write(text);
    return text;
  }

  /// Which kind it is.
  [[nodiscard]] Kind kind() const noexcept {
    static constexpr Kind kinds[] = {Kind::null,   Kind::boolean, Kind::number, Kind::number,
                                     Kind::number, Kind::text,    Kind::array,  Kind::object};
    return kinds[value_.index()];
  }
  /// Whether it is null.
  [[nodiscard]] bool is_null() const noexcept { return kind() == Kind::null; }

  /// The text; the view is valid as long as this value exists and is not changed.
  [[nodiscard]] std::string_view text() const { return detail::view(as<detail::WipedText>("a text")); }
  /// The items of an array.
  [[nodiscard]] const Array &items() const { return as<Array>("an array"); }
  /// The members of an object.
  [[nodiscard]] const Object &members() const { return as<Object>("an object"); }
  /// The member of an object with this name, or nullptr. Where a name occurs more than once, the last member counts.
  [[nodiscard]] const Json *find(std::string_view name) const {
    const Object &all = members();
    for (auto member = all.rbegin(); member != all.rend(); ++member) {
      if (member->first == name) return &member->second;
    }
    return nullptr;
  }
  /// The member of an object with this name, or null where there is none.
  [[nodiscard]] const Json &operator[](std::string_view name) const {
    static const Json null;
    const Json *member = find(name);
    return member != nullptr ? *member : null;
  }

  /// The value as a C++ value: `bool`, a number, `std::string`, must::SecretText, must::Time, an enum of this layer, an
  /// `std::optional` (none for null), an `std::vector`, an `std::map` by text, or any `T` with
  /// `static T from_json(const Json &)`. Throws `validation_error` for another kind, and for a number that `T` cannot hold
  /// exactly; a floating-point `T` may round.
  template <typename T>
  [[nodiscard]] T get() const;

  /// Sets a member of an object. Null becomes an object first.
  Json &set(std::string_view name, Json value) {
    if (is_null()) value_ = Object();
    Object &all = as<Object>("an object");
    for (auto &[known, old] : all) {
      if (known == name) {
        old = std::move(value);
        return *this;
      }
    }
    all.emplace_back(name, std::move(value));
    return *this;
  }
  /// Adds an item to an array. Null becomes an array first.
  Json &push(Json value) {
    if (is_null()) value_ = Array();
    as<Array>("an array").push_back(std::move(value));
    return *this;
  }

  /// Writes the value as JSON text at the end of `out`, a string or a vector of `char`.
  template <typename Text>
  void write(Text &out) const {
    switch (kind()) {
      case Kind::null: append(out, "null"); break;
      case Kind::boolean: append(out, std::get<bool>(value_) ? "true" : "false"); break;
      case Kind::number: append(out, number_text()); break;
      case Kind::text: quote(out, text()); break;
      case Kind::array: list(out, '[', items(), ']', [&](const Json &item) { item.write(out); }); break;
      case Kind::object:
        list(out, '{', members(), '}', [&](const Member &member) {
          quote(out, member.first);
          out.push_back(':');
          member.second.write(out);
        });
        break;
    }
  }

 private:
  using Value = std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, detail::WipedText, Array, Object>;

  Json(Value value, int) : value_(std::move(value)) {}
  Json(std::string_view text, int) : value_(detail::WipedText(text.begin(), text.end())) {}

  template <typename T>
  [[nodiscard]] const T &as(const char *expected) const {
    const T *value = std::get_if<T>(&value_);
    if (value == nullptr) throw Error(MUST_VALIDATION_ERROR, std::string("a value of JSON must be ") + expected + ", and is not");
    return *value;
  }
  template <typename T>
  [[nodiscard]] T &as(const char *expected) {
    return const_cast<T &>(std::as_const(*this).as<T>(expected));
  }

  /// Whether an integer type can hold a number, without C++'s conversions between signed and unsigned.
  template <typename To, typename From>
  [[nodiscard]] static bool fits(From number) noexcept {
    using Limits = std::numeric_limits<To>;
    if constexpr (std::is_floating_point_v<From>) {
      // The bounds are powers of two, which a double holds exactly; it cannot always hold the greatest value.
      return number >= static_cast<From>((Limits::min)()) && number < std::ldexp(From{1}, Limits::digits) &&
             number == std::trunc(number);
    } else {
      if (number < From{}) {
        return std::is_signed_v<To> && static_cast<std::intmax_t>(number) >= static_cast<std::intmax_t>((Limits::min)());
      }
      return static_cast<std::uintmax_t>(number) <= static_cast<std::uintmax_t>((Limits::max)());
    }
  }
  template <typename T>
  [[nodiscard]] T number() const {
    return std::visit(
        [](const auto &value) -> T {
          using Held = std::decay_t<decltype(value)>;
          if constexpr (std::is_arithmetic_v<Held> && !std::is_same_v<Held, bool>) {
            if constexpr (std::is_floating_point_v<T>) return static_cast<T>(value);
            if constexpr (!std::is_floating_point_v<T>) {
              if (fits<T>(value)) return static_cast<T>(value);
              throw Error(MUST_VALIDATION_ERROR, "a number of JSON is not one that is allowed here");
            }
          }
          throw Error(MUST_VALIDATION_ERROR, "a value of JSON must be a number, and is not");
        },
        value_);
  }

  [[nodiscard]] std::string number_text() const {
    if (const auto *integer = std::get_if<std::int64_t>(&value_)) return std::to_string(*integer);
    if (const auto *large = std::get_if<std::uint64_t>(&value_)) return std::to_string(*large);
    const double number = std::get<double>(value_);
    // The shortest of the three that reads as the same number again; the last always does.
    for (const int digits : {15, 16, 17}) {
      std::ostringstream out;
      out.imbue(std::locale::classic());
      out.precision(digits);
      out << number;
      std::istringstream in(out.str());
      in.imbue(std::locale::classic());
      double again = 0;
      in >> again;
      // Rounded to too few digits, the greatest number is too large to be read at all.
      if (digits == 17 || (!in.fail() && !(again < number || again > number))) return out.str();
    }
    return {};
  }

  template <typename Text>
  static void append(Text &out, std::string_view text) {
    out.insert(out.end(), text.begin(), text.end());
  }
  template <typename Text, typename List, typename Item>
  static void list(Text &out, char open, const List &all, char close, Item item) {
    out.push_back(open);
    bool first = true;
    for (const auto &one : all) {
      if (!std::exchange(first, false)) out.push_back(',');
      item(one);
    }
    out.push_back(close);
  }
  template <typename Text>
  static void quote(Text &out, std::string_view text) {
    static constexpr char hex[] = "0123456789abcdef";
    out.push_back('"');
    for (const char c : text) {
      if (c == '"' || c == '\\') {
        out.push_back('\\');
        out.push_back(c);
      } else if (static_cast<unsigned char>(c) < 0x20) {
        append(out, "\\u00");
        out.push_back(hex[(c >> 4) & 15]);
        out.push_back(hex[c & 15]);
      } else {
        out.push_back(c);
      }
    }
    out.push_back('"');
  }

  template <typename T, typename>
  friend struct detail::FromJson;

  Value value_;
};

}  // namespace must

#include "json_parse.hpp"
#include "json_values.hpp"

#endif  // MUST_JSON_HPP
