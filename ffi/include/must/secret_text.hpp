/// @file
/// Secrets in memory: wiped when they are let go of, shown nowhere by accident.
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

/// Gives memory back wiped, also where a container grows out of it.
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

/// A text that leaves nothing behind. A vector and not a string, which keeps short texts inside itself, where no allocator
/// comes by.
using WipedText = std::vector<char, WipingAllocator<char>>;

[[nodiscard]] inline std::string_view view(const WipedText &text) noexcept { return {text.data(), text.size()}; }

/// Whether something can be read as a text.
template <typename Text>
inline constexpr bool is_text = std::is_convertible_v<const Text &, std::string_view>;

}  // namespace detail

/// A text that must not be seen: a key, a token, a password. It is made from any text, cannot be printed or compared, and its
/// memory is wiped when it is let go of; so is that of each copy.
class SecretText {
 public:
  /// The empty text.
  SecretText() = default;
  /// Copies a text. Whoever has the original wipes it.
  template <typename Text, std::enable_if_t<detail::is_text<Text>, int> = 0>
  SecretText(const Text &text) : SecretText(std::string_view(text), 0) {}

  /// The text itself; the view is good as long as this object is, unchanged.
  [[nodiscard]] std::string_view reveal() const noexcept { return detail::view(text_); }
  /// Whether there is nothing in it.
  [[nodiscard]] bool empty() const noexcept { return text_.empty(); }

 private:
  SecretText(std::string_view text, int) : text_(text.begin(), text.end()) {}

  detail::WipedText text_;
};

}  // namespace must

#endif  // MUST_SECRET_TEXT_HPP
