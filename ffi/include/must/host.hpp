/// @file
/// What a host provides to platforms besides settings: must::Host with callbacks for keys, checkpoints and logs, and a clock;
/// must::ManualClock.
#ifndef MUST_HOST_HPP
#define MUST_HOST_HPP

#include "handle.hpp"
#include "log_function.hpp"
#include "secret_text.hpp"
#include "time.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

namespace must {

/// Gives keys in the form of a key file: one key a line, `VERSION BASE64` with 32 bytes in base64; the highest version
/// encrypts or signs, the others only decrypt or verify. Any exception means that it has no keys.
using KeyFunction = std::function<SecretText()>;

/// Stores a checkpoint of the audit log, which is a signed note. Called on a thread of the library, one call at a time for each
/// platform. Any exception means that the checkpoint was not stored.
using AnchorFunction = std::function<void(std::string_view)>;

/// A clock whose time changes only by `advance`: for tests of expiry and time windows.
class ManualClock {
 public:
  /// A clock that shows `now`. Throws `validation_error` for a time before 1970 or after the year 9999.
  explicit ManualClock(Time now = std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now())) {
    detail::call(must_clock_new, static_cast<std::int64_t>(now.time_since_epoch().count()), clock_.out());
  }

  /// Advances the time. Throws `validation_error` for a negative length of time.
  void advance(Seconds by) const {
    detail::call(must_clock_advance, clock_.get(),
                 static_cast<std::int64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(by).count()));
  }
  /// The time of the clock.
  [[nodiscard]] Time now() const noexcept { return Time(std::chrono::milliseconds(must_clock_now(clock_.get()))); }

  /// The handle, for functions of must.h; this object still owns it.
  [[nodiscard]] must_clock_t *handle() const noexcept { return clock_.get(); }

 private:
  detail::Handle<must_clock_t, must_clock_free> clock_;
};

namespace detail {

/// A key function that the library owns until it calls `destroy`.
struct KeyCallback {
  KeyFunction give;

  static int32_t call(void *user, char *buffer, std::size_t capacity, std::size_t *length) noexcept {
    try {
      const SecretText keys = static_cast<KeyCallback *>(user)->give();
      const std::string_view text = keys.reveal();
      if (text.size() > capacity) return 2;
      if (!text.empty()) std::memcpy(buffer, text.data(), text.size());
      *length = text.size();
      return 0;
    } catch (...) {
      return 1;
    }
  }
  static void destroy(void *user) noexcept { delete static_cast<KeyCallback *>(user); }
};

/// An anchor function that the library owns until it calls `destroy`.
struct AnchorCallback {
  AnchorFunction take;

  static int32_t call(void *user, const char *note, std::size_t length) noexcept {
    try {
      static_cast<AnchorCallback *>(user)->take(std::string_view(note, length));
      return 0;
    } catch (...) {
      return 1;
    }
  }
  static void destroy(void *user) noexcept { delete static_cast<AnchorCallback *>(user); }
};

}  // namespace detail

/// What a host provides to platforms. It may be used for several platforms, changed between them, and destroyed afterwards:
/// a platform keeps what it was opened with. The functions are called on threads of the library, some of them at the same
/// time. Every setter throws `validation_error` for an empty function.
class Host {
 public:
  Host() { detail::call(must_host_new, host_.out()); }

  /// Sets a function for log records, like the log function of Platform's constructor.
  Host &log(LogFunction log) { return set(must_host_set_log, detail::Logger{std::move(log)}, &detail::Logger::log); }
  /// Sets a function that gives the master keys, which seal stored secrets, in place of a file or a setting. Called when a
  /// platform is opened and when the master key is rotated.
  Host &master_keys(KeyFunction give) {
    return set(must_host_set_master_keys, detail::KeyCallback{std::move(give)}, &detail::KeyCallback::give);
  }
  /// Sets a function that gives the keys that sign the audit log, in place of a file.
  Host &audit_keys(KeyFunction give) {
    return set(must_host_set_audit_keys, detail::KeyCallback{std::move(give)}, &detail::KeyCallback::give);
  }
  /// Sets a function that receives each checkpoint of the audit log, in addition to the anchor file. Every write waits for
  /// it, so it must not call the platform; while it throws, calls that need an audit event fail with
  /// `dependency_unavailable`.
  Host &anchor(AnchorFunction take) {
    return set(must_host_set_anchor, detail::AnchorCallback{std::move(take)}, &detail::AnchorCallback::take);
  }
  /// Sets the clock for everything that expires, is counted in a time window, or is written to the audit log.
  Host &clock(const ManualClock &clock) {
    detail::call(must_host_set_clock, host_.get(), clock.handle());
    return *this;
  }

  /// The handle, for functions of must.h; this object still owns it.
  [[nodiscard]] must_host_t *handle() const noexcept { return host_.get(); }

 private:
  template <typename Set, typename Holder, typename Function>
  Host &set(Set setter, Holder holder, Function Holder::*function) {
    if (!(holder.*function)) {
      throw Error(MUST_VALIDATION_ERROR, "the function is empty", "Pass a function, or leave it out.");
    }
    auto held = std::make_unique<Holder>(std::move(holder));
    detail::call(setter, host_.get(), &Holder::call, static_cast<void *>(held.get()), &Holder::destroy);
    static_cast<void>(held.release());  // The library owns it now and calls `destroy`.
    return *this;
  }

  detail::Handle<must_host_t, must_host_free> host_;
};

}  // namespace must

#endif  // MUST_HOST_HPP
