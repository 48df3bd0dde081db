/// @file
/// MUST in a program that is part Rust, part C++, built by Cargo with cxx: all of must.hpp, and conversions of platforms and
/// errors between the two halves. A bridge of the host includes it before its own headers.
///
/// In Rust these classes are the types of the crate must-cxx: `must_cxx::Platform`, `must_cxx::Task`.
#ifndef MUST_CXX_HPP
#define MUST_CXX_HPP

#include "must.hpp"
#include "must_cxx/error.hpp"
#include "must_cxx/platform.hpp"
#include "must_cxx/trycatch.hpp"

#endif  // MUST_CXX_HPP
