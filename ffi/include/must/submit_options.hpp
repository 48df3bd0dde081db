/// @file
/// The options of a submission: must::SubmitOptions, which contains must::Idempotency.
/// Made from core/src/task/options.rs by `cargo xtask regen`; do not edit.
#ifndef MUST_SUBMIT_OPTIONS_HPP
#define MUST_SUBMIT_OPTIONS_HPP

#include "json.hpp"

#include <string>
#include <string_view>
#include <utility>

namespace must {

/// A caller's key for one submission. For a day, the same key of the same owner returns the same task. If that task failed
/// for a reason that may have passed (`task_stale`, `remote_failed`, `storage_full` and others), a new task is made.
class Idempotency {
 public:
  /// @param owner The owner of the key. Equal keys of different owners are different keys.
  /// @param key 1 to 255 visible ASCII characters.
  Idempotency(std::string_view owner, std::string_view key) {
    json_.set("owner", owner);
    json_.set("key", key);
  }

  /// The members as a JSON object.
  [[nodiscard]] const Json &to_json() const noexcept { return json_; }

 private:
  Json json_ = Json::object();
};

/// Options of a submission.
class SubmitOptions {
 public:
  /// The owner of the task, 1 to 200 characters without control characters. If tasks are also served over HTTP, it is the
  /// owner that the call `auth.authorize` returns. Otherwise any name may be used.
  SubmitOptions &owner(std::string_view value) { return set("owner", value); }
  /// Makes the submission safe to repeat.
  SubmitOptions &idempotency(const Idempotency &value) { return set("idempotency", value.to_json()); }
  /// The trace that the submission belongs to: the header `traceparent` of W3C trace context. The spans of the task's run
  /// belong to the same trace.
  SubmitOptions &trace_parent(std::string_view value) { return set("trace_parent", value); }
  /// Whether the task must run on this platform even if workers are ready.
  SubmitOptions &local_only(bool value = true) { return set("local_only", value); }
  /// Id of the task whose clip this one remixes with another prompt.
  SubmitOptions &remix_of(std::string_view value) { return set("remix_of", value); }

  /// Sets one option by its name in JSON. A duration is a number of seconds, and its name ends in `_seconds`.
  SubmitOptions &set(std::string_view name, Json value) {
    json_.set(name, std::move(value));
    return *this;
  }
  /// Sets one option to a value that is given as JSON text. Throws `validation_error` if the text is not JSON.
  SubmitOptions &set_json(std::string_view name, std::string_view json) { return set(name, Json::parse(json)); }

  /// The options as the JSON object that the C interface takes.
  [[nodiscard]] std::string json() const { return json_.dump(); }
  /// The options as a JSON object.
  [[nodiscard]] const Json &to_json() const noexcept { return json_; }

 private:
  Json json_ = Json::object();
};

}  // namespace must

#endif  // MUST_SUBMIT_OPTIONS_HPP
