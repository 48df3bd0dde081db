/// @file
/// How the administrative calls are made: by name over `must_call`, with arguments and answers as JSON that is wiped.
#ifndef MUST_CALL_HPP
#define MUST_CALL_HPP

#include "handle.hpp"
#include "json.hpp"

#include <string>
#include <string_view>
#include <type_traits>

namespace must {
namespace detail {

/// What a value is as JSON text, in memory that is wiped.
[[nodiscard]] inline WipedText dumped(const Json &json) {
  WipedText text;
  json.write(text);
  return text;
}

/// What the library answered to a call. Throws `internal` when it is not what this layer reads; it quotes nothing of it.
template <typename Answer>
[[nodiscard]] Answer answer(std::string_view name, const BufferHandle &buffer) {
  try {
    return Json::parse(text_of(buffer)).get<Answer>();
  } catch (const Error &error) {
    throw Error(MUST_INTERNAL, "the answer to " + std::string(name) + " cannot be read: " + error.detail(),
                "Report it with the versions of libmust and its header.");
  }
}

/// Calls of one subject on a platform. Holds the platform's handle, not the platform: once that is gone, calls throw
/// `invalid_state`.
class Service {
 public:
  explicit Service(must_platform_t *platform) noexcept : platform_(platform) {}

 protected:
  /// Makes a call and reads its answer, where it has one.
  template <typename Answer = void>
  Answer ask(std::string_view name, const Fields &arguments = {}) const {
    const WipedText text = dumped(arguments.json());
    BufferHandle buffer;  // The library wipes it.
    call(must_call, platform_, name.data(), name.size(), text.data(), text.size(), buffer.out());
    if constexpr (!std::is_void_v<Answer>) return answer<Answer>(name, buffer);
  }

 private:
  must_platform_t *platform_;
};

}  // namespace detail
}  // namespace must

#endif  // MUST_CALL_HPP
