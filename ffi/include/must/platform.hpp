/// @file
/// A running platform in one data folder: must::Platform, the class to begin with.
#ifndef MUST_PLATFORM_HPP
#define MUST_PLATFORM_HPP

#include "access.hpp"
#include "accounts.hpp"
#include "audit.hpp"
#include "backup.hpp"
#include "call.hpp"
#include "generate_request.hpp"
#include "handle.hpp"
#include "host.hpp"
#include "http.hpp"
#include "load.hpp"
#include "log_function.hpp"
#include "secrets.hpp"
#include "settings.hpp"
#include "submit_options.hpp"
#include "task.hpp"
#include "tasks.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace must {

/// A running platform in one data folder. Its destructor closes it. Every call throws `invalid_state` once it is closed.
class Platform {
 public:
  /// Opens the data folder, recovers tasks that a crash interrupted, and starts to work. Throws `validation_error`,
  /// `data_dir_locked`, `dependency_unavailable` when the folder cannot be written, `storage_full`, `storage_corrupt`.
  explicit Platform(const Settings &settings) { open(settings, must_platform_open); }
  /// Opens the data folder and passes log records to `log`: those at least as important as `Settings::log_level`.
  Platform(const Settings &settings, LogFunction log) {
    if (!log) throw Error(MUST_VALIDATION_ERROR, "the log function is empty", "Pass a function, or leave it out.");
    auto logger = std::make_unique<detail::Logger>(detail::Logger{std::move(log)});
    open(settings, must_platform_open_with_log, &detail::Logger::call, static_cast<void *>(logger.get()),
         &detail::Logger::destroy);
    static_cast<void>(logger.release());  // The library owns it now and calls `destroy`.
  }
  /// Opens the data folder with what a host provides: callbacks for keys, checkpoints and logs, and a clock.
  Platform(const Settings &settings, const Host &host) { open(settings, must_platform_open_with_host, host.handle()); }
  /// Opens the data folder with default settings.
  explicit Platform(std::string_view data_dir) : Platform(Settings(data_dir)) {}

  /// Takes ownership of a handle of must.h, such as one from code in another language: this object frees it from now on. Throws
  /// `validation_error` for NULL, `invalid_state` for a handle that is not a live platform and for a platform that is closed;
  /// the caller still owns the handle then.
  [[nodiscard]] static Platform adopt(must_platform_t *handle) {
    require_library();
    detail::BufferHandle load;
    detail::call(must_load, handle, load.out());  // Checks the handle and the platform, and changes nothing.
    Platform platform;
    *platform.platform_.out() = handle;
    return platform;
  }

  /// The catalog: a JSON array with one object for each model.
  [[nodiscard]] std::string models() const {
    detail::BufferHandle buffer;
    detail::call(must_models, platform_.get(), buffer.out());
    return std::string(detail::text_of(buffer));
  }

  /// Checks the request, stores it as a task and queues it. Does not wait for the result. `options` may name the task's owner.
  /// Throws `validation_error`, `payload_too_large`, `model_unavailable`, `queue_overloaded`, `no_workers`, `storage_full`;
  /// no task exists then.
  [[nodiscard]] Task submit(const GenerateRequest &request, const SubmitOptions &options = {}) const {
    std::vector<must_image_t> images;
    for (const auto &[name, bytes] : request.images()) {
      images.push_back({name.data(), name.size(), reinterpret_cast<const std::uint8_t *>(bytes.data()), bytes.size()});
    }
    const std::string json = request.json();
    const std::string how = options.json();
    detail::TaskHandle task;
    detail::call(must_submit_with, platform_.get(), json.data(), json.size(), images.data(), images.size(), how.data(),
                 how.size(), task.out());
    return Task(platform_.get(), must_task_id(task.get()));
  }

  /// The task with this id. It is not checked here whether the task exists: members of the object throw `task_not_found` if not.
  [[nodiscard]] Task task(std::string_view id) const { return Task(platform_.get(), std::string(id)); }

  /// Tasks of every status. Throws `validation_error` for an invalid query.
  [[nodiscard]] TaskPage tasks(const TaskQuery &query = {}) const { return list("must_tasks", must_tasks, query); }

  /// Finished tasks with a result. Throws as `tasks`.
  [[nodiscard]] TaskPage gallery(const TaskQuery &query = {}) const { return list("must_gallery", must_gallery, query); }

  /// API keys and generation sessions. Like the four below it is a small value that may be kept; it does not own the platform.
  [[nodiscard]] Auth auth() const noexcept { return Auth(platform_.get()); }
  /// Admin sessions.
  [[nodiscard]] Admin admin() const noexcept { return Admin(platform_.get()); }
  /// Secrets in the vault.
  [[nodiscard]] Secrets secrets() const noexcept { return Secrets(platform_.get()); }
  /// Accounts of workers.
  [[nodiscard]] Accounts accounts() const noexcept { return Accounts(platform_.get()); }
  /// The audit log.
  [[nodiscard]] Audit audit() const noexcept { return Audit(platform_.get()); }

  /// Copies the data folder into a new or empty folder while the platform works, and checks the copy. To restore, open the
  /// folder as a data folder, with the key files, which are not in it. The folder appears under its name once it is
  /// complete. Use this, not a second SQLite library on the database. Throws `validation_error` for a folder that holds
  /// something or is inside the data folder; `storage_full`; `storage_corrupt` when the database is damaged;
  /// `dependency_unavailable` when the folder cannot be written.
  Backup backup(std::string_view folder, const MaybeCaller &caller = std::nullopt) const {
    return detail::PlatformCalls(platform_.get()).backup(folder, caller);
  }

  /// Makes an administrative call by name, such as one that only a later library has: `arguments` and the answer are JSON, see
  /// docs/calls.md. The answer may hold a secret, which the caller must wipe. Throws the errors of the call; `not_found` for an
  /// unknown name; `validation_error`, which names the wrong argument without quoting its value.
  [[nodiscard]] std::string call(std::string_view name, std::string_view arguments = "{}") const {
    detail::BufferHandle buffer;
    detail::call(must_call, platform_.get(), name.data(), name.size(), arguments.data(), arguments.size(), buffer.out());
    return std::string(detail::text_of(buffer));
  }

  /// Serves the HTTP API at an address, such as `127.0.0.1:8000`, on threads of the library; port 0 chooses a free port. Throws
  /// `validation_error` for an invalid address, `dependency_unavailable` when it is in use.
  [[nodiscard]] Server serve(std::string_view address) const {
    Server server;
    detail::call(must_serve, platform_.get(), address.data(), address.size(), server.server_.out());
    return server;
  }

  /// Answers one HTTP request without a socket. `head` is a JSON object with `method`, `target`, `headers` (pairs) and `peer`.
  /// Throws `validation_error` for a malformed HTTP request; every refusal of the request itself is an answer.
  [[nodiscard]] Response handle(std::string_view head, std::string_view body = {}) const {
    Response response;
    detail::call(must_handle, platform_.get(), head.data(), head.size(), reinterpret_cast<const std::uint8_t *>(body.data()),
                 body.size(), response.answer_.out());
    return response;
  }

  /// The platform's metrics, in the text format of Prometheus. Throws `dependency_unavailable`.
  [[nodiscard]] std::string metrics() const {
    detail::BufferHandle buffer;
    detail::call(must_metrics, platform_.get(), buffer.out());
    return std::string(detail::text_of(buffer));
  }

  /// State of the lanes and their pipelines.
  [[nodiscard]] Load load() const {
    detail::BufferHandle buffer;
    detail::call(must_load, platform_.get(), buffer.out());
    return detail::answer<Load>("must_load", detail::text_of(buffer));
  }

  /// Accepts no more work, asks running tasks to stop, waits for them up to `deadline`, and closes the data folder. Unfinished
  /// tasks continue when the folder is opened again. Closing again does nothing.
  void close(Timeout deadline = std::chrono::seconds(10)) const {
    detail::call(must_platform_close, platform_.get(), static_cast<int64_t>(deadline.count()));
  }

  /// The handle, for functions of must.h; this object still owns it.
  [[nodiscard]] must_platform_t *handle() const noexcept { return platform_.get(); }

 private:
  /// Holds no platform yet.
  Platform() = default;

  static void require_library() {
    if (must_abi_version() < MUST_ABI_VERSION) {
      throw Error(MUST_INVALID_STATE, std::string("libmust ") + must_version() + " is older than its header",
                  "Install the libmust that the program was built with, or a later one.");
    }
  }

  /// Opens the platform with a function that takes the settings, then `arguments`, then a pointer to the handle.
  template <typename Function, typename... Arguments>
  void open(const Settings &settings, Function function, Arguments... arguments) {
    require_library();
    const detail::WipedText json = detail::dumped(settings.to_json());
    detail::call(function, json.data(), json.size(), arguments..., platform_.out());
  }

  template <typename Function>
  [[nodiscard]] TaskPage list(std::string_view name, Function function, const TaskQuery &query) const {
    const std::string json = query.to_json().dump();
    detail::PageHandle page;
    detail::call(function, platform_.get(), json.data(), json.size(), page.out());
    return detail::answer<TaskPage>(name, must_page_json(page.get()));
  }

  detail::PlatformHandle platform_;
};

/// Version of the library, such as `0.1.0`.
[[nodiscard]] inline const char *version() noexcept { return must_version(); }

}  // namespace must

#endif  // MUST_PLATFORM_HPP
