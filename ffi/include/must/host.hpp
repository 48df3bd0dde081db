/// @file
/// What a host lends to platforms besides settings: must::Host with keys of its own key store, a place for checkpoints, logs and
/// a clock; must::ManualClock.
#ifndef MUST_HOST_HPP
#define MUST_HOST_HPP

#include "handle.hpp"
#include "log.hpp"
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

/// Gives keys in the form of a key file: one key a line, `VERSION BASE64` with 32 bytes in base64; the highest version seals and
/// signs, the others open and verify. Whatever it throws means that there are no keys to be had.
using KeyFunction = std::function<SecretText()>;

/// Takes a checkpoint of the audit log, a signed note. Whatever it throws means that it was not kept.
using AnchorFunction = std::function<void(std::string_view)>;

/// A clock that stands still until it is told to go on: for tests of what expires or is counted in a window.
class ManualClock {
 public:
  /// A clock that shows `now`. Throws `validation_error` for a time before 1970 or after the year 9999.
  explicit ManualClock(Time now = std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now())) {
    detail::call(must_clock_new, static_cast<std::int64_t>(now.time_since_epoch().count()), clock_.out());
  }

  /// Goes on. Throws `validation_error` for a negative length of time.
  void advance(Seconds by) const {
    detail::call(must_clock_advance, clock_.get(),
                 static_cast<std::int64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(by).count()));
  }
  /// What it shows.
  [[nodiscard]] Time now() const noexcept { return Time(std::chrono::milliseconds(must_clock_now(clock_.get()))); }

  /// The handle, for functions of must.h; it stays this object's.
  [[nodiscard]] must_clock_t *handle() const noexcept { return clock_.get(); }

 private:
  detail::Handle<must_clock_t, must_clock_free> clock_;
};

namespace detail {

/// A key function that the library holds; `destroy` ends it.
struct KeyGiver {
  KeyFunction give;

  static int32_t call(void *user, char *buffer, std::size_t capacity, std::size_t *length) noexcept {
    try {
      const SecretText keys = static_cast<KeyGiver *>(user)->give();
      const std::string_view text = keys.reveal();
      if (text.size() > capacity) return 2;
      if (!text.empty()) std::memcpy(buffer, text.data(), text.size());
      *length = text.size();
      return 0;
    } catch (...) {
      return 1;
    }
  }
  static void destroy(void *user) noexcept { delete static_cast<KeyGiver *>(user); }
};

/// An anchor function that the library holds.
struct CheckpointTaker {
  AnchorFunction take;

  static int32_t call(void *user, const char *note, std::size_t length) noexcept {
    try {
      static_cast<CheckpointTaker *>(user)->take(std::string_view(note, length));
      return 0;
    } catch (...) {
      return 1;
    }
  }
  static void destroy(void *user) noexcept { delete static_cast<CheckpointTaker *>(user); }
};

}  // namespace detail

/// What a host lends. It may be used for several platforms, changed between them, and let go at once: a platform keeps what it was
/// opened with. The functions are called on threads of the library, some of them at once. Every setter throws `validation_error`
/// for an empty function.
class Host {
 public:
  Host() { detail::call(must_host_new, host_.out()); }

  /// Hears what platforms log, as the log function of Platform's constructor.
  Host &log(LogFunction log) { return lend(must_host_set_log, detail::Logger{std::move(log)}, &detail::Logger::log); }
  /// Gives the master keys, which seal stored secrets, instead of a file or a setting. Called when a platform is opened and when
  /// the master key is rotated.
  Host &master_keys(KeyFunction give) {
    return lend(must_host_set_master_keys, detail::KeyGiver{std::move(give)}, &detail::KeyGiver::give);
  }
  /// Gives the keys that sign the audit log, likewise.
  Host &audit_keys(KeyFunction give) {
    return lend(must_host_set_audit_keys, detail::KeyGiver{std::move(give)}, &detail::KeyGiver::give);
  }
  /// Takes each checkpoint of the audit log, besides the anchor file. Every write waits for it, so it must not call the platform;
  /// while it throws, what needs an audit event fails with `dependency_unavailable`.
  Host &anchor(AnchorFunction take) {
    return lend(must_host_set_anchor, detail::CheckpointTaker{std::move(take)}, &detail::CheckpointTaker::take);
  }
  /// What time it is for everything that expires, is counted in a window, or is written to the audit log.
  Host &clock(const ManualClock &clock) {
    detail::call(must_host_set_clock, host_.get(), clock.handle());
    return *this;
  }

  /// The handle, for functions of must.h; it stays this object's.
  [[nodiscard]] must_host_t *handle() const noexcept { return host_.get(); }

 private:
  template <typename Set, typename Holder, typename Function>
  Host &lend(Set set, Holder holder, Function Holder::*function) {
    if (!(holder.*function)) {
      throw Error(MUST_VALIDATION_ERROR, "the function is empty", "Pass a function, or leave it out.");
    }
    auto held = std::make_unique<Holder>(std::move(holder));
    detail::call(set, host_.get(), &Holder::call, static_cast<void *>(held.get()), &Holder::destroy);
    static_cast<void>(held.release());  // The library's now; `destroy` ends it.
    return *this;
  }

  detail::Handle<must_host_t, must_host_free> host_;
};

}  // namespace must

#endif  // MUST_HOST_HPP
