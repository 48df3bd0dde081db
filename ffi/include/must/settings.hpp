/// @file
/// Settings of a platform: must::Settings, which contains must::HttpSettings and must::WorkerSettings.
#ifndef MUST_SETTINGS_HPP
#define MUST_SETTINGS_HPP

#include "json.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace must {

/// Settings of the HTTP service. A setting that is not set has the library's default.
class HttpSettings {
 public:
  /// Whether session cookies are for HTTPS only; true when not set.
  HttpSettings &session_cookie_secure(bool secure) { return set("session_cookie_secure", secure); }
  /// Which requests from other sites carry session cookies: `strict` (when not set), `lax` or `none`.
  HttpSettings &session_cookie_same_site(std::string_view which) { return set("session_cookie_same_site", which); }
  /// Path of session cookies; `/` when not set. Behind a proxy, the path that the platform is served under.
  HttpSettings &session_cookie_path(std::string_view path) { return set("session_cookie_path", path); }
  /// Added to the names of session cookies after an underscore; nothing when not set.
  HttpSettings &session_cookie_suffix(std::string_view suffix) { return set("session_cookie_suffix", suffix); }
  /// The address at which clients reach the HTTP service, such as `https://example.com/must`; absolute addresses in answers
  /// begin with it.
  HttpSettings &public_url(std::string_view url) { return set("public_url", url); }
  /// A bearer token that opens `GET /metrics`.
  HttpSettings &scrape_token(const SecretText &token) { return set("scrape_token", token); }
  /// Maximum bytes of a request's body.
  HttpSettings &max_body_bytes(std::uint64_t bytes) { return set("max_body_bytes", bytes); }
  /// Maximum number of open connections; further ones wait.
  HttpSettings &max_connections(std::size_t count) { return set("max_connections", count); }
  /// How long a request's headers may take to arrive.
  HttpSettings &header_timeout(Seconds time) { return set("header_timeout_seconds", time.count()); }
  /// How long a client may send no more of a request's body, or read nothing of an answer.
  HttpSettings &body_timeout(Seconds time) { return set("body_timeout_seconds", time.count()); }
  /// How long pictures that were requested with an `Idempotency-Key` are still generated after the caller has disconnected.
  HttpSettings &retry_window(Seconds time) { return set("retry_window_seconds", time.count()); }
  /// Minimum average rate at which a body must arrive, in bytes per second, after a first `body_timeout` without this limit; 0
  /// means no minimum.
  HttpSettings &body_bytes_per_second(std::uint64_t bytes) { return set("body_bytes_per_second", bytes); }
  /// How long a request's body may take as a whole.
  HttpSettings &body_time_limit(Seconds time) { return set("body_time_limit_seconds", time.count()); }
  /// How often an idle event stream sends a keep-alive.
  HttpSettings &event_keep_alive(Seconds time) { return set("event_keep_alive_seconds", time.count()); }
  /// Any setting of the HTTP service by its name in JSON; a duration is a number of seconds, and its name ends in `_seconds`.
  HttpSettings &set(std::string_view name, Json value) {
    json_.set(name, std::move(value));
    return *this;
  }

  /// The settings as a JSON object.
  [[nodiscard]] const Json &to_json() const noexcept { return json_; }

 private:
  Json json_ = Json::object();
};

/// How workers are reached and deployed. A setting that is not set has the library's default.
class WorkerSettings {
 public:
  /// Address of a workspace whose account has none: `https://{workspace}--must.modal.run` when not set.
  WorkerSettings &address_template(std::string_view address) { return set("address_template", address); }
  /// Private addresses and networks that workers may use; only there `http://` is allowed.
  WorkerSettings &networks(const std::vector<std::string> &networks) { return set("networks", detail::json_of(networks)); }
  /// The API key for workers whose account has none of its own.
  WorkerSettings &api_key(const SecretText &key) { return set("api_key", key); }
  /// Program and arguments that deploy a workspace; `{workspace}` and `{label}` are filled in.
  WorkerSettings &deploy_command(const std::vector<std::string> &words) { return set("deploy_command", detail::json_of(words)); }
  /// How long a deployment may take.
  WorkerSettings &deploy_limit(Seconds time) { return set("deploy_limit_seconds", time.count()); }
  /// How long connecting may take.
  WorkerSettings &connect_timeout(Seconds time) { return set("connect_timeout_seconds", time.count()); }
  /// How long an answer may take.
  WorkerSettings &answer_timeout(Seconds time) { return set("answer_timeout_seconds", time.count()); }
  /// How long the transfer of a result may take.
  WorkerSettings &transfer_timeout(Seconds time) { return set("transfer_timeout_seconds", time.count()); }
  /// Maximum bytes of a result that is fetched from a worker.
  WorkerSettings &max_result_bytes(std::uint64_t bytes) { return set("max_result_bytes", bytes); }
  /// How many times a worker's health is checked after a deployment.
  WorkerSettings &health_tries(std::uint32_t times) { return set("health_tries", times); }
  /// The pause between two of these checks.
  WorkerSettings &health_pause(Seconds time) { return set("health_pause_seconds", time.count()); }
  /// How often a worker is asked for the status of a task.
  WorkerSettings &poll_interval(Seconds time) { return set("poll_interval_seconds", time.count()); }
  /// How often a failed account is checked again automatically; 0 means never.
  WorkerSettings &recheck_interval(Seconds time) { return set("recheck_interval_seconds", time.count()); }
  /// Any setting of workers by its name in JSON.
  WorkerSettings &set(std::string_view name, Json value) {
    json_.set(name, std::move(value));
    return *this;
  }

  /// The settings as a JSON object.
  [[nodiscard]] const Json &to_json() const noexcept { return json_; }

 private:
  Json json_ = Json::object();
};

/// Settings of a platform. All but the data folder have defaults. Opening a platform throws `validation_error` for an invalid
/// setting.
class Settings {
 public:
  /// Default settings with this data folder, which is made when absent.
  explicit Settings(std::string_view data_dir) { set("data_dir", data_dir); }

  /// Folder with one folder of weights a model; `models` in the data folder when not set.
  Settings &models_dir(std::string_view folder) { return set("models_dir", folder); }
  /// A catalog file in place of the built-in catalog.
  Settings &catalog(std::string_view file) { return set("catalog", file); }
  /// Where inference runs: `auto`, `cpu` or `cuda`.
  Settings &device(std::string_view device) { return set("device", device); }
  /// Threads that inference on the CPU uses; 0 means one per core.
  Settings &threads(std::size_t count) { return set("threads", count); }
  /// Models that get a lane of their own, in which their pipeline stays loaded.
  Settings &lanes(const std::vector<std::string> &models) { return set("lanes", detail::json_of(models)); }
  /// Starts no lane: tasks are accepted and stored, and run when the folder is opened without this setting.
  Settings &paused(bool paused = true) { return set("paused", paused); }
  /// Whether the program `must` can reach the platform over a socket in the data folder, which only the folder's owner can
  /// open; true when not set.
  Settings &control_socket(bool listens) { return set("control_socket", listens); }
  /// Length of the shared queue.
  Settings &queue_depth(std::size_t places) { return set("queue_depth", places); }
  /// How long a submission waits for a place in a full queue before it throws `queue_overloaded`.
  Settings &queue_wait(Seconds time) { return set("queue_wait_seconds", time.count()); }
  /// How long a picture may run.
  Settings &image_limit(Seconds time) { return set("image_limit_seconds", time.count()); }
  /// How long a clip may run.
  Settings &video_limit(Seconds time) { return set("video_limit_seconds", time.count()); }
  /// After how long a picture that is still processing fails.
  Settings &image_stale(Seconds time) { return set("image_stale_seconds", time.count()); }
  /// After how long a clip that is still processing fails.
  Settings &video_stale(Seconds time) { return set("video_stale_seconds", time.count()); }
  /// How long an unused pipeline stays loaded.
  Settings &idle_evict(Seconds time) { return set("idle_evict_seconds", time.count()); }
  /// Lowest level of the records that a log function receives: `error`, `warn`, `info` (the default), `debug` or `trace`.
  Settings &log_level(std::string_view level) { return set("log_level", level); }
  /// Master keys as the text of a key file, in place of `master_key_file`.
  Settings &master_key(const SecretText &keys) { return set("master_key", keys); }
  /// File of the master keys, made at first use; `keys/master.key` in the data folder when not set.
  Settings &master_key_file(std::string_view file) { return set("master_key_file", file); }
  /// File of the keys that sign the audit log; `keys/audit.key` in the data folder when not set.
  Settings &audit_key_file(std::string_view file) { return set("audit_key_file", file); }
  /// File that checkpoints of the audit log are appended to; `audit.anchors` in the data folder when not set.
  Settings &audit_anchor_file(std::string_view file) { return set("audit_anchor_file", file); }
  /// The key that opens admin sessions, at least 16 characters.
  Settings &admin_key(const SecretText &key) { return set("admin_key", key); }
  /// Origins of pages that may call from another site, exactly as browsers and web views send them.
  Settings &frontend_origins(const std::vector<std::string> &origins) {
    return set("frontend_origins", detail::json_of(origins));
  }
  /// Addresses and networks of proxies whose `X-Forwarded-For` is trusted.
  Settings &trusted_proxies(const std::vector<std::string> &networks) {
    return set("trusted_proxies", detail::json_of(networks));
  }
  /// Generation sessions that one address may start in 60 seconds, 1 to 10,000; 10 when not set.
  Settings &sessions_per_minute(std::uint32_t count) { return set("sessions_per_minute", count); }
  /// Whether people must sign in: a generation session then needs an access key, and over HTTP each caller sees only its own
  /// tasks.
  Settings &sign_in_required(bool required = true) { return set("sign_in_required", required); }
  /// An API key of the operator's own, at least 16 characters.
  Settings &api_key(const SecretText &key) { return set("api_key", key); }
  /// Settings of the HTTP service.
  Settings &http(const HttpSettings &settings) { return set("http", settings.to_json()); }
  /// Workers that tasks may be sent to.
  Settings &workers(const WorkerSettings &settings) { return set("workers", settings.to_json()); }
  /// Where this platform runs: `dev`, `stage` or `prod`; provider tokens for another environment are refused.
  Settings &environment(std::string_view environment) { return set("environment", environment); }

  /// Any setting by its name in JSON; a duration is a number of seconds, and its name ends in `_seconds`.
  Settings &set(std::string_view name, Json value) {
    json_.set(name, std::move(value));
    return *this;
  }
  /// Any setting, as JSON text. Throws `validation_error` if it is not valid JSON.
  Settings &set_json(std::string_view name, std::string_view json) { return set(name, Json::parse(json)); }

  /// The settings as the JSON object that the C interface takes. It may hold a secret, which the caller must wipe.
  [[nodiscard]] std::string json() const { return json_.dump(); }
  /// The settings as a value.
  [[nodiscard]] const Json &to_json() const noexcept { return json_; }

 private:
  Json json_;
};

}  // namespace must

#endif  // MUST_SETTINGS_HPP
