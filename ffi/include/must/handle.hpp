/// @file
/// Wrappers of the C interface: handles that free themselves, and calls that throw.
#ifndef MUST_HANDLE_HPP
#define MUST_HANDLE_HPP

#include "error.hpp"

#include <chrono>
#include <cstdint>
#include <string_view>
#include <utility>

namespace must {

/// How long a call may wait.
using Timeout = std::chrono::milliseconds;

/// Waits without limit.
inline constexpr Timeout no_limit{-1};

namespace detail {

/// A handle of the C interface that its destructor frees.
template <typename T, int32_t (*Free)(T **)>
class Handle {
 public:
  Handle() = default;
  Handle(Handle &&other) noexcept : raw_(std::exchange(other.raw_, nullptr)) {}
  Handle &operator=(Handle &&other) noexcept {
    std::swap(raw_, other.raw_);
    return *this;
  }
  Handle(const Handle &) = delete;
  Handle &operator=(const Handle &) = delete;
  ~Handle() { Free(&raw_); }

  [[nodiscard]] T *get() const noexcept { return raw_; }
  [[nodiscard]] T **out() noexcept { return &raw_; }

 private:
  T *raw_ = nullptr;
};

using PlatformHandle = Handle<must_platform_t, must_platform_free>;
using TaskHandle = Handle<must_task_t, must_task_free>;
using PageHandle = Handle<must_page_t, must_page_free>;
using EventsHandle = Handle<must_events_t, must_events_free>;
using BufferHandle = Handle<must_buffer_t, must_buffer_free>;
using ServerHandle = Handle<must_server_t, must_server_free>;
using AnswerHandle = Handle<must_answer_t, must_answer_free>;
using ErrorHandle = Handle<must_error_t, must_error_free>;

/// Calls a function whose last argument is an error object, and throws that error if the call fails.
template <typename Function, typename... Arguments>
void call(Function function, Arguments... arguments) {
  ErrorHandle error;
  if (const int32_t code = function(arguments..., error.out()); code != MUST_OK) {
    throw Error(static_cast<ErrorCode>(code), must_error_detail(error.get()), must_error_user_action(error.get()));
  }
}

/// The text in a buffer; valid as long as the buffer.
[[nodiscard]] inline std::string_view text_of(const BufferHandle &buffer) noexcept {
  return {reinterpret_cast<const char *>(must_buffer_data(buffer.get())), must_buffer_size(buffer.get())};
}

}  // namespace detail
}  // namespace must

#endif  // MUST_HANDLE_HPP
