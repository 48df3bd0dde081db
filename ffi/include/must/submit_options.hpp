/// @file
/// Options of a submission: must::SubmitOptions.
#ifndef MUST_SUBMIT_OPTIONS_HPP
#define MUST_SUBMIT_OPTIONS_HPP

#include "json.hpp"

#include <string>
#include <string_view>

namespace must {

/// Options of a submission. All may be left out.
class SubmitOptions {
 public:
  /// Owner of the task: 1 to 200 characters without control characters. A host that authorizes requests itself gives
  /// Principal::owner. A host that does not serve tasks over HTTP may give any name.
  SubmitOptions &owner(std::string_view owner) {
    json_.set("owner", owner);
    return *this;
  }

  /// The options as the JSON object that the C interface takes.
  [[nodiscard]] std::string json() const { return json_.dump(); }

 private:
  Json json_ = Json::object();
};

}  // namespace must

#endif  // MUST_SUBMIT_OPTIONS_HPP
