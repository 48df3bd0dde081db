#include "must-cxx-host/src/host.hpp"

#include "must-cxx-host/src/lib.rs.h"

#include <sys/wait.h>
#include <unistd.h>
#include <stdexcept>
#include <string>
#include <utility>

namespace host {
namespace {

must::GenerateRequest picture(rust::Str prompt, std::int64_t seed) {
  return must::GenerateRequest("tiny-image", std::string_view(prompt.data(), prompt.size())).seed(seed).set("steps", 4);
}

Caught caught(const must::Error &error) {
  return {static_cast<std::int32_t>(error.code()), rust::String::lossy(error.detail()), rust::String::lossy(error.user_action())};
}

/// A handle of must.h, opened by code that uses only the C interface.
must_platform_t *opened(rust::Str folder) {
  const std::string settings = must::Settings(std::string(folder)).paused().json();
  must_platform_t *handle = nullptr;
  must::detail::call(must_platform_open, settings.data(), settings.size(), &handle);
  return handle;
}

/// The error code of a call in a child of this process.
template <typename Call>
std::int32_t in_child(Call call) {
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("cannot fork");
  if (child == 0) _exit(call());
  int status = 0;
  if (waitpid(child, &status, 0) != child || !WIFEXITED(status)) throw std::runtime_error("the child did not end well");
  return WEXITSTATUS(status);
}

}  // namespace

std::unique_ptr<must::Platform> open(rust::Str folder) { return std::make_unique<must::Platform>(std::string(folder)); }

void close(const must::Platform &platform) { platform.close(); }

rust::Vec<std::uint8_t> generate(const must::Platform &platform, rust::Str prompt, std::int64_t seed) {
  const auto task = platform.submit(picture(prompt, seed));
  task.wait();
  rust::Vec<std::uint8_t> bytes;
  for (const std::uint8_t byte : task.result()) bytes.push_back(byte);
  return bytes;
}

std::unique_ptr<must::Task> submit(const must::Platform &platform, rust::Str prompt, std::int64_t seed) {
  return std::make_unique<must::Task>(platform.submit(picture(prompt, seed)));
}

rust::String wait(const must::Task &task) { return must::to_string(task.wait().status); }

std::size_t models(std::shared_ptr<must::Platform> platform) { return must::Json::parse(platform->models()).items().size(); }

void move_out(must::Platform &platform) noexcept { const must::Platform gone = std::move(platform); }

void adopt_null() { static_cast<void>(must::Platform::adopt(nullptr)); }

void adopt_freed(rust::Str folder) {
  must_platform_t *handle = opened(folder);
  {
    const must::Platform owner = must::Platform::adopt(handle);
  }
  static_cast<void>(must::Platform::adopt(handle));
}

void adopt_closed(rust::Str folder) {
  must_platform_t *handle = opened(folder);
  must::detail::call(must_platform_close, handle, std::int64_t{1000});
  try {
    static_cast<void>(must::Platform::adopt(handle));
  } catch (...) {
    // This function still owns it; otherwise freeing it would fail.
    if (must_platform_free(&handle) != MUST_OK) throw std::logic_error("the handle was taken over");
    throw;
  }
}

void throw_error(std::int32_t code, rust::Str detail, rust::Str user_action) {
  throw must::Error(static_cast<must::ErrorCode>(code), std::string(detail), std::string(user_action));
}

void throw_bytes() { throw must::Error(MUST_STORAGE_FULL, "cannot write \xff\xfe.png", "Free \xc0."); }

void throw_standard() { throw std::out_of_range("the ninth of eight"); }

void throw_number() { throw 7; }

void pass_through(std::int32_t code, rust::Str detail, rust::Str user_action) { fail(code, detail, user_action); }

Caught catch_rust(std::int32_t code, rust::Str detail, rust::Str user_action) {
  try {
    must::calling_rust([&] { fail(code, detail, user_action); });
  } catch (const must::Error &error) {
    return caught(error);
  }
  throw std::logic_error("nothing was thrown");
}

Caught catch_other(rust::Str text) {
  try {
    fail_otherwise(text);
  } catch (const rust::Error &error) {
    return caught(must::from_rust(error));
  }
  throw std::logic_error("nothing was thrown");
}

std::int32_t call_rust(std::int32_t number) {
  return must::calling_rust([&] { return twice(number); });
}

rust::Vec<std::int32_t> ask_in_child(const must::Platform &platform, const Half &half) {
  rust::Vec<std::int32_t> codes;
  codes.push_back(in_child([&] {
    try {
      static_cast<void>(platform.load());
    } catch (const must::Error &error) {
      return static_cast<int>(error.code());
    }
    return 0;
  }));
  codes.push_back(in_child([&] { return share_again(half); }));
  return codes;
}

}  // namespace host
