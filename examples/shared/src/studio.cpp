#include "must-example-shared/src/studio.hpp"

#include "must-example-shared/src/main.rs.h"

#include <iostream>
#include <string>

namespace studio {

rust::String film(const must::Platform &platform, rust::Str prompt, rust::Str path) {
  // A function of the Rust part. Its error arrives as a must::Error with its code.
  const std::string title = std::string(must::calling_rust([&] { return register_title(prompt); }));

  // Everything in must.hpp can be used. The error of a bad request is thrown here, and arrives in the Rust part with its code.
  const auto task = platform.submit(must::GenerateRequest("tiny-video", std::string(prompt)).seed(7));
  for (const auto &now : task.events()) {
    std::cerr << title << ": " << now.progress << "% " << now.stage << "\n";
  }
  const std::string file(path);
  task.result().save(file);
  task.preview().save(file + ".jpg");
  return task.id();
}

}  // namespace studio
