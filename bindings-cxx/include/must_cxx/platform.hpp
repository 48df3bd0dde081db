/// @file
/// Functions on must::Platform that the bridge of the crate must-cxx calls.
#ifndef MUST_CXX_PLATFORM_HPP
#define MUST_CXX_PLATFORM_HPP

#include "must/platform.hpp"
#include "rust/cxx.h"

#include <memory>
#include <string>

namespace must {
namespace detail {

/// An object that owns the handle. When this function throws, the caller frees the handle; freeing it a second time does no harm.
[[nodiscard]] inline std::unique_ptr<Platform> adopted(must_platform_t *handle) {
  return std::make_unique<Platform>(Platform::adopt(handle));
}

[[nodiscard]] inline must_platform_t *handle_of(const Platform &platform) noexcept { return platform.handle(); }

[[nodiscard]] inline std::unique_ptr<Task> task_of(const Platform &platform, rust::Str id) {
  return std::make_unique<Task>(platform.task(std::string(id)));
}

}  // namespace detail
}  // namespace must

#endif  // MUST_CXX_PLATFORM_HPP
