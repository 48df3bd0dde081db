/// @file
/// Tasks: their state, and which of them to list.
/// Made from types in core/src by `cargo xtask regen`; do not edit.
#ifndef MUST_TASKS_HPP
#define MUST_TASKS_HPP

#include "json.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace must {

/// A picture or a clip.
enum class MediaType {
  unknown,  ///< A value of a later version.
  image,  ///< One frame.
  video,  ///< Several frames.
};
template <>
struct detail::Names<MediaType> {
  static constexpr Named<MediaType> table[] = {
      {MediaType::image, "image"},
      {MediaType::video, "video"},
  };
};

/// The status of a task: `pending -> processing -> done | failed`, never backwards.
enum class TaskStatus {
  unknown,  ///< A value of a later version.
  pending,  ///< Durable and waiting for a lane.
  processing,  ///< Running.
  done,  ///< Ended with a result.
  failed,  ///< Ended with an error.
};
template <>
struct detail::Names<TaskStatus> {
  static constexpr Named<TaskStatus> table[] = {
      {TaskStatus::pending, "pending"},
      {TaskStatus::processing, "processing"},
      {TaskStatus::done, "done"},
      {TaskStatus::failed, "failed"},
  };
};

/// Why a task failed.
struct TaskFailure {
  /// Name of an error code, such as `cancelled`.
  std::string code;
  /// What happened.
  std::string detail;

  /// The code to branch on. It is `MUST_INTERNAL` if the library does not know the name.
  [[nodiscard]] ErrorCode error_code() const noexcept { return detail::code_from(code); }

  /// Reads it from the JSON of an answer.
  [[nodiscard]] static TaskFailure from_json(const Json &json) {
    return {json["code"].get<std::string>(),
            json["detail"].get<std::string>()};
  }
};

/// A task as it was at the time of the call. The calls of `docs/calls.md` return its JSON form. Times are in UTC, in JSON as
/// RFC 3339.
struct TaskState {
  /// Stable id.
  std::string id;
  /// Workspace of the worker that it was sent to. Null if it runs on this platform.
  std::optional<std::string> workspace;
  /// The owner. Null if the task has no owner.
  std::optional<std::string> owner;
  /// Catalog id of the model.
  std::string model;
  /// Picture or clip.
  MediaType type{};
  /// Mode of the model.
  std::string mode;
  /// Description of the result.
  std::string prompt;
  /// Description of what the result should not show.
  std::string negative_prompt;
  /// All other parameters in the catalog's order, with defaults filled in. Images appear by name, without their content.
  Json parameters;
  /// The seed that is used. It is random if the request had -1.
  std::int64_t seed = 0;
  /// Width in pixels.
  std::uint32_t width = 0;
  /// Height in pixels.
  std::uint32_t height = 0;
  /// The status.
  TaskStatus status{};
  /// Progress in percent, from 0 to 100. It never falls.
  int progress = 0;
  /// Name of the current stage.
  std::string stage;
  /// More about the stage, such as `step 3 of 20`.
  std::string stage_detail;
  /// File of the result, relative to the data folder, or `remote:/results/ID` if it is at a worker. Present exactly when
  /// done.
  std::optional<std::string> result_path;
  /// File of the preview, relative to the data folder, or `remote:/preview/ID` if it is at a worker. Present exactly when
  /// done.
  std::optional<std::string> preview_path;
  /// Why it failed. Present exactly when failed.
  std::optional<TaskFailure> error;
  /// When it was submitted.
  Time created_at;
  /// When the task last changed.
  Time updated_at;
  /// When it began to run.
  std::optional<Time> started_at;
  /// When it ended.
  std::optional<Time> finished_at;

  /// Whether the task has ended.
  [[nodiscard]] bool ended() const noexcept { return status == TaskStatus::done || status == TaskStatus::failed; }
  /// The code of its error; `MUST_OK` if it did not fail.
  [[nodiscard]] ErrorCode error_code() const noexcept { return error ? error->error_code() : static_cast<ErrorCode>(MUST_OK); }

  /// Reads it from the JSON of an answer.
  [[nodiscard]] static TaskState from_json(const Json &json) {
    return {json["id"].get<std::string>(),
            json["workspace"].get<std::optional<std::string>>(),
            json["owner"].get<std::optional<std::string>>(),
            json["model"].get<std::string>(),
            json["type"].get<MediaType>(),
            json["mode"].get<std::string>(),
            json["prompt"].get<std::string>(),
            json["negative_prompt"].get<std::string>(),
            json["parameters"].get<Json>(),
            json["seed"].get<std::int64_t>(),
            json["width"].get<std::uint32_t>(),
            json["height"].get<std::uint32_t>(),
            json["status"].get<TaskStatus>(),
            json["progress"].get<int>(),
            json["stage"].get<std::string>(),
            json["stage_detail"].get<std::string>(),
            json["result_path"].get<std::optional<std::string>>(),
            json["preview_path"].get<std::optional<std::string>>(),
            json["error"].get<std::optional<TaskFailure>>(),
            json["created_at"].get<Time>(),
            json["updated_at"].get<Time>(),
            json["started_at"].get<std::optional<Time>>(),
            json["finished_at"].get<std::optional<Time>>()};
  }
};

/// One page of tasks.
struct TaskPage {
  /// The tasks of this page.
  std::vector<TaskState> items;
  /// Number of all tasks that match the query, including those that come before `after`.
  std::uint64_t total = 0;
  /// Number of this page. The first page is 1.
  std::uint32_t page = 0;
  /// The largest number of items on a page.
  std::uint32_t per_page = 0;
  /// Whether another page follows.
  bool has_more = false;

  /// The tasks of this page.
  [[nodiscard]] auto begin() const noexcept { return items.begin(); }
  /// The end of the tasks.
  [[nodiscard]] auto end() const noexcept { return items.end(); }
  /// The number of tasks on this page.
  [[nodiscard]] std::size_t size() const noexcept { return items.size(); }

  /// Reads it from the JSON of an answer.
  [[nodiscard]] static TaskPage from_json(const Json &json) {
    return {json["items"].get<std::vector<TaskState>>(),
            json["total"].get<std::uint64_t>(),
            json["page"].get<std::uint32_t>(),
            json["per_page"].get<std::uint32_t>(),
            json["has_more"].get<bool>()};
  }
};

/// Order of a listing.
enum class Sort {
  unknown,  ///< A value of a later version.
  newest,  ///< Newest first.
  oldest,  ///< Oldest first.
};
template <>
struct detail::Names<Sort> {
  static constexpr Named<Sort> table[] = {
      {Sort::newest, "newest"},
      {Sort::oldest, "oldest"},
  };
};

/// Which tasks to list.
struct TaskQuery {
  /// Only tasks with this status.
  std::optional<TaskStatus> status{};
  /// Only tasks of this model (id or alias).
  std::optional<std::string> model{};
  /// Only pictures or only clips.
  std::optional<MediaType> type{};
  /// Only tasks of this owner. The empty text selects tasks without an owner.
  std::optional<std::string> owner{};
  /// Only tasks that come after this task in the order. Pages are counted from there.
  std::optional<std::string> after{};
  /// Order of the tasks. The default is newest first.
  std::optional<Sort> sort{};
  /// Number of the page, from 1. 0 means 1.
  std::optional<std::uint32_t> page{};
  /// Tasks on a page, 1 to 100. 0 means 20.
  std::optional<std::uint32_t> per_page{};

  /// The JSON object that calls take.
  [[nodiscard]] Json to_json() const {
    return detail::Fields()
        .set("status", status)
        .set("model", model)
        .set("type", type)
        .set("owner", owner)
        .set("after", after)
        .set("sort", sort)
        .set("page", page)
        .set("per_page", per_page)
        .json();
  }
};

}  // namespace must

#endif  // MUST_TASKS_HPP
