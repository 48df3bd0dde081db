/// @file
/// Checks and repairs UTF-8.
#ifndef MUST_UTF8_HPP
#define MUST_UTF8_HPP

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace must {
namespace detail {

/// How many bytes the first character of a text has; 0 when the text does not begin with a whole one (Unicode, table 3-7).
[[nodiscard]] inline std::size_t utf8_length(std::string_view text) noexcept {
  const auto byte = [&](std::size_t index) { return static_cast<unsigned char>(text[index]); };
  if (text.empty()) return 0;
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (length == 0 || text.size() < length) return 0;
  // The second byte excludes forms that are too long, surrogates, and code points past the last character.
  const unsigned char low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const unsigned char high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (byte(1) < low || byte(1) > high) return 0;
  for (std::size_t index = 2; index < length; ++index) {
    if (byte(index) < 0x80 || byte(index) > 0xbf) return 0;
  }
  return length;
}

/// Appends a character.
template <typename Text>
void append_utf8(Text &text, std::uint32_t character) {
  const auto put = [&](std::uint32_t byte) { text.push_back(static_cast<char>(static_cast<unsigned char>(byte))); };
  if (character < 0x80) {
    put(character);
  } else if (character < 0x800) {
    put(0xc0 | (character >> 6));
    put(0x80 | (character & 0x3f));
  } else if (character < 0x10000) {
    put(0xe0 | (character >> 12));
    put(0x80 | ((character >> 6) & 0x3f));
    put(0x80 | (character & 0x3f));
  } else {
    put(0xf0 | (character >> 18));
    put(0x80 | ((character >> 12) & 0x3f));
    put(0x80 | ((character >> 6) & 0x3f));
    put(0x80 | (character & 0x3f));
  }
}

/// The text with the replacement character in place of each byte that belongs to no character.
template <typename Text = std::string>
[[nodiscard]] Text whole_utf8(std::string_view text) {
  Text whole;
  whole.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) {
      append_utf8(whole, 0xfffd);
    } else {
      whole.insert(whole.end(), text.begin(), text.begin() + static_cast<std::ptrdiff_t>(length));
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return whole;
}

}  // namespace detail
}  // namespace must

#endif  // MUST_UTF8_HPP
