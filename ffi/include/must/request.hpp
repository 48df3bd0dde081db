/// @file
/// Submissions: must::SubmitOptions; and must::Query with the must::Page that it gives.
#ifndef MUST_REQUEST_HPP
#define MUST_REQUEST_HPP

#include "json.hpp"
#include "task.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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
