/// @file
/// The settings of a platform: must::Settings, which contains must::HttpSettings and must::WorkerSettings.
/// Made from core/src/settings by `cargo xtask regen`; do not edit.
#ifndef MUST_SETTINGS_HPP
#define MUST_SETTINGS_HPP

#include "json.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace must {

/// Settings of the HTTP service. Settings that are not given have their defaults.
class HttpSettings {
 public:
  /// Whether session cookies are sent only over HTTPS. Browsers make an exception for `localhost`. The default is true.
  HttpSettings &session_cookie_secure(bool value) { return set("session_cookie_secure", value); }
  /// Which requests from other sites carry session cookies. The default is `strict`.
  /// - `strict`: The cookies are never sent with requests from other sites.
  /// - `lax`: Of the requests from other sites, only those that follow a link carry the cookies.
  /// - `none`: The cookies are always sent. This is for a user interface on another site, over HTTPS.
  HttpSettings &session_cookie_same_site(std::string_view value) { return set("session_cookie_same_site", value); }
  /// Path of session cookies. With `/` browsers send them with every request to the host. If a proxy serves the platform
  /// under its own path, set that path, so that other services of the host do not receive the cookies. The default is `/`.
  HttpSettings &session_cookie_path(std::string_view value) { return set("session_cookie_path", value); }
  /// Text that is added to the names of session cookies after an underscore: `studio` gives `gg_session_studio`. Without it
  /// the names are `gg_session` and `gg_admin_session`, and the platform chooses others if a request has another platform's
  /// session in them. Platforms on one host need the suffix if they cannot see each other's cookies: one over HTTPS and one
  /// over HTTP.
  HttpSettings &session_cookie_suffix(std::string_view value) { return set("session_cookie_suffix", value); }
  /// Where clients reach the service, such as `https://example.com/must`. Absolute addresses in answers begin with it.
  /// Without it they are made from the headers of each request.
  HttpSettings &public_url(std::string_view value) { return set("public_url", value); }
  /// Callers that send this text as a bearer token may call `GET /metrics`. Without it only administrators may.
  HttpSettings &scrape_token(const SecretText &value) { return set("scrape_token", value); }
  /// Largest size of a request's body in bytes. The default is 33,554,432.
  HttpSettings &max_body_bytes(std::uint64_t value) { return set("max_body_bytes", value); }
  /// Largest number of open connections. Further ones wait. The default is 4,096.
  HttpSettings &max_connections(std::uint64_t value) { return set("max_connections", value); }
  /// Time limit for the headers of a request, and for an idle connection between two requests. The default is 10 seconds.
  HttpSettings &header_timeout(Seconds value) { return set("header_timeout_seconds", value.count()); }
  /// Longest time during which no part of a request's body arrives, or the client reads no part of an answer. The default is
  /// 30 seconds.
  HttpSettings &body_timeout(Seconds value) { return set("body_timeout_seconds", value.count()); }
  /// How long pictures that were requested with an `Idempotency-Key` are still made after their caller has disconnected.
  /// Until then the same call returns them. After that they are cancelled, and the same call makes new ones. The default is
  /// 60 seconds.
  HttpSettings &retry_window(Seconds value) { return set("retry_window_seconds", value.count()); }
  /// Smallest average speed of a request's body in bytes per second. A body may take one `body_timeout` longer than this
  /// speed requires. 0 means no limit. The default is 1,024.
  HttpSettings &body_bytes_per_second(std::uint64_t value) { return set("body_bytes_per_second", value); }
  /// Time limit for the whole body of a request. The default is 3,600 seconds.
  HttpSettings &body_time_limit(Seconds value) { return set("body_time_limit_seconds", value.count()); }
  /// Time between two keep-alive messages of an idle event stream. The default is 15 seconds.
  HttpSettings &event_keep_alive(Seconds value) { return set("event_keep_alive_seconds", value.count()); }

  /// Sets one setting by its name in JSON. A duration is a number of seconds, and its name ends in `_seconds`.
  HttpSettings &set(std::string_view name, Json value) {
    json_.set(name, std::move(value));
    return *this;
  }
  /// The settings as a JSON object.
  [[nodiscard]] const Json &to_json() const noexcept { return json_; }

 private:
  Json json_ = Json::object();
};

/// Settings of workers: how they are reached and deployed. Settings that are not given have their defaults.
class WorkerSettings {
 public:
  /// Template for the address of an account that has none, such as `https://{workspace}--must.modal.run`. Without a template
  /// every account needs an address.
  WorkerSettings &address_template(std::string_view value) { return set("address_template", value); }
  /// Addresses and networks where workers may be, in addition to public addresses. `http://` is allowed only there.
  WorkerSettings &networks(const std::vector<std::string> &value) { return set("networks", detail::json_of(value)); }
  /// The API key that workers require. It is used for accounts without their own key.
  WorkerSettings &api_key(const SecretText &value) { return set("api_key", value); }
  /// Program and arguments that deploy a workspace. `{workspace}` and `{label}` are replaced. The program runs in the folder
  /// that was the working folder of the process when the platform was opened.
  WorkerSettings &deploy_command(const std::vector<std::string> &value) { return set("deploy_command", detail::json_of(value)); }
  /// Time limit for a deployment. The default is 300 seconds.
  WorkerSettings &deploy_limit(Seconds value) { return set("deploy_limit_seconds", value.count()); }
  /// Time limit for connecting. The default is 3 seconds.
  WorkerSettings &connect_timeout(Seconds value) { return set("connect_timeout_seconds", value.count()); }
  /// Time limit for an answer. It must be longer than a submission may wait for a place in the queue of a worker. The default
  /// is 40 seconds.
  WorkerSettings &answer_timeout(Seconds value) { return set("answer_timeout_seconds", value.count()); }
  /// Time limit for the transfer of a result. The default is 900 seconds.
  WorkerSettings &transfer_timeout(Seconds value) { return set("transfer_timeout_seconds", value.count()); }
  /// Largest size of a result from a worker, in bytes. The default is 268,435,456.
  WorkerSettings &max_result_bytes(std::uint64_t value) { return set("max_result_bytes", value); }
  /// How many times a worker is asked for its health after a deployment. The default is 12.
  WorkerSettings &health_tries(std::uint32_t value) { return set("health_tries", value); }
  /// Time between two of these requests. The default is 5 seconds.
  WorkerSettings &health_pause(Seconds value) { return set("health_pause_seconds", value.count()); }
  /// Longest time between two requests for the status of a task at a worker. The first requests follow each other faster. The
  /// default is 1 second.
  WorkerSettings &poll_interval(Seconds value) { return set("poll_interval_seconds", value.count()); }
  /// Time between two automatic checks of a failed account. 0 means that there are none. The default is 60 seconds.
  WorkerSettings &recheck_interval(Seconds value) { return set("recheck_interval_seconds", value.count()); }

  /// Sets one setting by its name in JSON. A duration is a number of seconds, and its name ends in `_seconds`.
  WorkerSettings &set(std::string_view name, Json value) {
    json_.set(name, std::move(value));
    return *this;
  }
  /// The settings as a JSON object.
  [[nodiscard]] const Json &to_json() const noexcept { return json_; }

 private:
  Json json_ = Json::object();
};

/// The settings of a platform. Settings that are not given have their defaults.
class Settings {
 public:
  /// @param data_dir Folder of the database and the results. It is made if it does not exist. Only one process can have it
  /// open at a time.
  explicit Settings(std::string_view data_dir) { json_.set("data_dir", data_dir); }

  /// Folder that contains one folder of weights for each model. The default is `models` in the data folder.
  Settings &models_dir(std::string_view value) { return set("models_dir", value); }
  /// Catalog file to use instead of the built-in catalog.
  Settings &catalog(std::string_view value) { return set("catalog", value); }
  /// Whether inference runs on the CPU or on a GPU. The default is `auto`.
  /// - `auto`: The first GPU that works. If there is none, the CPU.
  /// - `cpu`: The CPU.
  /// - `cuda`: The first NVIDIA GPU. Opening the platform fails if there is none.
  Settings &device(std::string_view value) { return set("device", value); }
  /// Number of threads for inference on the CPU. 0 means one for each core. The default is 0.
  Settings &threads(std::uint64_t value) { return set("threads", value); }
  /// Models that get their own lane, so that no task of another model evicts their pipeline.
  Settings &lanes(const std::vector<std::string> &value) { return set("lanes", detail::json_of(value)); }
  /// Whether tasks are kept without running. They run when the folder is opened again without this setting.
  Settings &paused(bool value = true) { return set("paused", value); }
  /// Whether the program `must` can reach this platform while it is open, over a socket in the data folder
  /// (`run/control.sock`) that only the folder's owner can open. The default is true.
  Settings &control_socket(bool value) { return set("control_socket", value); }
  /// Number of places in the shared queue. The default is 25.
  Settings &queue_depth(std::uint64_t value) { return set("queue_depth", value); }
  /// How long a submission waits for a place in a full queue before it fails with `queue_overloaded`. The default is 30
  /// seconds.
  Settings &queue_wait(Seconds value) { return set("queue_wait_seconds", value.count()); }
  /// Time limit for generating a picture. The default is 300 seconds.
  Settings &image_limit(Seconds value) { return set("image_limit_seconds", value.count()); }
  /// Time limit for generating a clip. The default is 900 seconds.
  Settings &video_limit(Seconds value) { return set("video_limit_seconds", value.count()); }
  /// Time after which a picture that is still processing fails with `task_stale`. The default is 600 seconds.
  Settings &image_stale(Seconds value) { return set("image_stale_seconds", value.count()); }
  /// Time after which a clip that is still processing fails with `task_stale`. The default is 1,800 seconds.
  Settings &video_stale(Seconds value) { return set("video_stale_seconds", value.count()); }
  /// How long an unused pipeline stays loaded. The default is 300 seconds.
  Settings &idle_evict(Seconds value) { return set("idle_evict_seconds", value.count()); }
  /// Least important level of log records that the host's log function receives. The default is `info`.
  /// - `error`: Something was lost, or will be unless a person acts.
  /// - `warn`: Something is wrong, but work continues.
  /// - `info`: Information for the person who runs the platform.
  /// - `debug`: What the platform does, such as loading and unloading pipelines.
  /// - `trace`: Everything.
  Settings &log_level(std::string_view value) { return set("log_level", value); }
  /// Master keys as the text of a key file. If given, `master_key_file` is not used.
  Settings &master_key(const SecretText &value) { return set("master_key", value); }
  /// File of the master keys. The default is `keys/master.key` in the data folder. It is made when it is first needed. Keep a
  /// copy of it, and preferably do not keep it in the same place as the data.
  Settings &master_key_file(std::string_view value) { return set("master_key_file", value); }
  /// File of the keys that sign the audit log. The default is `keys/audit.key` in the data folder.
  Settings &audit_key_file(std::string_view value) { return set("audit_key_file", value); }
  /// File to which checkpoints of the audit log are appended. The default is `audit.anchors` in the data folder. It protects
  /// best if people who can change the data folder cannot change this file.
  Settings &audit_anchor_file(std::string_view value) { return set("audit_anchor_file", value); }
  /// The key that opens admin sessions, at least 16 characters.
  Settings &admin_key(const SecretText &value) { return set("admin_key", value); }
  /// Origins of pages that may call from another site, exactly as browsers and web views send them:
  /// `https://studio.example:8443`, `tauri://localhost`.
  Settings &frontend_origins(const std::vector<std::string> &value) { return set("frontend_origins", detail::json_of(value)); }
  /// Addresses and networks of proxies whose `X-Forwarded-For` is trusted: `10.0.0.7`, `fd00::/8`.
  Settings &trusted_proxies(const std::vector<std::string> &value) { return set("trusted_proxies", detail::json_of(value)); }
  /// How many generation sessions one address may start in 60 seconds, 1 to 10,000. Raise it if many people share an address.
  /// The default is 10.
  Settings &sessions_per_minute(std::uint32_t value) { return set("sessions_per_minute", value); }
  /// Whether people must sign in. Starting a generation session then requires an API key, each task has an owner, and over
  /// HTTP each caller sees only its own tasks. Administrators and the host see all tasks.
  Settings &sign_in_required(bool value = true) { return set("sign_in_required", value); }
  /// The environment that this platform runs in. Provider tokens for another environment are refused. The default is `dev`.
  /// - `dev`: A developer's machine.
  /// - `stage`: A system for testing.
  /// - `prod`: The production system.
  Settings &environment(std::string_view value) { return set("environment", value); }
  /// An API key that the operator chooses, at least 16 characters. It is valid as long as it is set.
  Settings &api_key(const SecretText &value) { return set("api_key", value); }
  /// Settings of the HTTP service: bodies, connections, cookies.
  Settings &http(const HttpSettings &value) { return set("http", value.to_json()); }
  /// Settings of workers that tasks may be sent to: how they are reached and deployed.
  Settings &workers(const WorkerSettings &value) { return set("workers", value.to_json()); }

  /// Sets one setting by its name in JSON. A duration is a number of seconds, and its name ends in `_seconds`.
  Settings &set(std::string_view name, Json value) {
    json_.set(name, std::move(value));
    return *this;
  }
  /// Sets one setting to a value that is given as JSON text. Throws `validation_error` if the text is not JSON.
  Settings &set_json(std::string_view name, std::string_view json) { return set(name, Json::parse(json)); }

  /// The settings as the JSON object that the C interface takes. It may contain a secret, so wipe it after use.
  [[nodiscard]] std::string json() const { return json_.dump(); }
  /// The settings as a JSON object.
  [[nodiscard]] const Json &to_json() const noexcept { return json_; }

 private:
  Json json_ = Json::object();
};

}  // namespace must

#endif  // MUST_SETTINGS_HPP
