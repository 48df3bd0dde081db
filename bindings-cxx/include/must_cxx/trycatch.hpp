/// @file
/// Converts exceptions that leave the C++ functions of a bridge: must::Error with all its fields, any other exception with its
/// text. cxx uses `trycatch` in each bridge that includes this header. A host with its own `trycatch` includes must_cxx/error.hpp
/// and must_cxx/platform.hpp instead of must_cxx.hpp, and calls must::to_rust.
#ifndef MUST_CXX_TRYCATCH_HPP
#define MUST_CXX_TRYCATCH_HPP

#include "error.hpp"

#include <exception>

namespace rust {
namespace behavior {

/// Makes the call and passes the text of an exception to Rust. Without the last clause an exception that is not a
/// `std::exception` would end the program.
template <typename Try, typename Fail>
static void trycatch(Try &&call, Fail &&fail) noexcept {
  try {
    call();
  } catch (const must::Error &error) {
    try {
      fail(must::to_rust(error));
    } catch (...) {  // Not enough memory for the long form.
      fail(error.what());
    }
  } catch (const std::exception &exception) {
    fail(exception.what());
  } catch (...) {
    fail("an exception that is no std::exception");
  }
}

}  // namespace behavior
}  // namespace rust

#endif  // MUST_CXX_TRYCATCH_HPP
