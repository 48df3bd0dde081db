// The C++ part, which generates on the platform of the Rust part.
#ifndef STUDIO_HPP
#define STUDIO_HPP

#include <must_cxx.hpp>

namespace studio {

/// Generates a clip, saves it at `path` and its preview at `path`.jpg, and returns the id of the task. Throws must::Error.
rust::String film(const must::Platform &platform, rust::Str prompt, rust::Str path);

}  // namespace studio

#endif
