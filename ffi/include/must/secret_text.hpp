/// @file
/// Secrets in memory: wiped when they are freed, and never printed by accident.
#ifndef MUST_SECRET_TEXT_HPP
#define MUST_SECRET_TEXT_HPP

#include <cstddef>
#include <memory>
#include <string_view>
#include <type_traits>
#include <vector>

namespace must {
namespace detail {

/// Overwrites memory. The writes are volatile, so that no compiler leaves them out because the memory is freed next.
inline void wipe(void *memory, std::size_t size) noexcept {
  auto *bytes = static_cast<volatile unsigned char *>(memory);
  for (std::size_t index = 0; index < size; ++index) bytes[index] = 0;
}

/// Wipes memory before it frees it, also when a container grows and moves.
template <typename T>
struct WipingAllocator {
  using value_type = T;

  WipingAllocator() = default;
  template <typename Other>
  WipingAllocator(const WipingAllocator<Other> &) noexcept {}

  [[nodiscard]] T *allocate(std::size_t count) { return std::allocator<T>().allocate(count); }
  void deallocate(T *memory, std::size_t count) noexcept {
    wipe(memory, count * sizeof(T));
    std::allocator<T>().deallocate(memory, count);
  }

  template <typename Other>
  bool operator==(const WipingAllocator<Other> &) const noexcept {
    return true;
  }
  template <typename Other>
  bool operator!=(const WipingAllocator<Other> &) const noexcept {
    return false;
  }
};

/// A text whose memory is wiped. It is a vector because a string stores short texts inside itself, where the allocator cannot
/// wipe them.
using WipedText = std::vector<char, WipingAllocator<char>>;

[[nodiscard]] inline std::string_view view(const WipedText &text) noexcept { return {text.data(), text.size()}; }

/// Whether a type can be read as a text.
template <typename Text>
inline constexpr bool is_text = std::is_convertible_v<const Text &, std::string_view>;

}  // namespace detail

/// A text that must not be seen: a key, a token, a password. It can be made from any text and cannot be printed or compared.
/// Its memory is wiped when it is freed, and so is that of each copy.
class SecretText {
 public:
  /// The empty text.
  SecretText() = default;
  /// Copies a text. The caller must wipe the original.
  template <typename Text, std::enable_if_t<detail::is_text<Text>, int> = 0>
  SecretText(const Text &text) : SecretText(std::string_view(text), 0) {}

  /// The text itself; the view is valid as long as this object exists and is not changed.
  [[nodiscard]] std::string_view reveal() const noexcept { return detail::view(text_); }
  /// Whether the text is empty.
  [[nodiscard]] bool empty() const noexcept { return text_.empty(); }

 private:
  SecretText(std::string_view text, int) : text_(text.begin(), text.end()) {}

  detail::WipedText text_;
};

}  // namespace must

#endif  // MUST_SECRET_TEXT_HPP
