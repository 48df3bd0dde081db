/*
 * MUST: image and video generation, with the whole platform around it, inside your own process.
 *
 * CALLS. Most functions return an int32_t: 0 (MUST_OK) on success, otherwise a must_code_t. Variables for
 * answers, named ..._out, are written only when the call succeeds and must not be NULL unless the function says so.
 * Functions that read a part of a handle return that part; on a handle that is not live they return the empty text, NULL, 0
 * or -1, as each says.
 *
 * ERRORS. A function that can fail takes `must_error_t **error_out`. It may be NULL; otherwise it is written only when the
 * call fails, and receives an object with the code, a `detail` that says what happened, and a `user_action` that says what
 * a person can do about it. The caller frees it with must_error_free. Argument mistakes (NULL where a value is needed, text
 * that is not UTF-8, an impossible length, a pointer that is not aligned) are MUST_VALIDATION_ERROR.
 *
 * HANDLES. A must_..._t pointer is a handle and not an address: it can be copied, compared and passed to any thread, and
 * nothing else. Each function that frees one takes a pointer to the variable and sets the variable to NULL; freeing NULL
 * does nothing. Using NULL as a handle gives MUST_VALIDATION_ERROR. Using a freed handle, freeing it twice through a copy,
 * or casting one kind to another gives MUST_INVALID_STATE and does no harm. Handles are independent: a task, page, buffer
 * or error outlives the platform it came from.
 *
 * TEXT is UTF-8. Going in, it is a pointer and a length and need not end in NUL; MUST_STR("...") writes both. Coming out,
 * it ends in NUL and belongs to the handle that it came from, until that handle is freed. The library copies what it is given
 * before the call returns. It frees no memory of the caller, and the caller never passes memory of the library to free():
 * handles are freed by the functions of this header.
 *
 * THREADS. Every function may be called from any thread, at the same time as any other and on the same handle. One
 * rule is left to the host: no thread may read a text or bytes while another frees the handle they belong to. Calls that
 * wait block only their own thread; must_platform_close and must_cancel wake them. The library installs no signal handler,
 * changes no signal disposition, and blocks SIGPIPE on its own threads only.
 *
 * FORK. A child made by fork() owns none of its parent's handles: each call on one gives MUST_INVALID_STATE, and so does
 * opening a platform when the parent had one. After exec() a child is a new process without these limits.
 *
 * VERSIONS. Functions and codes are only ever added. A program checks that the library is not older than its header:
 *
 *     if (must_abi_version() < MUST_ABI_VERSION) { fprintf(stderr, "libmust %s is too old\n", must_version()); exit(1); }
 *
 * EXAMPLE.
 *
 *     must_platform_t *platform = NULL;
 *     must_task_t *task = NULL, *ended = NULL;
 *     must_error_t *error = NULL;
 *     const char *request = "{\"model\": \"tiny-video\", \"prompt\": \"a red circle moving left\"}";
 *     if (must_platform_open(MUST_STR("{\"data_dir\": \"must-data\"}"), &platform, &error) ||
 *         must_submit(platform, MUST_STR(request), NULL, 0, &task, &error) ||
 *         must_wait(platform, MUST_STR(must_task_id(task)), -1, &ended, &error)) {
 *       fprintf(stderr, "%s: %s %s\n", must_code_name(must_error_code(error)), must_error_detail(error),
 *               must_error_user_action(error));
 *       must_error_free(&error);
 *     }
 *     must_task_free(&ended);
 *     must_task_free(&task);
 *     must_platform_free(&platform);
 */


#ifndef MUST_H
#define MUST_H

/* Generated from the Rust crate must-ffi; `MUST_REGEN=1 cargo test -p must-ffi` writes it anew. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/**
 * What went wrong, as a value to branch on. Numbers and names never change once released.
 */
typedef enum must_code_t {
  /** It worked. */
  MUST_OK = 0,
  /** `invalid_api_key`. Check the API key, or ask the operator for a new one. */
  MUST_INVALID_API_KEY = 1,
  /** `session_required`. Start a session or send an API key. */
  MUST_SESSION_REQUIRED = 2,
  /** `session_expired`. Start a new session. */
  MUST_SESSION_EXPIRED = 3,
  /** `admin_key_invalid`. Check the admin key. */
  MUST_ADMIN_KEY_INVALID = 4,
  /** `admin_session_required`. Sign in as an administrator. */
  MUST_ADMIN_SESSION_REQUIRED = 5,
  /** `admin_session_expired`. Sign in as an administrator again. */
  MUST_ADMIN_SESSION_EXPIRED = 6,
  /** `admin_misconfigured`. Set an admin key of at least 16 characters. */
  MUST_ADMIN_MISCONFIGURED = 7,
  /** `rate_limited`. Wait for the time in Retry-After, then try again. */
  MUST_RATE_LIMITED = 8,
  /** `cors_origin_blocked`. Add the exact origin to the allowed origins. */
  MUST_CORS_ORIGIN_BLOCKED = 9,
  /** `validation_error`. Correct the request and send it again. */
  MUST_VALIDATION_ERROR = 10,
  /** `task_not_found`. Check the task id; the task may have been deleted. */
  MUST_TASK_NOT_FOUND = 11,
  /** `result_not_ready`. Wait until the task is done, then ask again. */
  MUST_RESULT_NOT_READY = 12,
  /** `result_gone`. Generate it again. */
  MUST_RESULT_GONE = 13,
  /** `proxy_target_invalid`. Use a task id that this platform gave out. */
  MUST_PROXY_TARGET_INVALID = 14,
  /** `remote_failed`. Try again. If it fails again, check the worker account. */
  MUST_REMOTE_FAILED = 15,
  /** `no_workers`. Enable a worker account, or try again later. */
  MUST_NO_WORKERS = 16,
  /** `model_unavailable`. Install the model's weights, or choose an available model. */
  MUST_MODEL_UNAVAILABLE = 17,
  /** `queue_overloaded`. Try again in a little while. */
  MUST_QUEUE_OVERLOADED = 18,
  /** `gpu_memory_exceeded`. Ask for a smaller size or fewer frames, or use a larger device. */
  MUST_GPU_MEMORY_EXCEEDED = 19,
  /** `task_stale`. Submit the task again. */
  MUST_TASK_STALE = 20,
  /** `task_timeout`. Ask for fewer steps or frames, or raise the execution limit. */
  MUST_TASK_TIMEOUT = 21,
  /** `cancelled`. Submit the task again if it is still wanted. */
  MUST_CANCELLED = 22,
  /** `dependency_unavailable`. Check the platform's storage and secrets, then try again. */
  MUST_DEPENDENCY_UNAVAILABLE = 23,
  /** `not_found`. Check the address. */
  MUST_NOT_FOUND = 24,
  /** `method_not_allowed`. Use one of the methods in Allow. */
  MUST_METHOD_NOT_ALLOWED = 25,
  /** `payload_too_large`. Send less, or a smaller image. */
  MUST_PAYLOAD_TOO_LARGE = 26,
  /** `internal`. Report it with the correlation id or the detail. */
  MUST_INTERNAL = 27,
  /** `invalid_state`. Check the state of the object, then make a call that this state allows. */
  MUST_INVALID_STATE = 28,
  /** `data_dir_locked`. Close the other process, or use another data folder. */
  MUST_DATA_DIR_LOCKED = 29,
  /** `storage_full`. Free some disk space, then try again. */
  MUST_STORAGE_FULL = 30,
  /** `storage_corrupt`. Restore the data folder from a backup. */
  MUST_STORAGE_CORRUPT = 31,
} must_code_t;

/** A text argument: pointer and length of a string that ends in NUL. */
#define MUST_STR(text) (text), strlen(text)


/**
 * Number of the binary interface that a header describes. It grows when functions are added; functions are never changed or
 * removed.
 */
#define MUST_ABI_VERSION 1

/**
 * Status of a task. It goes from pending through processing to done or failed, and never back.
 */
enum must_status_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * Not a task: the handle that was asked is NULL, freed, or of another kind.
   */
  MUST_STATUS_NONE = 0,
  /**
   * Stored, waiting for a lane.
   */
  MUST_STATUS_PENDING = 1,
  /**
   * Running.
   */
  MUST_STATUS_PROCESSING = 2,
  /**
   * Ended with a result.
   */
  MUST_STATUS_DONE = 3,
  /**
   * Ended with an error.
   */
  MUST_STATUS_FAILED = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum must_status_t must_status_t;
#else
typedef int32_t must_status_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Result of waiting for the next change of a task (`must_events_next`, `must_watch`) or for the next piece of an answer
 * (`must_answer_next`).
 */
enum must_event_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * The task changed, and the call gives its new state; or the call gives a piece of the answer.
   */
  MUST_EVENT_CHANGED = 1,
  /**
   * The task has ended, and its last change was already returned; or the answer is complete.
   */
  MUST_EVENT_ENDED = 2,
  /**
   * The time ran out first.
   */
  MUST_EVENT_TIMED_OUT = 3,
  /**
   * Only in a `must_watch_fn`: the platform was closed, or the task deleted, before the task ended.
   */
  MUST_EVENT_CLOSED = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum must_event_t must_event_t;
#else
typedef int32_t must_event_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Severity of a log record.
 */
enum must_log_level_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * Something was lost, or will be lost unless a person acts.
   */
  MUST_LOG_LEVEL_ERROR = 1,
  /**
   * Something is wrong, and work continues.
   */
  MUST_LOG_LEVEL_WARN = 2,
  /**
   * Something that a person running the platform may want to know.
   */
  MUST_LOG_LEVEL_INFO = 3,
  /**
   * What the platform does, such as loading and unloading pipelines.
   */
  MUST_LOG_LEVEL_DEBUG = 4,
  /**
   * Everything.
   */
  MUST_LOG_LEVEL_TRACE = 5,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum must_log_level_t must_log_level_t;
#else
typedef int32_t must_log_level_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * The answer to an HTTP request. Made by `must_handle`, freed by `must_answer_free`.
 */
typedef struct must_answer_t must_answer_t;

/**
 * Bytes that the library holds: a picture, a clip, or a text; freed by `must_buffer_free`.
 */
typedef struct must_buffer_t must_buffer_t;

/**
 * A clock whose time changes only by `must_clock_advance`. Made by `must_clock_new`, freed by `must_clock_free`.
 */
typedef struct must_clock_t must_clock_t;

/**
 * What went wrong; freed by `must_error_free`.
 */
typedef struct must_error_t must_error_t;

/**
 * The changes of one task, read one after another. Made by `must_events_open`, freed by `must_events_free`.
 */
typedef struct must_events_t must_events_t;

/**
 * What a host provides to platforms: callbacks and a clock. Made by `must_host_new`, freed by `must_host_free`.
 */
typedef struct must_host_t must_host_t;

/**
 * One page of tasks; freed by `must_page_free`.
 */
typedef struct must_page_t must_page_t;

/**
 * A running platform in one data folder. Made by `must_platform_open`, freed by `must_platform_free`.
 */
typedef struct must_platform_t must_platform_t;

/**
 * A running HTTP server. Made by `must_serve`, freed by `must_server_free`.
 */
typedef struct must_server_t must_server_t;

/**
 * The state of a task at the moment when it was asked for; it does not change afterwards; freed by `must_task_free`.
 */
typedef struct must_task_t must_task_t;

/**
 * Called by a platform with each log record, on a thread of the library, one call at a time and in order.
 *
 * `level` is a `must_log_level_t`, `target` the module that logs, `message` what happened, `json` the whole record:
 * `{"time", "level", "target", "message", "fields"}`, where `fields` has the details (`task`, `code`, `model` and so
 * on). The library owns the texts, which are valid until the callback returns. None holds a prompt or a secret. The callback may
 * call any function of this header; it must return normally (no `longjmp`, no C++ exception).
 */
typedef void (*must_log_fn)(void *user, int32_t level, const char *target, const char *message, const char *json);

/**
 * Called once when the library no longer needs the user pointer it was given, as the last thing it does with it.
 */
typedef void (*must_destroy_fn)(void *user);

/**
 * Gives keys in the form of a key file: one key a line, `VERSION BASE64` with 32 bytes in base64; the highest version encrypts or
 * signs, the others only decrypt or verify.
 *
 * The function writes the text to `buffer`, which has room for `capacity` bytes, writes the length of the text to `*length_out`,
 * and returns 0. The library wipes the buffer afterwards. Any other return value means that the function has no keys. It is
 * called on the thread that opens the platform or rotates the key, also on several threads at once. It must return normally (no
 * `longjmp`, no C++ exception).
 */
typedef int32_t (*must_keys_fn)(void *user, char *buffer, size_t capacity, size_t *length_out);

/**
 * Takes a checkpoint of the audit log, a signed note (<https://c2sp.org/tlog-checkpoint>) of `note_len` bytes that ends in NUL.
 *
 * Returns 0 when the checkpoint is stored; any other value means that it is not. Called on a thread of the library, one call at a
 * time for each platform. It must return normally, and it must not call functions of the platform that calls it: they would wait
 * for it for ever.
 */
typedef int32_t (*must_anchor_fn)(void *user, const char *note, size_t note_len);

/**
 * An image of a request: the bytes of a PNG, JPEG or WebP file, and the name of the parameter whose value it is, such as
 * `reference_image` or `arbitrary_frames[0].image`. The library copies both before `must_submit` or `must_submit_with` returns.
 */
typedef struct {
  /**
   * Name of the parameter, UTF-8.
   */
  const char *name;
  /**
   * Length of the name in bytes.
   */
  size_t name_len;
  /**
   * The file's bytes.
   */
  const uint8_t *data;
  /**
   * How many bytes.
   */
  size_t data_len;
} must_image_t;

/**
 * Called by `must_watch` with each change of a task, on a thread of the library, one call at a time.
 *
 * `event` is a `must_event_t`: `MUST_EVENT_CHANGED` with the task, and at the end once `MUST_EVENT_ENDED` or
 * `MUST_EVENT_CLOSED` with NULL. The library owns the task, which is valid until the callback returns: do not free it. Returning
 * anything but 0 ends the watch. The callback may call any function of this header; it must return normally (no `longjmp`,
 * no C++ exception).
 */
typedef int32_t (*must_watch_fn)(void *user, int32_t event, const must_task_t *task);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Version of the library, such as `0.1.0`. The text is static.
 *
 * Since 0.1.0.
 */
const char *must_version(void);

/**
 * Number of the binary interface of the library. A program works with a library whose number is at least the
 * `MUST_ABI_VERSION` of the header that it was compiled with.
 *
 * Since 0.1.0.
 */
int32_t must_abi_version(void);

/**
 * Opens a data folder, recovers tasks that a crash interrupted, and starts to work.
 *
 * `settings` is a JSON object, UTF-8, such as `{"data_dir": "/var/lib/must"}`; the folder is made when absent.
 * `*platform_out` receives a platform that the caller frees with `must_platform_free`. Errors: `validation_error`,
 * `data_dir_locked`, `dependency_unavailable` (cannot be written), `storage_full`, `storage_corrupt`. Since 0.1.0.
 */
int32_t must_platform_open(const char *settings,
                           size_t settings_len,
                           must_platform_t **platform_out,
                           must_error_t **error_out);

/**
 * Opens a data folder as `must_platform_open` does, and passes log records to a callback.
 *
 * `on_log` is called with `user` as its type says, with records at least as important as the setting `log_level` (`error`,
 * `warn`, `info`, `debug` or `trace`; `info` when not given); the first may come before this function returns. A slow
 * callback delays only the next record: when more than a thousand records wait, records are dropped, and one record that says
 * how many takes their place. Loading, reusing and unloading of pipelines is logged at `debug`. `destroy`, which may be NULL, is
 * called once with `user` after the last record, on that thread, when the platform has been closed; closing waits up to a
 * second for that. When this function fails, `on_log` is not called any more, `destroy` is never called, and the caller still
 * owns `user`. Since 0.1.0.
 */
int32_t must_platform_open_with_log(const char *settings,
                                    size_t settings_len,
                                    must_log_fn on_log,
                                    void *user,
                                    must_destroy_fn destroy,
                                    must_platform_t **platform_out,
                                    must_error_t **error_out);

/**
 * Opens a data folder as `must_platform_open` does, with what a host provides: callbacks for keys, checkpoints and logs, a clock.
 *
 * Functions of the host may be called before this returns. Errors: as for `must_platform_open`. Since 0.1.0.
 */
int32_t must_platform_open_with_host(const char *settings,
                                     size_t settings_len,
                                     const must_host_t *host,
                                     must_platform_t **platform_out,
                                     must_error_t **error_out);

/**
 * Accepts no more work, asks running tasks to stop, waits for them up to `deadline_ms`, and closes the data folder.
 *
 * Unfinished tasks continue when the folder is opened again. Calls that wait return `invalid_state`, as does every
 * call after this one; closing again does nothing. The handle stays until `must_platform_free`. Since 0.1.0.
 */
int32_t must_platform_close(const must_platform_t *platform, int64_t deadline_ms, must_error_t **error_out);

/**
 * Frees a platform and sets the variable to NULL. Passing NULL, or a variable that holds NULL, does nothing.
 *
 * An open platform is closed first, as soon as calls that still run on it have returned; to bound that time, or to learn of
 * errors, call `must_platform_close` before. Returns 0, or `MUST_INVALID_STATE` when the handle was not a live
 * platform. Since 0.1.0.
 */
int32_t must_platform_free(must_platform_t **platform);

/**
 * The catalog: a JSON array with one object for each model, with its modes, its parameters and whether it can run here.
 *
 * `*models_out` receives a buffer that the caller frees with `must_buffer_free`. Errors: `invalid_state`. Since 0.1.0.
 */
int32_t must_models(const must_platform_t *platform, must_buffer_t **models_out, must_error_t **error_out);

/**
 * State of the lanes: a JSON object with `lanes`, the shared one last, and `waiting`, the number of tasks that wait for a lane.
 *
 * A lane has `model` (null for the shared one), `loaded` (ids of the models whose weights are loaded), `memory_bytes` that
 * they hold, and since the platform was opened `hits` and `misses` (tasks that found their pipeline loaded, or not), `loads`
 * and `evictions`. `*load_out` receives a buffer that the caller frees with `must_buffer_free`. Errors: `invalid_state`.
 * Since 0.1.0.
 */
int32_t must_load(const must_platform_t *platform,
                  must_buffer_t **load_out,
                  must_error_t **error_out);

/**
 * Makes a host that provides nothing yet. `*host_out` receives it; the caller frees it with `must_host_free`.
 *
 * Set its functions, then open platforms with `must_platform_open_with_host`. A platform keeps what it was opened with: the
 * host may be changed, used for another platform, or freed afterwards. Since 0.1.0.
 */
int32_t must_host_new(must_host_t **host_out,
                      must_error_t **error_out);

/**
 * Frees a host and sets the variable to NULL. Passing NULL, or a variable that holds NULL, does nothing.
 *
 * Platforms that were opened with it keep its functions. Returns 0, or `MUST_INVALID_STATE` when the handle was not a live
 * host. Since 0.1.0.
 */
int32_t must_host_free(must_host_t **host);

/**
 * Sets a callback for log records, as `must_platform_open_with_log` does.
 *
 * `on_log` is called with `user` on one thread per platform. Once this has succeeded the library owns `user`: `destroy`, which
 * may be NULL, is called once with it after the host was freed, or another function was set, and the last platform that uses
 * it was closed and freed. When this fails, the caller still owns `user`. Since 0.1.0.
 */
int32_t must_host_set_log(const must_host_t *host,
                          must_log_fn on_log,
                          void *user,
                          must_destroy_fn destroy,
                          must_error_t **error_out);

/**
 * Sets a callback that gives the master keys, which seal stored secrets, in place of a file or a setting: for a host with a
 * key store.
 *
 * `give_keys` is called when a platform is opened and when the master key is rotated; see its type. Ownership of `user` is as for
 * `must_host_set_log`. Since 0.1.0.
 */
int32_t must_host_set_master_keys(const must_host_t *host,
                                  must_keys_fn give_keys,
                                  void *user,
                                  must_destroy_fn destroy,
                                  must_error_t **error_out);

/**
 * Sets a callback that gives the keys that sign the audit log, in place of a file.
 *
 * `give_keys` is called when a platform is opened and when the audit key is rotated; see its type. Ownership of `user` is as for
 * `must_host_set_log`. Since 0.1.0.
 */
int32_t must_host_set_audit_keys(const must_host_t *host,
                                 must_keys_fn give_keys,
                                 void *user,
                                 must_destroy_fn destroy,
                                 must_error_t **error_out);

/**
 * Sets a callback that receives each checkpoint of the audit log, in addition to the anchor file, so that the host can keep
 * checkpoints where nobody with access to the data folder can change them.
 *
 * `take_checkpoint` is called on the writer thread (see its type): every other write waits for it. While it fails, calls that
 * need an audit event fail with `dependency_unavailable`; the newest checkpoint is offered again. Ownership of `user` is as
 * for `must_host_set_log`. Since 0.1.0.
 */
int32_t must_host_set_anchor(const must_host_t *host,
                             must_anchor_fn take_checkpoint,
                             void *user,
                             must_destroy_fn destroy,
                             must_error_t **error_out);

/**
 * Sets the clock for everything that expires, is counted in a time window, or is written to the audit log: for tests. The
 * handle of the clock may be freed afterwards; platforms that use the clock keep it. Since 0.1.0.
 */
int32_t must_host_set_clock(const must_host_t *host,
                            const must_clock_t *clock,
                            must_error_t **error_out);

/**
 * Makes a clock whose time changes only by `must_clock_advance`. `now_ms` are milliseconds since 1970, UTC. `*clock_out`
 * receives it; the caller frees it with `must_clock_free`. Errors: `validation_error` for a time before 1970 or after the year
 * 9999. Since 0.1.0.
 */
int32_t must_clock_new(int64_t now_ms,
                       must_clock_t **clock_out,
                       must_error_t **error_out);

/**
 * Advances a clock by `by_ms` milliseconds, 0 or more. Since 0.1.0.
 */
int32_t must_clock_advance(const must_clock_t *clock, int64_t by_ms, must_error_t **error_out);

/**
 * The time of a clock, in milliseconds since 1970; -1 when the handle is not a live clock. Since 0.1.0.
 */
int64_t must_clock_now(const must_clock_t *clock);

/**
 * Frees a clock and sets the variable to NULL. Passing NULL, or a variable that holds NULL, does nothing.
 *
 * Returns 0, or `MUST_INVALID_STATE` when the handle was not a live clock. Since 0.1.0.
 */
int32_t must_clock_free(must_clock_t **clock);

/**
 * Checks a request, makes a durable task of it and queues it. Does not wait for the result.
 *
 * `request` is a JSON object, UTF-8: `{"model": "tiny-video", "prompt": "a red circle moving left", "seed": 7}`, with
 * `mode` and any parameter of the model. Images are data URIs in it, or bytes in `images`, an array of
 * `image_count` entries that may be NULL when the count is 0; neither is used after the call. `*task_out` receives the
 * task; the caller frees it with `must_task_free`. On an error no task exists. Errors: `validation_error`,
 * `payload_too_large`, `model_unavailable`, `queue_overloaded`, `no_workers`, `storage_full`, `invalid_state`. Since 0.1.0.
 */
int32_t must_submit(const must_platform_t *platform,
                    const char *request,
                    size_t request_len,
                    const must_image_t *images,
                    size_t image_count,
                    must_task_t **task_out,
                    must_error_t **error_out);

/**
 * `must_submit` with options about the submission itself.
 *
 * `options` is a JSON object, UTF-8; NULL with length 0 means none. It may have these members:
 *
 * - `owner`: the owner of the task, 1 to 200 characters without control characters. `must_tasks` can list by owner, and over HTTP,
 *   where the setting `sign_in_required` is on, only that owner sees the task. Use the `owner` that the call `auth.authorize`
 *   returns.
 * - `idempotency`: `{"owner": "shop", "key": "order-1234"}`. For a day, the same key of the same owner returns the same task. The
 *   key is 1 to 255 visible ASCII characters.
 * - `trace_parent`: the header `traceparent` of the trace that the submission belongs to.
 * - `local_only`: true if the task must run on this platform even if workers are ready.
 * - `remix_of`: the id of the task whose clip this one remixes.
 *
 * Otherwise as `must_submit`. Since 0.1.0.
 */
int32_t must_submit_with(const must_platform_t *platform,
                         const char *request,
                         size_t request_len,
                         const must_image_t *images,
                         size_t image_count,
                         const char *options,
                         size_t options_len,
                         must_task_t **task_out,
                         must_error_t **error_out);

/**
 * The current state of a task.
 *
 * `*task_out` receives it; the caller frees it with `must_task_free`. Errors: `task_not_found`, `invalid_state`. Since 0.1.0.
 */
int32_t must_status(const must_platform_t *platform,
                    const char *id,
                    size_t id_len,
                    must_task_t **task_out,
                    must_error_t **error_out);

/**
 * Waits until a task has ended or `timeout_ms` is over (-1: without limit), and gives the state of the task at that moment.
 *
 * Neither a failed task nor a timeout is an error: look at `must_task_status`. Otherwise as `must_status`.
 * Since 0.1.0.
 */
int32_t must_wait(const must_platform_t *platform,
                  const char *id,
                  size_t id_len,
                  int64_t timeout_ms,
                  must_task_t **task_out,
                  must_error_t **error_out);

/**
 * Asks a task to end. `*cancelled_out`, which may be NULL, is true when it was still pending or running, and false when it
 * had ended already, which is not an error.
 *
 * Errors: `task_not_found`, `invalid_state`. Since 0.1.0.
 */
int32_t must_cancel(const must_platform_t *platform,
                    const char *id,
                    size_t id_len,
                    bool *cancelled_out,
                    must_error_t **error_out);

/**
 * Removes an ended task and its files.
 *
 * Errors: `task_not_found`; `invalid_state` while the task waits or runs: cancel it first. Since 0.1.0.
 */
int32_t must_delete(const must_platform_t *platform, const char *id, size_t id_len, must_error_t **error_out);

/**
 * Id of a task. This text, like every other text of a task, is UTF-8, belongs to the handle and is valid until
 * `must_task_free`; it is empty when the handle is not a live task.
 *
 * Since 0.1.0.
 */
const char *must_task_id(const must_task_t *task);

/**
 * Catalog id of the model.
 *
 * Since 0.1.0.
 */
const char *must_task_model(const must_task_t *task);

/**
 * Mode of the model.
 *
 * Since 0.1.0.
 */
const char *must_task_mode(const must_task_t *task);

/**
 * The prompt.
 *
 * Since 0.1.0.
 */
const char *must_task_prompt(const must_task_t *task);

/**
 * Owner of the task; empty when it has none.
 *
 * Since 0.1.0.
 */
const char *must_task_owner(const must_task_t *task);

/**
 * Status of the task; `MUST_STATUS_NONE` when the handle is not a live task.
 *
 * Since 0.1.0.
 */
must_status_t must_task_status(const must_task_t *task);

/**
 * Progress, 0 to 100; -1 when the handle is not a live task.
 *
 * Since 0.1.0.
 */
int32_t must_task_progress(const must_task_t *task);

/**
 * Seed in use, drawn by the platform when the request asked for -1; -1 when the handle is not a live task.
 *
 * Since 0.1.0.
 */
int64_t must_task_seed(const must_task_t *task);

/**
 * Name of the stage the task is in.
 *
 * Since 0.1.0.
 */
const char *must_task_stage(const must_task_t *task);

/**
 * More about the stage, such as `step 3 of 20`.
 *
 * Since 0.1.0.
 */
const char *must_task_stage_detail(const must_task_t *task);

/**
 * Why the task failed: a `must_code_t`; 0 unless it failed; -1 when the handle is not a live task.
 *
 * Since 0.1.0.
 */
int32_t must_task_error_code(const must_task_t *task);

/**
 * What happened when the task failed; empty unless it failed.
 *
 * Since 0.1.0.
 */
const char *must_task_error_detail(const must_task_t *task);

/**
 * All fields of the task, as the JSON object that every language and HTTP return.
 *
 * Since 0.1.0.
 */
const char *must_task_json(const must_task_t *task);

/**
 * Frees a task handle and sets the variable to NULL; the task itself continues. Passing NULL, or a variable that holds NULL,
 * does nothing.
 *
 * Returns 0, or `MUST_INVALID_STATE` when the handle was not a live task. Since 0.1.0.
 */
int32_t must_task_free(must_task_t **task);

/**
 * Lists tasks of every status.
 *
 * `query` is a JSON object, UTF-8, with any of `status`, `model`, `type` (`image`, `video`), `owner` (an empty text selects
 * tasks without an owner), `after` (the id of a task, after which the pages begin), `sort` (`newest`, `oldest`), `page` (1 or
 * more) and `per_page` (1 to 100); NULL with length 0 means the newest 20. `*page_out` receives a page that the caller frees with
 * `must_page_free`. Errors: `validation_error`, `invalid_state`. Since 0.1.0.
 */
int32_t must_tasks(const must_platform_t *platform,
                   const char *query,
                   size_t query_len,
                   must_page_t **page_out,
                   must_error_t **error_out);

/**
 * Lists finished tasks with a result. Otherwise as `must_tasks`.
 *
 * Since 0.1.0.
 */
int32_t must_gallery(const must_platform_t *platform,
                     const char *query,
                     size_t query_len,
                     must_page_t **page_out,
                     must_error_t **error_out);

/**
 * How many tasks are on a page; 0 when the handle is not a live page.
 *
 * Since 0.1.0.
 */
size_t must_page_size(const must_page_t *page);

/**
 * How many tasks there are on all pages together; 0 when the handle is not a live page.
 *
 * Since 0.1.0.
 */
uint64_t must_page_total(const must_page_t *page);

/**
 * Whether another page follows; false when the handle is not a live page.
 *
 * Since 0.1.0.
 */
bool must_page_has_more(const must_page_t *page);

/**
 * A task of a page, `index` from 0.
 *
 * `*task_out` receives a copy that outlives the page; the caller frees it with `must_task_free`. Errors: `validation_error`
 * when there is no such index, `invalid_state`. Since 0.1.0.
 */
int32_t must_page_task(const must_page_t *page,
                       size_t index,
                       must_task_t **task_out,
                       must_error_t **error_out);

/**
 * The page as a JSON object with `items`, `total`, `page`, `per_page` and `has_more`; empty when the handle is not a live
 * page. The page owns the text; it is valid until `must_page_free`.
 *
 * Since 0.1.0.
 */
const char *must_page_json(const must_page_t *page);

/**
 * Frees a page and sets the variable to NULL. Passing NULL, or a variable that holds NULL, does nothing.
 *
 * Returns 0, or `MUST_INVALID_STATE` when the handle was not a live page. Since 0.1.0.
 */
int32_t must_page_free(must_page_t **page);

/**
 * Begins to follow a task. The first event is the current state of the task, the last one its final state.
 *
 * `*events_out` receives a handle that the caller frees with `must_events_free`. Errors: `task_not_found`, `invalid_state`.
 * Since 0.1.0.
 */
int32_t must_events_open(const must_platform_t *platform,
                         const char *id,
                         size_t id_len,
                         must_events_t **events_out,
                         must_error_t **error_out);

/**
 * Waits up to `timeout_ms` (-1: without limit) for the next change.
 *
 * `*event_out` receives a `must_event_t`. With `MUST_EVENT_CHANGED`, `*task_out` receives the task, which the caller frees
 * with `must_task_free`; with any other event it is not written. Changes in quick succession are merged into one event. Errors:
 * `task_not_found` when the task was deleted, `invalid_state` when the platform was closed or another thread is waiting on
 * this handle. Since 0.1.0.
 */
int32_t must_events_next(const must_events_t *events,
                         int64_t timeout_ms,
                         int32_t *event_out,
                         must_task_t **task_out,
                         must_error_t **error_out);

/**
 * Frees events and sets the variable to NULL. Passing NULL, or a variable that holds NULL, does nothing. The task continues.
 *
 * Returns 0, or `MUST_INVALID_STATE` when the handle was not live events. Since 0.1.0.
 */
int32_t must_events_free(must_events_t **events);

/**
 * Follows a task by a callback on a thread that the library makes for it.
 *
 * `on_event` is called with `user` as its type says. `destroy`, which may be NULL, is called once with `user` when the watch
 * is over, on that thread and after the last event; a host that must know that no more callbacks will come waits for that
 * call. The watch ends with the task, with the platform, or when the callback returns anything but 0. When this function
 * fails, neither is called and the caller still owns `user`. Errors: `task_not_found`, `invalid_state`. Since 0.1.0.
 */
int32_t must_watch(const must_platform_t *platform,
                   const char *id,
                   size_t id_len,
                   must_watch_fn on_event,
                   void *user,
                   must_destroy_fn destroy,
                   must_error_t **error_out);

/**
 * Makes an administrative call: access (`auth.*`, `admin.*`), stored secrets (`secrets.*`), worker accounts
 * (`accounts.*`), the audit log (`audit.*`), and `backup`, which copies the data folder while the platform works.
 *
 * `name` is a call such as `auth.authorize`, `arguments` a JSON object, both UTF-8; `docs/calls.md` lists every call with its
 * arguments and its answer. `*answer_out` receives a buffer with the answer as JSON that the caller frees with
 * `must_buffer_free`, which also wipes its memory, because the answer may hold a secret. Errors: those of the call; `not_found`
 * for an unknown name; `validation_error`, which names the wrong argument without quoting its value. Since 0.1.0.
 */
int32_t must_call(const must_platform_t *platform,
                  const char *name,
                  size_t name_len,
                  const char *arguments,
                  size_t arguments_len,
                  must_buffer_t **answer_out,
                  must_error_t **error_out);

/**
 * Serves the HTTP API of a platform at `address`, such as `127.0.0.1:8000`; port 0 chooses a free port. Returns when the server
 * listens.
 *
 * `*server_out` receives a server that the caller frees with `must_server_free`. The server keeps the platform in memory; closing
 * the platform makes its requests fail. Errors: `validation_error` for an invalid address, `dependency_unavailable` when the
 * address is in use, `invalid_state`. Since 0.1.0.
 */
int32_t must_serve(const must_platform_t *platform,
                   const char *address,
                   size_t address_len,
                   must_server_t **server_out,
                   must_error_t **error_out);

/**
 * The address of a server, such as `127.0.0.1:8000`: a string that is valid as long as the server; empty when the handle is not a
 * live server. Since 0.1.0.
 */
const char *must_server_address(const must_server_t *server);

/**
 * Accepts no more connections, ends event streams, and waits up to `deadline_ms` for running calls. `*all_ended_out`, which may
 * be NULL, receives 1 when all had ended by then, else 0. Errors: `invalid_state`. Since 0.1.0.
 */
int32_t must_server_stop(const must_server_t *server,
                         int64_t deadline_ms,
                         int32_t *all_ended_out,
                         must_error_t **error_out);

/**
 * Stops a server if it still runs, frees it and sets the variable to NULL. Passing NULL, or a variable that holds NULL, does
 * nothing.
 *
 * Returns 0, or `MUST_INVALID_STATE` when the handle was not a live server. Since 0.1.0.
 */
int32_t must_server_free(must_server_t **server);

/**
 * Answers one HTTP request without a socket, so that a host can mount the HTTP API in a server of its own. Waits for status
 * and headers.
 *
 * `head` is a JSON object: `method`, `target` (path and query as they were sent), `headers` (an array of pairs), and `peer`
 * (the address at the other end, which throttling counts by); all but `target` may be left out. `body` may be NULL when empty.
 * `*answer_out` receives an answer that the caller frees with `must_answer_free`. Errors: `validation_error` for a malformed HTTP
 * request, `invalid_state`; every refusal of the request itself is an answer. Since 0.1.0.
 */
int32_t must_handle(const must_platform_t *platform,
                    const char *head,
                    size_t head_len,
                    const uint8_t *body,
                    size_t body_len,
                    must_answer_t **answer_out,
                    must_error_t **error_out);

/**
 * Status and headers of an answer: a JSON object `{"status": 200, "headers": [["content-type", "application/json"], ...]}`.
 *
 * `*head_out` receives a buffer that the caller frees with `must_buffer_free`. Errors: `invalid_state`. Since 0.1.0.
 */
int32_t must_answer_head(const must_answer_t *answer,
                         must_buffer_t **head_out,
                         must_error_t **error_out);

/**
 * Waits up to `timeout_ms` (-1: without limit) for the next piece of an answer's body.
 *
 * `*event_out` receives a `must_event_t`. With `MUST_EVENT_CHANGED`, `*piece_out` receives the piece, which the caller frees
 * with `must_buffer_free`; with `MUST_EVENT_ENDED` and `MUST_EVENT_TIMED_OUT` it is not written. Errors: `invalid_state` when
 * another thread is waiting on this handle. Since 0.1.0.
 */
int32_t must_answer_next(const must_answer_t *answer,
                         int64_t timeout_ms,
                         int32_t *event_out,
                         must_buffer_t **piece_out,
                         must_error_t **error_out);

/**
 * Frees an answer, ends its call if it still runs, and sets the variable to NULL. Passing NULL, or a variable that holds NULL,
 * does nothing.
 *
 * Returns 0, or `MUST_INVALID_STATE` when the handle was not a live answer. Since 0.1.0.
 */
int32_t must_answer_free(must_answer_t **answer);

/**
 * The platform's metrics, in the text format of Prometheus.
 *
 * `*text_out` receives a buffer that the caller frees with `must_buffer_free`. Its content type is the one that a scrape over HTTP
 * has. Errors: `invalid_state`, `dependency_unavailable`. Since 0.1.0.
 */
int32_t must_metrics(const must_platform_t *platform,
                     must_buffer_t **text_out,
                     must_error_t **error_out);

/**
 * The result of a task that is done: the file of the picture or the clip.
 *
 * `*result_out` receives a buffer that the caller frees with `must_buffer_free`. Errors: `task_not_found`,
 * `result_not_ready`, `result_gone`, `invalid_state`. Since 0.1.0.
 */
int32_t must_result(const must_platform_t *platform,
                    const char *id,
                    size_t id_len,
                    must_buffer_t **result_out,
                    must_error_t **error_out);

/**
 * The preview of a task that is done: a JPEG of at most 512 by 512 pixels.
 *
 * `*preview_out` receives a buffer that the caller frees with `must_buffer_free`. Errors as for `must_result`. Since 0.1.0.
 */
int32_t must_preview(const must_platform_t *platform,
                     const char *id,
                     size_t id_len,
                     must_buffer_t **preview_out,
                     must_error_t **error_out);

/**
 * The frames of the result of a task that is done, as pixels: one for a picture, all for an MP4 clip, decoded from its file.
 *
 * `*frames_out` receives a buffer that the caller frees with `must_buffer_free`: frame by frame, row by row without gaps, one
 * byte each for red, green and blue. `*width_out` and `*height_out` receive the size of a frame in pixels, so that there are
 * `must_buffer_size / (3 * width * height)` frames. Errors as for `must_result`; `validation_error` for a WebM clip, which the
 * library cannot decode; `payload_too_large` when there is not enough memory for the frames. Since 0.1.0.
 */
int32_t must_frames(const must_platform_t *platform,
                    const char *id,
                    size_t id_len,
                    must_buffer_t **frames_out,
                    uint32_t *width_out,
                    uint32_t *height_out,
                    must_error_t **error_out);

/**
 * Bytes of a buffer, `must_buffer_size` of them, followed by one NUL; NULL when the handle is not a live buffer.
 * The buffer owns them; they are valid until `must_buffer_free`.
 *
 * Since 0.1.0.
 */
const uint8_t *must_buffer_data(const must_buffer_t *buffer);

/**
 * How many bytes a buffer holds; 0 when the handle is not a live buffer.
 *
 * Since 0.1.0.
 */
size_t must_buffer_size(const must_buffer_t *buffer);

/**
 * Content type of a buffer, such as `video/mp4`; the empty text when the handle is not a live buffer. Valid as long as the bytes.
 *
 * Since 0.1.0.
 */
const char *must_buffer_content_type(const must_buffer_t *buffer);

/**
 * A file name with the right ending for the bytes; the empty text for texts and when the handle is not a live buffer.
 * Valid as long as the bytes.
 *
 * Since 0.1.0.
 */
const char *must_buffer_file_name(const must_buffer_t *buffer);

/**
 * Frees a buffer and sets the variable to NULL. Passing NULL, or a variable that holds NULL, does nothing.
 *
 * Returns 0, or `MUST_INVALID_STATE` when the handle was not a live buffer. Since 0.1.0.
 */
int32_t must_buffer_free(must_buffer_t **buffer);

/**
 * Code of an error; 0 for NULL, `MUST_INVALID_STATE` for a handle that is not a live error.
 *
 * Since 0.1.0.
 */
int32_t must_error_code(const must_error_t *error);

/**
 * What happened, in one line of UTF-8; the empty text for NULL or a handle that is not a live error.
 * The error owns the text; it is valid until `must_error_free`.
 *
 * Since 0.1.0.
 */
const char *must_error_detail(const must_error_t *error);

/**
 * What a person can do about it, in one line of UTF-8; otherwise as `must_error_detail`.
 *
 * Since 0.1.0.
 */
const char *must_error_user_action(const must_error_t *error);

/**
 * Frees an error and sets the variable to NULL. Passing NULL, or a variable that holds NULL, does nothing.
 *
 * Returns 0, or `MUST_INVALID_STATE` when the handle was not a live error. Since 0.1.0.
 */
int32_t must_error_free(must_error_t **error);

/**
 * Stable name of a code, such as `validation_error`; `ok` for 0; NULL when there is no such code. The text is static.
 *
 * Since 0.1.0.
 */
const char *must_code_name(int32_t code);

/**
 * The code with this stable name; 0 for `ok`; -1 when there is none, or `name` is NULL or not UTF-8.
 *
 * Since 0.1.0.
 */
int32_t must_code_from_name(const char *name, size_t name_len);

/**
 * What a person can do about errors with this code in general; NULL when there is no such code. The text is static.
 *
 * Since 0.1.0.
 */
const char *must_code_user_action(int32_t code);

/**
 * The HTTP status that goes with a code; 200 for 0; -1 when there is no such code.
 *
 * Since 0.1.0.
 */
int32_t must_code_http_status(int32_t code);

/**
 * Whether the same call may succeed later without a change by the caller; false when there is no such code.
 *
 * Since 0.1.0.
 */
bool must_code_is_retryable(int32_t code);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* MUST_H */
