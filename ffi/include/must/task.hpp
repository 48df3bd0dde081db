/// @file
/// A task: must::Task, its changes as must::Events, its result as must::Media and must::Frames.
#ifndef MUST_TASK_HPP
#define MUST_TASK_HPP

#include "call.hpp"
#include "handle.hpp"
#include "tasks.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <ios>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

namespace must {

namespace detail {

/// Copies the state of a task from a handle of the C interface.
[[nodiscard]] inline TaskState state_of(const must_task_t *task) {
  return answer<TaskState>("must_task_json", must_task_json(task));
}

}  // namespace detail

/// The bytes of a result or a preview.
class Media {
 public:
  /// Takes ownership of a buffer of the C interface.
  explicit Media(detail::BufferHandle buffer) : buffer_(std::move(buffer)) {}

  /// The bytes; valid as long as this object.
  [[nodiscard]] const std::uint8_t *data() const noexcept { return must_buffer_data(buffer_.get()); }
  /// How many there are.
  [[nodiscard]] std::size_t size() const noexcept { return must_buffer_size(buffer_.get()); }
  /// The first byte.
  [[nodiscard]] const std::uint8_t *begin() const noexcept { return data(); }
  /// Past the last byte.
  [[nodiscard]] const std::uint8_t *end() const noexcept { return data() + size(); }
  /// Content type, such as `video/mp4`.
  [[nodiscard]] std::string content_type() const { return must_buffer_content_type(buffer_.get()); }
  /// A file name with the right ending, by model, seed and the first words of the prompt: letters, digits, `-`, `_` and `.`
  /// alone.
  [[nodiscard]] std::string file_name() const { return must_buffer_file_name(buffer_.get()); }

  /// Writes the bytes to the file `path`. If `path` is a folder, the file gets the name `file_name` in it. Returns the path of
  /// the file. Throws `dependency_unavailable` when the file cannot be written.
  std::string save(const std::string &path) const {
    std::filesystem::path target(path);
    std::error_code not_there;
    if (std::filesystem::is_directory(target, not_there)) {
      target /= file_name();
    }
    std::ofstream file(target, std::ios::binary | std::ios::trunc);
    file.write(reinterpret_cast<const char *>(data()), static_cast<std::streamsize>(size()));
    file.close();
    if (!file) {
      throw Error(MUST_DEPENDENCY_UNAVAILABLE, "cannot write " + target.string(), "Check the folder and its permissions.");
    }
    return target.string();
  }

 private:
  detail::BufferHandle buffer_;
};

/// The frames of a result as pixels: frame by frame, row by row without gaps, one byte each for red, green and blue.
class Frames {
 public:
  /// Takes ownership of a buffer of the C interface.
  Frames(detail::BufferHandle buffer, std::uint32_t width, std::uint32_t height)
      : buffer_(std::move(buffer)), width_(width), height_(height) {}

  /// Pixels of a row.
  [[nodiscard]] std::uint32_t width() const noexcept { return width_; }
  /// Rows of a frame.
  [[nodiscard]] std::uint32_t height() const noexcept { return height_; }
  /// How many frames there are.
  [[nodiscard]] std::size_t count() const noexcept {
    return frame_size() == 0 ? 0 : must_buffer_size(buffer_.get()) / frame_size();
  }
  /// Bytes of a frame.
  [[nodiscard]] std::size_t frame_size() const noexcept { return std::size_t{3} * width_ * height_; }
  /// The pixels of a frame, `index` from 0 and less than `count()`; valid as long as this object.
  [[nodiscard]] const std::uint8_t *frame(std::size_t index) const noexcept {
    return must_buffer_data(buffer_.get()) + index * frame_size();
  }

 private:
  detail::BufferHandle buffer_;
  std::uint32_t width_;
  std::uint32_t height_;
};

/// Result of waiting for the next change of a task.
struct Event {
  /// The kinds of event.
  enum class Kind : int32_t {
    changed = MUST_EVENT_CHANGED,     ///< The task changed.
    ended = MUST_EVENT_ENDED,         ///< The task has ended, and its last change was already returned.
    timed_out = MUST_EVENT_TIMED_OUT  ///< The time ran out first.
  };
  Kind kind;       ///< Kind of the event.
  TaskState task;  ///< The current state of the task; only with `changed`.
};

/// The changes of one task, first its current state, last its final state: `for (const auto &task : events)`.
class Events {
 public:
  /// Takes ownership of events of the C interface.
  explicit Events(detail::EventsHandle events) : events_(std::move(events)) {}

  /// Waits for the next change. Throws `task_not_found` when the task was deleted; `invalid_state` when the platform was
  /// closed, or while another thread waits on these events.
  [[nodiscard]] Event next(Timeout timeout = no_limit) {
    int32_t kind = 0;
    detail::TaskHandle task;
    detail::call(must_events_next, events_.get(), static_cast<int64_t>(timeout.count()), &kind, task.out());
    return kind == MUST_EVENT_CHANGED ? Event{Event::Kind::changed, detail::state_of(task.get())}
                                      : Event{static_cast<Event::Kind>(kind), {}};
  }

  /// The end of a range-based for loop over events.
  struct Sentinel {};

  /// An input iterator over the changes.
  class Iterator {
   public:
    explicit Iterator(Events &events) : events_(&events) { ++*this; }
    const TaskState &operator*() const noexcept { return event_.task; }
    const TaskState *operator->() const noexcept { return &event_.task; }
    Iterator &operator++() {
      event_ = events_->next();
      return *this;
    }
    bool operator!=(Sentinel) const noexcept { return event_.kind == Event::Kind::changed; }

   private:
    Events *events_;
    Event event_{};
  };

  /// Waits for the first change.
  [[nodiscard]] Iterator begin() { return Iterator(*this); }
  /// The end of the changes.
  [[nodiscard]] Sentinel end() const noexcept { return {}; }

 private:
  detail::EventsHandle events_;
};

/// A task of a platform. Destroying this object does not end the task. Every call throws `task_not_found` when no task has this
/// id, and `invalid_state` when the platform is closed.
class Task {
 public:
  /// The task with an id on the platform with a handle of must.h.
  Task(must_platform_t *platform, std::string id) : platform_(platform), id_(std::move(id)) {}
  Task(Task &&) = default;
  Task &operator=(Task &&) = default;
  Task(const Task &) = delete;
  Task &operator=(const Task &) = delete;

  /// Stable id.
  [[nodiscard]] const std::string &id() const noexcept { return id_; }

  /// The current state of the task.
  [[nodiscard]] TaskState status() const {
    detail::TaskHandle task;
    detail::call(must_status, platform_, id_.data(), id_.size(), task.out());
    return detail::state_of(task.get());
  }

  /// Waits until the task has ended or the time is over, and gives its state at that moment. A failed task does not throw.
  TaskState wait(Timeout timeout = no_limit) const {
    detail::TaskHandle task;
    detail::call(must_wait, platform_, id_.data(), id_.size(), static_cast<int64_t>(timeout.count()), task.out());
    return detail::state_of(task.get());
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

  /// Calls `changed` with each change of the task, on a thread of the library, until `changed` returns false or throws, the task
  /// ends or is deleted, or the platform is closed. Then calls `over` once: with true when `changed` got the task's last change,
  /// otherwise with false.
  void watch(std::function<bool(const TaskState &)> changed, std::function<void(bool ended)> over = {}) const {
    auto watcher = std::make_unique<Watcher>(Watcher{std::move(changed), std::move(over), false});
    detail::call(must_watch, platform_, id_.data(), id_.size(), &Watcher::call, static_cast<void *>(watcher.get()),
                 &Watcher::destroy);
    static_cast<void>(watcher.release());  // The library owns it now and calls `destroy`.
  }

  /// The result. Throws `result_not_ready` while the task is pending or running; `result_gone` when it failed or its file is
  /// lost.
  [[nodiscard]] Media result() const {
    detail::BufferHandle buffer;
    detail::call(must_result, platform_, id_.data(), id_.size(), buffer.out());
    return Media(std::move(buffer));
  }

  /// The preview: a JPEG of at most 512 by 512 pixels. Throws as `result`.
  [[nodiscard]] Media preview() const {
    detail::BufferHandle buffer;
    detail::call(must_preview, platform_, id_.data(), id_.size(), buffer.out());
    return Media(std::move(buffer));
  }

  /// The frames of the result: one for a picture, all for an MP4 clip, decoded from its file. Throws as `result`;
  /// `validation_error` for a WebM clip, which the library cannot decode.
  [[nodiscard]] Frames frames() const {
    detail::BufferHandle buffer;
    std::uint32_t width = 0;
    std::uint32_t height = 0;
    detail::call(must_frames, platform_, id_.data(), id_.size(), buffer.out(), &width, &height);
    return Frames(std::move(buffer), width, height);
  }

  /// Removes the ended task and its files. Throws `invalid_state` while it waits or runs: cancel it first.
  void remove() const { detail::call(must_delete, platform_, id_.data(), id_.size()); }

 private:
  struct Watcher {
    std::function<bool(const TaskState &)> changed;
    std::function<void(bool)> over;
    bool ended;

    static int32_t call(void *user, int32_t event, const must_task_t *task) noexcept {
      auto *self = static_cast<Watcher *>(user);
      self->ended = event == MUST_EVENT_ENDED;
      try {
        return event == MUST_EVENT_CHANGED && !self->changed(detail::state_of(task)) ? 1 : 0;
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

}  // namespace must

#endif  // MUST_TASK_HPP
