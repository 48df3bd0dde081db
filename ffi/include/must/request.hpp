/// @file
/// Requests: must::GenerateRequest, and must::Query with the must::Page that it gives.
#ifndef MUST_REQUEST_HPP
#define MUST_REQUEST_HPP

#include "json.hpp"
#include "task.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace must {

/// What to generate: a model, a prompt, and any parameter of the model.
class GenerateRequest {
 public:
  /// A request to a model, by id or alias.
  GenerateRequest(std::string_view model, std::string_view prompt) { set("model", model).set("prompt", prompt); }

  /// The model's mode; its default when not set.
  GenerateRequest &mode(std::string_view mode) { return set("mode", mode); }
  /// The seed; drawn by the platform when not set.
  GenerateRequest &seed(std::int64_t seed) { return set("seed", seed); }

  /// Sets one parameter: a text, a number, true or false, or any other JSON value. Throws `validation_error` for a number that
  /// is not finite.
  GenerateRequest &set(std::string_view name, Json value) {
    json_.set(name, std::move(value));
    return *this;
  }
  /// Sets one parameter to JSON text. Throws `validation_error` if it is not valid JSON.
  GenerateRequest &set_json(std::string_view name, std::string_view json) { return set(name, Json::parse(json)); }

  /// Adds the bytes of a PNG, JPEG or WebP file under the parameter's name, such as `reference_image`.
  GenerateRequest &image(std::string_view name, std::string_view bytes) {
    images_.emplace_back(name, bytes);
    return *this;
  }

  /// The request as the JSON object that the C interface takes, without the images.
  [[nodiscard]] std::string json() const { return json_.dump(); }
  /// The images, by parameter name.
  [[nodiscard]] const std::vector<std::pair<std::string, std::string>> &images() const noexcept { return images_; }

 private:
  Json json_;
  std::vector<std::pair<std::string, std::string>> images_;
};

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

/// Which tasks to list. Fields that are not set do not filter.
struct Query {
  std::optional<TaskStatus> status;  ///< Only tasks with this status.
  std::string model;                 ///< Only of this model, id or alias.
  std::string type;                  ///< Only `image` or only `video`.
  std::optional<std::string> owner;  ///< Only of this owner; an empty text selects tasks without an owner.
  bool oldest_first = false;         ///< Newest first otherwise.
  std::uint32_t page = 1;            ///< From 1.
  std::uint32_t per_page = 20;       ///< 1 to 100.

  /// The query as the JSON object that the C interface takes.
  [[nodiscard]] std::string json() const {
    Json json;
    if (status) json.set("status", to_string(*status));
    if (!model.empty()) json.set("model", model);
    if (!type.empty()) json.set("type", type);
    if (owner) json.set("owner", *owner);
    if (oldest_first) json.set("sort", "oldest");
    return json.set("page", page).set("per_page", per_page).dump();
  }
};

/// One page of tasks.
struct Page {
  std::vector<Snapshot> items;  ///< The tasks of this page.
  std::uint64_t total = 0;      ///< How many there are on all pages.
  bool has_more = false;        ///< Whether another page follows.
};

}  // namespace must

#endif  // MUST_REQUEST_HPP
