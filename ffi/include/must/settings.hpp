/// @file
/// How a platform is set up: must::Settings, with must::HttpSettings and must::WorkerSettings in it.
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

/// Settings of the HTTP service. Whatever is not set has the default of the library.
class HttpSettings {
 public:
  /// Whether session cookies are for HTTPS only, which they are when not set.
  HttpSettings &session_cookie_secure(bool secure) { return set("session_cookie_secure", secure); }
  /// Which requests from other sites carry session cookies: `strict` (when not set), `lax` or `none`.
  HttpSettings &session_cookie_same_site(std::string_view which) { return set("session_cookie_same_site", which); }
  /// Path of session cookies; `/` when not set. Behind a proxy, the path that the platform is served under.
  HttpSettings &session_cookie_path(std::string_view path) { return set("session_cookie_path", path); }
  /// Added to the names of session cookies after an underscore; nothing when not set.
  HttpSettings &session_cookie_suffix(std::string_view suffix) { return set("session_cookie_suffix", suffix); }
  /// Where clients reach the HTTP service, such as `https://example.com/must`: what absolute addresses in answers begin with.
  HttpSettings &public_url(std::string_view url) { return set("public_url", url); }
  /// Opens `GET /metrics` to whoever sends it as a bearer token.
  HttpSettings &scrape_token(const SecretText &token) { return set("scrape_token", token); }
  /// Bytes of a request's body.
  HttpSettings &max_body_bytes(std::uint64_t bytes) { return set("max_body_bytes", bytes); }
  /// Connections that are open at once; more wait.
  HttpSettings &max_connections(std::size_t count) { return set("max_connections", count); }
  /// How long a request's headers may take to arrive.
  HttpSettings &header_timeout(Seconds time) { return set("header_timeout_seconds", time.count()); }
  /// How long no piece of a request's body may come, and a client may take nothing of an answer.
  HttpSettings &body_timeout(Seconds time) { return set("body_timeout_seconds", time.count()); }
  /// How long pictures that were asked for under an `Idempotency-Key` go on to be made when their caller has gone.
  HttpSettings &retry_window(Seconds time) { return set("retry_window_seconds", time.count()); }
  /// Bytes of a body that have to come each second on average, beyond one `body_timeout` that is granted; 0 for any number.
  HttpSettings &body_bytes_per_second(std::uint64_t bytes) { return set("body_bytes_per_second", bytes); }
  /// How long a request's body may take as a whole.
  HttpSettings &body_time_limit(Seconds time) { return set("body_time_limit_seconds", time.count()); }
  /// How often an idle event stream says that it lives.
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

/// How workers are reached and deployed. Whatever is not set has the default of the library.
class WorkerSettings {
 public:
  /// Where a workspace is when its account names no address: `https://{workspace}--must.modal.run`.
  WorkerSettings &address_template(std::string_view address) { return set("address_template", address); }
  /// Addresses and networks besides the public ones that workers may be at; only there `http://` will do.
  WorkerSettings &networks(const std::vector<std::string> &networks) { return set("networks", detail::json_of(networks)); }
  /// The API key that workers ask for, where an account has none of its own.
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
  /// Bytes of a result that is fetched from a worker.
  WorkerSettings &max_result_bytes(std::uint64_t bytes) { return set("max_result_bytes", bytes); }
  /// How often health is asked for after a deployment.
  WorkerSettings &health_tries(std::uint32_t times) { return set("health_tries", times); }
  /// The time between two of these.
  WorkerSettings &health_pause(Seconds time) { return set("health_pause_seconds", time.count()); }
  /// How often a worker is asked how a task stands.
  WorkerSettings &poll_interval(Seconds time) { return set("poll_interval_seconds", time.count()); }
  /// How often a failed account is checked again by itself; 0 means never.
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

/// How a platform is set up. All but the data folder has a default. Opening a platform throws `validation_error` for a setting
/// that makes no sense.
class Settings {
 public:
  /// The defaults, in a data folder that is made when absent.
  explicit Settings(std::string_view data_dir) { set("data_dir", data_dir); }

  /// Folder with one folder of weights a model; `models` in the data folder when not set.
  Settings &models_dir(std::string_view folder) { return set("models_dir", folder); }
  /// A catalog file that stands in for the built-in one.
  Settings &catalog(std::string_view file) { return set("catalog", file); }
  /// Where inference runs: `auto`, `cpu` or `cuda`.
  Settings &device(std::string_view device) { return set("device", device); }
  /// Threads that inference on the CPU uses; 0 means one a core.
  Settings &threads(std::size_t count) { return set("threads", count); }
  /// Models that get a lane of their own, where their pipeline stays warm.
  Settings &lanes(const std::vector<std::string> &models) { return set("lanes", detail::json_of(models)); }
  /// Starts no lane: tasks are taken and kept, and run when the folder is opened without this.
  Settings &paused(bool paused = true) { return set("paused", paused); }
  /// Whether the program `must` can reach the platform over a socket in the data folder, which its owner alone can open; it can when
  /// not set.
  Settings &control_socket(bool listens) { return set("control_socket", listens); }
  /// Places in the shared queue.
  Settings &queue_depth(std::size_t places) { return set("queue_depth", places); }
  /// How long a submission waits for a place in a full queue before it throws `queue_overloaded`.
  Settings &queue_wait(Seconds time) { return set("queue_wait_seconds", time.count()); }
  /// How long a picture may run.
  Settings &image_limit(Seconds time) { return set("image_limit_seconds", time.count()); }
  /// How long a clip may run.
  Settings &video_limit(Seconds time) { return set("video_limit_seconds", time.count()); }
  /// When a picture that is still processing is given up.
  Settings &image_stale(Seconds time) { return set("image_stale_seconds", time.count()); }
  /// When a clip that is still processing is given up.
  Settings &video_stale(Seconds time) { return set("video_stale_seconds", time.count()); }
  /// How long an unused pipeline stays loaded.
  Settings &idle_evict(Seconds time) { return set("idle_evict_seconds", time.count()); }
  /// Least important records that a log function hears: `error`, `warn`, `info` (the default), `debug` or `trace`.
  Settings &log_level(std::string_view level) { return set("log_level", level); }
  /// Master keys as the text of a key file; stands in for `master_key_file`.
  Settings &master_key(const SecretText &keys) { return set("master_key", keys); }
  /// File of the master keys, made at the first use; `keys/master.key` in the data folder when not set.
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
  /// Addresses and networks of proxies whose `X-Forwarded-For` is believed.
  Settings &trusted_proxies(const std::vector<std::string> &networks) {
    return set("trusted_proxies", detail::json_of(networks));
  }
  /// Generation sessions that one address may start in 60 seconds, 1 to 10,000; 10 when not set.
  Settings &sessions_per_minute(std::uint32_t count) { return set("sessions_per_minute", count); }
  /// Whether people sign in: a generation session then takes an access key, and over HTTP each caller sees its own tasks alone.
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
  /// Any setting, as JSON text. Throws `validation_error` for what is none.
  Settings &set_json(std::string_view name, std::string_view json) { return set(name, Json::parse(json)); }

  /// The settings as the JSON object that the C interface takes. It may hold a secret; whoever keeps it wipes it.
  [[nodiscard]] std::string json() const { return json_.dump(); }
  /// The same as a value.
  [[nodiscard]] const Json &to_json() const noexcept { return json_; }

 private:
  Json json_;
};

}  // namespace must

#endif  // MUST_SETTINGS_HPP
