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

/// A value as JSON text, in memory that is wiped when it is freed.
[[nodiscard]] inline WipedText dumped(const Json &json) {
  WipedText text;
  json.write(text);
  return text;
}

/// Reads the text that the library returned for a call. Throws `internal`, without quoting the text, when it does not have the
/// expected form.
template <typename Answer>
[[nodiscard]] Answer answer(std::string_view name, std::string_view text) {
  try {
    return Json::parse(text).get<Answer>();
  } catch (const Error &error) {
    throw Error(MUST_INTERNAL, "the answer to " + std::string(name) + " cannot be read: " + error.detail(),
                "Report it with the versions of libmust and its header.");
  }
}

/// Base of the classes that group calls by subject. Holds the platform's handle and does not own the platform: once the
/// platform is destroyed, calls throw `invalid_state`.
class Service {
 public:
  explicit Service(must_platform_t *platform) noexcept : platform_(platform) {}

 protected:
  /// Makes a call and reads its answer, if it has one.
  template <typename Answer = void>
  Answer ask(std::string_view name, const Fields &arguments = {}) const {
    const WipedText text = dumped(arguments.json());
    BufferHandle buffer;  // The library wipes it.
    call(must_call, platform_, name.data(), name.size(), text.data(), text.size(), buffer.out());
    if constexpr (!std::is_void_v<Answer>) return answer<Answer>(name, text_of(buffer));
  }

 private:
  must_platform_t *platform_;
};

}  // namespace detail
}  // namespace must

#endif  // MUST_CALL_HPP
