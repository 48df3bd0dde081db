/// @file
/// MUST for C++17: image and video generation, with the whole platform around it, inside your own process.
///
/// A thin layer over must.h that adds nothing to the binary interface: everything is inline, so a program built with any
/// compiler and standard library works with the libmust that is installed, also a later one. Link with `must::must` (CMake)
/// or `pkg-config --libs must`.
///
/// Owners (Platform, Task, Events, Media) are move-only and let go in their destructors. Records (Snapshot, Page) are plain
/// values. What fails throws must::Error with the stable code, what happened, and what a person can do. Every class may be
/// used from any thread; one object at a time by one thread, except Platform and Task, whose const members any number of
/// threads may call at once. A Task or Events whose Platform is gone throws `invalid_state`.
#ifndef MUST_HPP
#define MUST_HPP

#include "must.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <functional>
#include <locale>
#include <memory>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace must {

/// What went wrong, as a value to branch on: `MUST_VALIDATION_ERROR` and so on.
using ErrorCode = ::must_code_t;

/// How long a call may wait.
using Timeout = std::chrono::milliseconds;

/// As long as it takes.
inline constexpr Timeout forever{-1};

/// A failure: what kind, what happened, what to do.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string &detail, std::string user_action)
      : std::runtime_error(name_of(code) + ": " + detail), code_(code), detail_(detail), user_action_(std::move(user_action)) {}

  /// The code to branch on.
  [[nodiscard]] ErrorCode code() const noexcept { return code_; }
  /// Its stable name, such as `validation_error`.
  [[nodiscard]] std::string code_name() const { return name_of(code_); }
  /// What happened, in one line.
  [[nodiscard]] const std::string &detail() const noexcept { return detail_; }
  /// What a person can do about it, in one line.
  [[nodiscard]] const std::string &user_action() const noexcept { return user_action_; }
  /// Whether the same call may succeed later without a change by the caller.
  [[nodiscard]] bool is_retryable() const noexcept { return must_code_is_retryable(code_); }

 private:
  static std::string name_of(ErrorCode code) {
    const char *name = must_code_name(code);
    return name != nullptr ? name : "unknown";
  }

  ErrorCode code_;
  std::string detail_;
  std::string user_action_;
};

namespace detail {

/// A handle of the C interface that ends itself.
template <typename T, int32_t (*Free)(T **)>
class Handle {
 public:
  Handle() = default;
  Handle(Handle &&other) noexcept : raw_(std::exchange(other.raw_, nullptr)) {}
  Handle &operator=(Handle &&other) noexcept {
    std::swap(raw_, other.raw_);
    return *this;
  }
  Handle(const Handle &) = delete;
  Handle &operator=(const Handle &) = delete;
  ~Handle() { Free(&raw_); }

  [[nodiscard]] T *get() const noexcept { return raw_; }
  [[nodiscard]] T **out() noexcept { return &raw_; }

 private:
  T *raw_ = nullptr;
};

using PlatformHandle = Handle<must_platform_t, must_platform_free>;
using TaskHandle = Handle<must_task_t, must_task_free>;
using PageHandle = Handle<must_page_t, must_page_free>;
using EventsHandle = Handle<must_events_t, must_events_free>;
using BufferHandle = Handle<must_buffer_t, must_buffer_free>;
using ServerHandle = Handle<must_server_t, must_server_free>;
using AnswerHandle = Handle<must_answer_t, must_answer_free>;
using ErrorHandle = Handle<must_error_t, must_error_free>;

/// Makes a call with an error object at its end, and throws what it says.
template <typename Function, typename... Arguments>
void call(Function function, Arguments... arguments) {
  ErrorHandle error;
  if (const int32_t code = function(arguments..., error.out()); code != MUST_OK) {
    throw Error(static_cast<ErrorCode>(code), must_error_detail(error.get()), must_error_user_action(error.get()));
  }
}

/// A JSON object that grows by one field at a time.
class Json {
 public:
  void text(std::string_view name, std::string_view value) { raw(name, quoted(value)); }
  void raw(std::string_view name, std::string_view value) {
    text_ += (text_.empty() ? "" : ",") + quoted(name) + ":";
    text_ += value;
  }
  void number(std::string_view name, double value) {
    if (!std::isfinite(value)) {
      throw Error(MUST_VALIDATION_ERROR, std::string(name) + " must be a finite number", "Correct the request and send it again.");
    }
    std::ostringstream stream;
    stream.imbue(std::locale::classic());
    stream.precision(17);
    stream << value;
    raw(name, stream.str());
  }
  [[nodiscard]] std::string str() const { return "{" + text_ + "}"; }

  static std::string quoted(std::string_view text) {
    static constexpr char hex[] = "0123456789abcdef";
    std::string quoted = "\"";
    for (const char c : text) {
      if (c == '"' || c == '\\') {
        quoted += '\\';
        quoted += c;
      } else if (static_cast<unsigned char>(c) < 0x20) {
        quoted += "\\u00";
        quoted += hex[(c >> 4) & 15];
        quoted += hex[c & 15];
      } else {
        quoted += c;
      }
    }
    return quoted + "\"";
  }

 private:
  std::string text_;
};

/// Reads JSON text of the library from front to back.
class JsonReader {
 public:
  explicit JsonReader(std::string_view text) : rest_(text) {}

  /// Calls `field` with the name of each field of an object; it reads the value.
  template <typename Field>
  void object(Field field) {
    items('{', '}', [&] {
      const std::string name = text();
      expect(':');
      field(name);
    });
  }
  /// Calls `item` for each item of an array; it reads the item.
  template <typename Item>
  void array(Item item) { items('[', ']', item); }

  std::string text() {
    expect('"');
    std::string text;
    while (!rest_.empty() && rest_.front() != '"') {
      char c = take();
      if (c == '\\') {
        switch (c = take()) {
          case 'n': c = '\n'; break;
          case 't': c = '\t'; break;
          case 'r': c = '\r'; break;
          case 'b': c = '\b'; break;
          case 'f': c = '\f'; break;
          case 'u': c = static_cast<char>(hex()); break;  // The library escapes control characters so, and nothing else.
          default: break;
        }
      }
      text += c;
    }
    expect('"');
    return text;
  }
  std::optional<std::string> text_or_null() {
    if (!is('n')) return text();
    skip();
    return std::nullopt;
  }
  std::uint64_t number() {
    if (rest_.empty() || rest_.front() < '0' || rest_.front() > '9') fail();
    std::uint64_t number = 0;
    while (!rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9') number = number * 10 + static_cast<std::uint64_t>(take() - '0');
    return number;
  }
  /// Passes over a value of any kind.
  void skip() {
    if (is('{')) {
      object([&](const std::string &) { skip(); });
    } else if (is('[')) {
      array([&] { skip(); });
    } else if (is('"')) {
      text();
    } else {
      rest_.remove_prefix(std::min(rest_.find_first_of(",]}"), rest_.size()));
    }
  }

 private:
  [[nodiscard]] bool is(char c) const noexcept { return !rest_.empty() && rest_.front() == c; }
  char take() {
    if (rest_.empty()) fail();
    const char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }
  void expect(char c) {
    if (take() != c) fail();
  }
  int hex() {
    int code = 0;
    for (int n = 0; n < 4; ++n) {
      const char c = take();
      code = code * 16 + (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return code;
  }
  template <typename Item>
  void items(char open, char close, Item item) {
    expect(open);
    while (!is(close)) {
      item();
      if (!is(',')) break;
      take();
    }
    expect(close);
  }
  [[noreturn]] static void fail() {
    throw Error(MUST_INTERNAL, "the library gave JSON that cannot be read", "Report it with the versions of libmust and its header.");
  }

  std::string_view rest_;
};

}  // namespace detail

/// Where a task stands. It moves from pending over processing to done or failed, never back.
enum class Status : int32_t {
  pending = MUST_STATUS_PENDING,
  processing = MUST_STATUS_PROCESSING,
  done = MUST_STATUS_DONE,
  failed = MUST_STATUS_FAILED,
};

/// The stable name of a status.
[[nodiscard]] inline const char *to_string(Status status) noexcept {
  switch (status) {
    case Status::pending: return "pending";
    case Status::processing: return "processing";
    case Status::done: return "done";
    case Status::failed: return "failed";
  }
  return "";
}

/// A task as it stood when it was asked for.
struct Snapshot {
  std::string id;            ///< Stable id.
  std::string model;         ///< Catalog id of the model.
  std::string mode;          ///< Mode of the model.
  std::string prompt;        ///< What to show.
  Status status{};           ///< Where it stands.
  int progress = 0;          ///< 0 to 100, never falling.
  std::string stage;         ///< Name of the stage it is in.
  std::string stage_detail;  ///< More about the stage, such as `step 3 of 20`.
  std::int64_t seed = 0;     ///< Seed in use; drawn when -1 was asked for.
  ErrorCode error_code{};    ///< Why it failed; `MUST_OK` unless it did.
  std::string error_detail;  ///< What happened when it failed.
  std::string json;          ///< Everything about it, as the JSON object that every language shows.

  Snapshot() = default;
  /// Copies what a handle of the C interface holds.
  explicit Snapshot(const must_task_t *task)
      : id(must_task_id(task)),
        model(must_task_model(task)),
        mode(must_task_mode(task)),
        prompt(must_task_prompt(task)),
        status(static_cast<Status>(must_task_status(task))),
        progress(must_task_progress(task)),
        stage(must_task_stage(task)),
        stage_detail(must_task_stage_detail(task)),
        seed(must_task_seed(task)),
        error_code(static_cast<ErrorCode>(must_task_error_code(task))),
        error_detail(must_task_error_detail(task)),
        json(must_task_json(task)) {}

  /// Whether the task has ended.
  [[nodiscard]] bool ended() const noexcept { return status == Status::done || status == Status::failed; }
};

/// The bytes of a result or a preview.
class Media {
 public:
  explicit Media(detail::BufferHandle buffer) : buffer_(std::move(buffer)) {}

  [[nodiscard]] const std::uint8_t *data() const noexcept { return must_buffer_data(buffer_.get()); }
  [[nodiscard]] std::size_t size() const noexcept { return must_buffer_size(buffer_.get()); }
  [[nodiscard]] const std::uint8_t *begin() const noexcept { return data(); }
  [[nodiscard]] const std::uint8_t *end() const noexcept { return data() + size(); }
  /// Such as `video/mp4`.
  [[nodiscard]] std::string content_type() const { return must_buffer_content_type(buffer_.get()); }
  /// A file name with the right ending.
  [[nodiscard]] std::string file_name() const { return must_buffer_file_name(buffer_.get()); }

  /// Writes the bytes to a file. Throws `dependency_unavailable` when it cannot be written.
  void save(const std::string &path) const {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(reinterpret_cast<const char *>(data()), static_cast<std::streamsize>(size()));
    file.close();
    if (!file) {
      throw Error(MUST_DEPENDENCY_UNAVAILABLE, "cannot write " + path, "Check the folder and its permissions.");
    }
  }

 private:
  detail::BufferHandle buffer_;
};

/// What came of waiting for the next change of a task.
struct Event {
  /// The kinds of event.
  enum class Kind : int32_t {
    changed = MUST_EVENT_CHANGED,     ///< The task changed.
    ended = MUST_EVENT_ENDED,         ///< It has ended, and its last change has been handed out.
    timed_out = MUST_EVENT_TIMED_OUT  ///< The time ran out first.
  };
  Kind kind;      ///< Which of them.
  Snapshot task;  ///< The task as it stands now; only with `changed`.
};

/// The changes of one task, first the present state, last the terminal one: `for (const auto &task : events)`.
class Events {
 public:
  explicit Events(detail::EventsHandle events) : events_(std::move(events)) {}

  /// Waits for the next change.
  [[nodiscard]] Event next(Timeout timeout = forever) {
    int32_t kind = 0;
    detail::TaskHandle task;
    detail::call(must_events_next, events_.get(), static_cast<int64_t>(timeout.count()), &kind, task.out());
    return kind == MUST_EVENT_CHANGED ? Event{Event::Kind::changed, Snapshot(task.get())} : Event{static_cast<Event::Kind>(kind), {}};
  }

  /// Where a range-for over events stops.
  struct Sentinel {};

  /// An input iterator over the changes.
  class Iterator {
   public:
    explicit Iterator(Events &events) : events_(&events) { ++*this; }
    const Snapshot &operator*() const noexcept { return event_.task; }
    const Snapshot *operator->() const noexcept { return &event_.task; }
    Iterator &operator++() {
      event_ = events_->next();
      return *this;
    }
    bool operator!=(Sentinel) const noexcept { return event_.kind == Event::Kind::changed; }

   private:
    Events *events_;
    Event event_{};
  };

  [[nodiscard]] Iterator begin() { return Iterator(*this); }
  [[nodiscard]] Sentinel end() const noexcept { return {}; }

 private:
  detail::EventsHandle events_;
};

/// A task of a platform. Letting go of it does not end the task.
class Task {
 public:
  Task(must_platform_t *platform, std::string id) : platform_(platform), id_(std::move(id)) {}
  Task(Task &&) = default;
  Task &operator=(Task &&) = default;
  Task(const Task &) = delete;
  Task &operator=(const Task &) = delete;

  [[nodiscard]] const std::string &id() const noexcept { return id_; }

  /// Where the task stands now.
  [[nodiscard]] Status status() const { return snapshot().status; }

  /// The task as it stands now.
  [[nodiscard]] Snapshot snapshot() const {
    detail::TaskHandle task;
    detail::call(must_status, platform_, id_.data(), id_.size(), task.out());
    return Snapshot(task.get());
  }

  /// Waits until the task has ended or the time is over, and gives it as it stands then. A failed task does not throw.
  Snapshot wait(Timeout timeout = forever) const {
    detail::TaskHandle task;
    detail::call(must_wait, platform_, id_.data(), id_.size(), static_cast<int64_t>(timeout.count()), task.out());
    return Snapshot(task.get());
  }

  /// Asks the task to end: true when it was still pending or running, false when it had ended already.
  bool cancel() const {
    bool cancelled = false;
    detail::call(must_cancel, platform_, id_.data(), id_.size(), &cancelled);
    return cancelled;
  }

  /// Follows the task.
  [[nodiscard]] Events events() const {
    detail::EventsHandle events;
    detail::call(must_events_open, platform_, id_.data(), id_.size(), events.out());
    return Events(std::move(events));
  }

  /// Follows the task by a function that the library calls with each change, on a thread of its own, until it returns false
  /// or the task ends; then `over`, with whether the task's last change was handed out. An exception ends the watch.
  void watch(std::function<bool(const Snapshot &)> changed, std::function<void(bool ended)> over = {}) const {
    auto watcher = std::make_unique<Watcher>(Watcher{std::move(changed), std::move(over), false});
    detail::call(must_watch, platform_, id_.data(), id_.size(), &Watcher::call, static_cast<void *>(watcher.get()), &Watcher::destroy);
    static_cast<void>(watcher.release());  // The library's now; `destroy` ends it.
  }

  /// The result. Throws `result_not_ready` until the task is done.
  [[nodiscard]] Media result() const {
    detail::BufferHandle buffer;
    detail::call(must_result, platform_, id_.data(), id_.size(), buffer.out());
    return Media(std::move(buffer));
  }

  /// The preview: a JPEG of at most 512 by 512 pixels.
  [[nodiscard]] Media preview() const {
    detail::BufferHandle buffer;
    detail::call(must_preview, platform_, id_.data(), id_.size(), buffer.out());
    return Media(std::move(buffer));
  }

  /// Removes the ended task and its files. Throws `invalid_state` while it waits or runs: cancel it first.
  void remove() const { detail::call(must_delete, platform_, id_.data(), id_.size()); }

 private:
  struct Watcher {
    std::function<bool(const Snapshot &)> changed;
    std::function<void(bool)> over;
    bool ended;

    static int32_t call(void *user, int32_t event, const must_task_t *task) noexcept {
      auto *self = static_cast<Watcher *>(user);
      self->ended = event == MUST_EVENT_ENDED;
      try {
        return event == MUST_EVENT_CHANGED && !self->changed(Snapshot(task)) ? 1 : 0;
      } catch (...) {
        return 1;
      }
    }
    static void destroy(void *user) noexcept {
      const std::unique_ptr<Watcher> self(static_cast<Watcher *>(user));
      try {
        if (self->over) self->over(self->ended);
      } catch (...) {
      }
    }
  };

  must_platform_t *platform_;
  std::string id_;
};

/// What to generate: a model, a prompt, and any parameter of the model.
class GenerateRequest {
 public:
  GenerateRequest(std::string_view model, std::string_view prompt) { set("model", model).set("prompt", prompt); }

  /// The model's mode; its default when not set.
  GenerateRequest &mode(std::string_view mode) { return set("mode", mode); }
  /// The seed; drawn by the platform when not set.
  GenerateRequest &seed(std::int64_t seed) { return set("seed", seed); }

  /// Sets one parameter.
  GenerateRequest &set(std::string_view name, std::string_view value) { return json_.text(name, value), *this; }
  GenerateRequest &set(std::string_view name, const char *value) { return set(name, std::string_view(value)); }
  GenerateRequest &set(std::string_view name, bool value) { return set_json(name, value ? "true" : "false"); }
  template <typename Number, std::enable_if_t<std::is_arithmetic_v<Number> && !std::is_same_v<Number, bool>, int> = 0>
  GenerateRequest &set(std::string_view name, Number value) {
    if constexpr (std::is_integral_v<Number>) {
      return set_json(name, std::to_string(value));
    } else {
      return json_.number(name, static_cast<double>(value)), *this;
    }
  }
  /// Sets one parameter to any JSON value.
  GenerateRequest &set_json(std::string_view name, std::string_view json) { return json_.raw(name, json), *this; }

  /// Adds the bytes of a PNG, JPEG or WebP file under the parameter's name, such as `reference_image`.
  GenerateRequest &image(std::string_view name, std::string_view bytes) {
    images_.emplace_back(name, bytes);
    return *this;
  }

  /// The request as the JSON object that the C interface takes, without the images.
  [[nodiscard]] std::string json() const { return json_.str(); }
  /// The images, by parameter name.
  [[nodiscard]] const std::vector<std::pair<std::string, std::string>> &images() const noexcept { return images_; }

 private:
  detail::Json json_;
  std::vector<std::pair<std::string, std::string>> images_;
};

/// How a platform is set up. All but the data folder has a default.
class Settings {
 public:
  explicit Settings(std::string_view data_dir) { json_.text("data_dir", data_dir); }

  /// Folder with one folder of weights a model.
  Settings &models_dir(std::string_view folder) { return json_.text("models_dir", folder), *this; }
  /// Where inference runs: `auto`, `cpu` or `cuda`.
  Settings &device(std::string_view device) { return json_.text("device", device), *this; }
  /// Threads that inference on the CPU uses; 0 means one a core.
  Settings &threads(std::size_t count) { return set_json("threads", std::to_string(count)); }
  /// Places in the shared queue.
  Settings &queue_depth(std::size_t places) { return set_json("queue_depth", std::to_string(places)); }
  /// Least important records that a log function hears: `error`, `warn`, `info` (the default), `debug` or `trace`.
  Settings &log_level(std::string_view level) { return json_.text("log_level", level), *this; }
  /// Any other setting, as a JSON value; durations are seconds.
  Settings &set_json(std::string_view name, std::string_view json) { return json_.raw(name, json), *this; }

  [[nodiscard]] std::string json() const { return json_.str(); }

 private:
  detail::Json json_;
};

/// Which tasks to list. What is not set does not narrow the list.
struct Query {
  std::optional<Status> status;  ///< Only these.
  std::string model;             ///< Only of this model, id or alias.
  std::string type;              ///< Only `image` or only `video`.
  bool oldest_first = false;     ///< Newest first otherwise.
  std::uint32_t page = 1;        ///< From 1.
  std::uint32_t per_page = 20;   ///< 1 to 100.

  [[nodiscard]] std::string json() const {
    detail::Json json;
    if (status) json.text("status", to_string(*status));
    if (!model.empty()) json.text("model", model);
    if (!type.empty()) json.text("type", type);
    if (oldest_first) json.text("sort", "oldest");
    json.raw("page", std::to_string(page));
    json.raw("per_page", std::to_string(per_page));
    return json.str();
  }
};

/// One page of tasks.
struct Page {
  std::vector<Snapshot> items;  ///< The tasks of this page.
  std::uint64_t total = 0;      ///< How many there are on all pages.
  bool has_more = false;        ///< Whether another page follows.
};

/// How much a log record matters.
enum class LogLevel : int32_t {
  error = MUST_LOG_LEVEL_ERROR,  ///< Something was lost, or will be unless a person acts.
  warn = MUST_LOG_LEVEL_WARN,    ///< Something is not as it should be, and work goes on.
  info = MUST_LOG_LEVEL_INFO,    ///< Something that a person running the platform may want to know.
  debug = MUST_LOG_LEVEL_DEBUG,  ///< What the platform does, such as loading and letting go of pipelines.
  trace = MUST_LOG_LEVEL_TRACE,  ///< Everything.
};

/// The stable name of a level.
[[nodiscard]] inline const char *to_string(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::error: return "error";
    case LogLevel::warn: return "warn";
    case LogLevel::info: return "info";
    case LogLevel::debug: return "debug";
    case LogLevel::trace: return "trace";
  }
  return "";
}

/// One thing that a platform logged. Holds no prompt and no secret.
struct LogRecord {
  LogLevel level{};     ///< How much it matters.
  std::string target;   ///< Module that logged it.
  std::string message;  ///< What happened.
  std::string json;     ///< The whole record: a JSON object with `time`, `level`, `target`, `message` and `fields`.
};

/// A function that hears what a platform logs. Called on a thread of the library, one record at a time; may call the
/// platform. What it throws is dropped, and the next record comes.
using LogFunction = std::function<void(const LogRecord &)>;

/// How one lane stands.
struct Lane {
  std::optional<std::string> model;  ///< The model that the lane belongs to; none for the shared lane.
  std::vector<std::string> loaded;   ///< Ids of the models whose weights are loaded, in the order of their last use.
  std::uint64_t memory_bytes = 0;    ///< Bytes that they hold.
  std::uint64_t hits = 0;            ///< Tasks that found their pipeline loaded since the platform was opened.
  std::uint64_t misses = 0;          ///< Tasks that did not.
  std::uint64_t loads = 0;           ///< Pipelines that were loaded.
  std::uint64_t evictions = 0;       ///< Pipelines that were let go.
};

/// How the lanes stand.
struct Load {
  std::vector<Lane> lanes;    ///< Every lane; the shared one is the last.
  std::uint64_t waiting = 0;  ///< Tasks that wait for a lane.
};

/// A running HTTP server. Its destructor stops it.
class Server {
 public:
  /// Where it listens: `127.0.0.1:8000`.
  [[nodiscard]] std::string address() const { return must_server_address(server_.get()); }
  /// Takes no more connections, ends event streams and waits for calls that run; whether all had ended in time.
  bool stop(std::chrono::milliseconds deadline = std::chrono::seconds(10)) const {
    std::int32_t all_ended = 0;
    detail::call(must_server_stop, server_.get(), static_cast<std::int64_t>(deadline.count()), &all_ended);
    return all_ended != 0;
  }

 private:
  friend class Platform;
  detail::ServerHandle server_;
};

/// The answer to an HTTP request: its head, and a body that comes piece by piece. Its destructor ends the call.
class Response {
 public:
  /// Status and headers: a JSON object `{"status": 200, "headers": [["content-type", "application/json"], ...]}`.
  [[nodiscard]] std::string head() const {
    detail::BufferHandle buffer;
    detail::call(must_answer_head, answer_.get(), buffer.out());
    return {reinterpret_cast<const char *>(must_buffer_data(buffer.get())), must_buffer_size(buffer.get())};
  }
  /// The next piece of the body; none at its end. An event stream goes on until its task has ended.
  [[nodiscard]] std::optional<std::string> next() const {
    detail::BufferHandle buffer;
    std::int32_t event = 0;
    detail::call(must_answer_next, answer_.get(), std::int64_t{-1}, &event, buffer.out());
    if (event != MUST_EVENT_CHANGED) return std::nullopt;
    return std::string(reinterpret_cast<const char *>(must_buffer_data(buffer.get())), must_buffer_size(buffer.get()));
  }
  /// The whole body, or what is left of it.
  [[nodiscard]] std::string read() const {
    std::string body;
    while (const auto piece = next()) body += *piece;
    return body;
  }

 private:
  friend class Platform;
  detail::AnswerHandle answer_;
};

/// A running platform in one data folder. Its destructor closes it.
class Platform {
 public:
  /// Opens the data folder, brings back what a crash interrupted, and starts to work.
  explicit Platform(const Settings &settings) {
    check_version();
    const std::string json = settings.json();
    detail::call(must_platform_open, json.data(), json.size(), platform_.out());
  }
  /// The same, and what the platform logs goes to `log`: records at least as important as `Settings::log_level`.
  Platform(const Settings &settings, LogFunction log) {
    check_version();
    if (!log) throw Error(MUST_VALIDATION_ERROR, "the log function is empty", "Pass a function, or leave it out.");
    const std::string json = settings.json();
    auto logger = std::make_unique<Logger>(Logger{std::move(log)});
    detail::call(must_platform_open_with_log, json.data(), json.size(), &Logger::call, static_cast<void *>(logger.get()),
                 &Logger::destroy, platform_.out());
    static_cast<void>(logger.release());  // The library's now; `destroy` ends it.
  }
  /// The same with the defaults.
  explicit Platform(std::string_view data_dir) : Platform(Settings(data_dir)) {}

  /// The catalog: a JSON array with one object a model.
  [[nodiscard]] std::string models() const {
    detail::BufferHandle buffer;
    detail::call(must_models, platform_.get(), buffer.out());
    return {reinterpret_cast<const char *>(must_buffer_data(buffer.get())), must_buffer_size(buffer.get())};
  }

  /// Makes an administrative call by name, such as `auth.authorize`, `secrets.put` or `audit.verify`: `arguments` and the answer
  /// are JSON, see docs/calls.md. The answer may hold a secret; whoever keeps it wipes it.
  [[nodiscard]] std::string call(std::string_view name, std::string_view arguments = "{}") const {
    detail::BufferHandle buffer;
    detail::call(must_call, platform_.get(), name.data(), name.size(), arguments.data(), arguments.size(), buffer.out());
    return {reinterpret_cast<const char *>(must_buffer_data(buffer.get())), must_buffer_size(buffer.get())};
  }

  /// Serves the HTTP face at an address, such as `127.0.0.1:8000`, on threads of the library; port 0 takes a free one.
  [[nodiscard]] Server serve(std::string_view address) const {
    Server server;
    detail::call(must_serve, platform_.get(), address.data(), address.size(), server.server_.out());
    return server;
  }

  /// Answers one HTTP request without a socket. `head` is a JSON object with `method`, `target`, `headers` (pairs) and `peer`.
  [[nodiscard]] Response handle(std::string_view head, std::string_view body = {}) const {
    Response response;
    detail::call(must_handle, platform_.get(), head.data(), head.size(), reinterpret_cast<const std::uint8_t *>(body.data()),
                 body.size(), response.answer_.out());
    return response;
  }

  /// What the platform counts and measures, in the text format of Prometheus.
  [[nodiscard]] std::string metrics() const {
    detail::BufferHandle buffer;
    detail::call(must_metrics, platform_.get(), buffer.out());
    return {reinterpret_cast<const char *>(must_buffer_data(buffer.get())), must_buffer_size(buffer.get())};
  }

  /// How the lanes and their pipelines stand.
  [[nodiscard]] Load load() const {
    detail::BufferHandle buffer;
    detail::call(must_load, platform_.get(), buffer.out());
    detail::JsonReader json({reinterpret_cast<const char *>(must_buffer_data(buffer.get())), must_buffer_size(buffer.get())});
    Load load;
    json.object([&](const std::string &name) {
      if (name == "waiting") {
        load.waiting = json.number();
      } else if (name == "lanes") {
        json.array([&] { load.lanes.push_back(read_lane(json)); });
      } else {
        json.skip();
      }
    });
    return load;
  }

  /// Checks the request, makes a durable task of it and queues it. Does not wait for the result.
  [[nodiscard]] Task submit(const GenerateRequest &request) const {
    std::vector<must_image_t> images;
    for (const auto &[name, bytes] : request.images()) {
      images.push_back({name.data(), name.size(), reinterpret_cast<const std::uint8_t *>(bytes.data()), bytes.size()});
    }
    const std::string json = request.json();
    detail::TaskHandle task;
    detail::call(must_submit, platform_.get(), json.data(), json.size(), images.data(), images.size(), task.out());
    return Task(platform_.get(), must_task_id(task.get()));
  }

  /// The task with this id, whether there is one or not: its members say.
  [[nodiscard]] Task task(std::string_view id) const { return Task(platform_.get(), std::string(id)); }

  /// Tasks of every status.
  [[nodiscard]] Page tasks(const Query &query = {}) const { return list(must_tasks, query); }

  /// Finished tasks with a result.
  [[nodiscard]] Page gallery(const Query &query = {}) const { return list(must_gallery, query); }

  /// Stops taking work, asks what runs to stop, waits for it up to `deadline`, and closes the data folder. Tasks that are
  /// not finished go on when the folder is opened again. Closing again does nothing.
  void close(Timeout deadline = std::chrono::seconds(10)) const {
    detail::call(must_platform_close, platform_.get(), static_cast<int64_t>(deadline.count()));
  }

  /// The handle, for functions of must.h; it stays this object's.
  [[nodiscard]] must_platform_t *handle() const noexcept { return platform_.get(); }

 private:
  struct Logger {
    LogFunction log;

    static void call(void *user, int32_t level, const char *target, const char *message, const char *json) noexcept {
      try {
        static_cast<Logger *>(user)->log(LogRecord{static_cast<LogLevel>(level), target, message, json});
      } catch (...) {
      }
    }
    static void destroy(void *user) noexcept { delete static_cast<Logger *>(user); }
  };

  static void check_version() {
    if (must_abi_version() < MUST_ABI_VERSION) {
      throw Error(MUST_INVALID_STATE, std::string("libmust ") + must_version() + " is older than its header",
                  "Install the libmust that the program was built with, or a later one.");
    }
  }

  static Lane read_lane(detail::JsonReader &json) {
    Lane lane;
    json.object([&](const std::string &name) {
      if (name == "model") {
        lane.model = json.text_or_null();
      } else if (name == "loaded") {
        json.array([&] { lane.loaded.push_back(json.text()); });
      } else if (name == "memory_bytes") {
        lane.memory_bytes = json.number();
      } else if (name == "hits") {
        lane.hits = json.number();
      } else if (name == "misses") {
        lane.misses = json.number();
      } else if (name == "loads") {
        lane.loads = json.number();
      } else if (name == "evictions") {
        lane.evictions = json.number();
      } else {
        json.skip();
      }
    });
    return lane;
  }

  template <typename Function>
  [[nodiscard]] Page list(Function function, const Query &query) const {
    const std::string json = query.json();
    detail::PageHandle handle;
    detail::call(function, platform_.get(), json.data(), json.size(), handle.out());
    Page page{{}, must_page_total(handle.get()), must_page_has_more(handle.get())};
    for (std::size_t index = 0; index < must_page_size(handle.get()); ++index) {
      detail::TaskHandle task;
      detail::call(must_page_task, handle.get(), index, task.out());
      page.items.emplace_back(task.get());
    }
    return page;
  }

  detail::PlatformHandle platform_;
};

/// Version of the library, such as `0.1.0`.
[[nodiscard]] inline const char *version() noexcept { return must_version(); }

}  // namespace must

#endif  // MUST_HPP
