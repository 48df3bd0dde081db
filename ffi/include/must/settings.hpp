/// @file
/// How a platform is set up: must::Settings, with must::HttpSettings and must::WorkerSettings in it.
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

/// Settings of the HTTP service. What is left out has its default.
class HttpSettings {
 public:
  /// Whether session cookies are for HTTPS only. Browsers make an exception for `localhost`. True when left out.
  HttpSettings &session_cookie_secure(bool value) { return set("session_cookie_secure", value); }
  /// Which requests from other sites carry session cookies. `strict` when left out.
  /// - `strict`: Never with requests from other sites.
  /// - `lax`: Only when a link from another site is followed.
  /// - `none`: Always: for a user interface on another site, over HTTPS.
  HttpSettings &session_cookie_same_site(std::string_view value) { return set("session_cookie_same_site", value); }
  /// Path of session cookies: `/` sends them with every request to the host; behind a proxy that serves the platform under a
  /// path of its own, that path keeps them from everything else that the host serves. `/` when left out.
  HttpSettings &session_cookie_path(std::string_view value) { return set("session_cookie_path", value); }
  /// Added to the names of session cookies after an underscore: `studio` makes `gg_session_studio`. Without it the names are
  /// `gg_session` and `gg_admin_session`, unless a request brings another platform's session in them. Platforms on one host
  /// need it where they cannot see each other's cookies: one over HTTPS and one over HTTP.
  HttpSettings &session_cookie_suffix(std::string_view value) { return set("session_cookie_suffix", value); }
  /// Where clients reach the service, such as `https://example.com/must`: what absolute addresses in answers begin with.
  /// Without it they are made of what each request says.
  HttpSettings &public_url(std::string_view value) { return set("public_url", value); }
  /// Opens `GET /metrics` to callers that send it as a bearer token; without it only an admin session does.
  HttpSettings &scrape_token(const SecretText &value) { return set("scrape_token", value); }
  /// Bytes of a request's body. 33,554,432 when left out.
  HttpSettings &max_body_bytes(std::uint64_t value) { return set("max_body_bytes", value); }
  /// Connections that are open at once; more wait. 4,096 when left out.
  HttpSettings &max_connections(std::uint64_t value) { return set("max_connections", value); }
  /// How long a request's headers may take to arrive, and a connection may wait for the next request. 10 seconds when left
  /// out.
  HttpSettings &header_timeout(Seconds value) { return set("header_timeout_seconds", value.count()); }
  /// How long no piece of a request's body may come, and a client may take nothing of an answer. 30 seconds when left out.
  HttpSettings &body_timeout(Seconds value) { return set("body_timeout_seconds", value.count()); }
  /// How long pictures that were asked for under an `Idempotency-Key` go on to be made when their caller has gone: the same
  /// call gets them until then. After that they are ended, and the same call makes new ones. 60 seconds when left out.
  HttpSettings &retry_window(Seconds value) { return set("retry_window_seconds", value.count()); }
  /// Bytes of a body that have to come each second on average, beyond one `body_timeout` that is granted; 0 for any number.
  /// 1,024 when left out.
  HttpSettings &body_bytes_per_second(std::uint64_t value) { return set("body_bytes_per_second", value); }
  /// How long a request's body may take as a whole. 3,600 seconds when left out.
  HttpSettings &body_time_limit(Seconds value) { return set("body_time_limit_seconds", value.count()); }
  /// How often an idle event stream says that it lives. 15 seconds when left out.
  HttpSettings &event_keep_alive(Seconds value) { return set("event_keep_alive_seconds", value.count()); }

  /// Any of these by its name in JSON; a duration is a number of seconds, and its name ends in `_seconds`.
  HttpSettings &set(std::string_view name, Json value) {
    json_.set(name, std::move(value));
    return *this;
  }
  /// The settings as a JSON object.
  [[nodiscard]] const Json &to_json() const noexcept { return json_; }

 private:
  Json json_ = Json::object();
};

/// How workers are reached and deployed. What is left out has its default.
class WorkerSettings {
 public:
  /// Where a workspace is when its account names no address: `https://{workspace}--must.modal.run`.
  WorkerSettings &address_template(std::string_view value) { return set("address_template", value); }
  /// Addresses and networks besides the public ones that workers may be at; only there `http://` will do.
  WorkerSettings &networks(const std::vector<std::string> &value) { return set("networks", detail::json_of(value)); }
  /// The API key that workers ask for, where an account has none of its own.
  WorkerSettings &api_key(const SecretText &value) { return set("api_key", value); }
  /// Program and arguments that deploy a workspace; `{workspace}` and `{label}` are filled in. It runs in the folder that the
  /// process worked in when the platform was opened.
  WorkerSettings &deploy_command(const std::vector<std::string> &value) { return set("deploy_command", detail::json_of(value)); }
  /// How long a deployment may take. 300 seconds when left out.
  WorkerSettings &deploy_limit(Seconds value) { return set("deploy_limit_seconds", value.count()); }
  /// How long connecting may take. 3 seconds when left out.
  WorkerSettings &connect_timeout(Seconds value) { return set("connect_timeout_seconds", value.count()); }
  /// How long an answer may take: longer than workers let a submission wait for a place in their queue. 40 seconds when left
  /// out.
  WorkerSettings &answer_timeout(Seconds value) { return set("answer_timeout_seconds", value.count()); }
  /// How long the transfer of a result may take. 900 seconds when left out.
  WorkerSettings &transfer_timeout(Seconds value) { return set("transfer_timeout_seconds", value.count()); }
  /// Bytes of a result that is fetched from a worker. 268,435,456 when left out.
  WorkerSettings &max_result_bytes(std::uint64_t value) { return set("max_result_bytes", value); }
  /// How often health is asked for after a deployment. 12 when left out.
  WorkerSettings &health_tries(std::uint32_t value) { return set("health_tries", value); }
  /// The time between two of these. 5 seconds when left out.
  WorkerSettings &health_pause(Seconds value) { return set("health_pause_seconds", value.count()); }
  /// How often a worker is asked how a task stands. 1 second when left out.
  WorkerSettings &poll_interval(Seconds value) { return set("poll_interval_seconds", value.count()); }
  /// How often a failed account is checked again by itself; 0 means never. 60 seconds when left out.
  WorkerSettings &recheck_interval(Seconds value) { return set("recheck_interval_seconds", value.count()); }

  /// Any of these by its name in JSON; a duration is a number of seconds, and its name ends in `_seconds`.
  WorkerSettings &set(std::string_view name, Json value) {
    json_.set(name, std::move(value));
    return *this;
  }
  /// The settings as a JSON object.
  [[nodiscard]] const Json &to_json() const noexcept { return json_; }

 private:
  Json json_ = Json::object();
};

/// How a platform is set up. What is left out has its default.
class Settings {
 public:
  /// Folder of the database and the results; made when absent. One process at a time.
  explicit Settings(std::string_view data_dir) { set("data_dir", data_dir); }

  /// Folder with one folder of weights a model; `models` in the data folder when left out.
  Settings &models_dir(std::string_view value) { return set("models_dir", value); }
  /// A catalog file that stands in for the built-in one.
  Settings &catalog(std::string_view value) { return set("catalog", value); }
  /// Whether inference runs on the CPU or on a GPU. `auto` when left out.
  /// - `auto`: The first GPU that works, else the CPU.
  /// - `cpu`: The CPU.
  /// - `cuda`: The first NVIDIA GPU; opening fails without one.
  Settings &device(std::string_view value) { return set("device", value); }
  /// Threads that inference on the CPU uses; 0 means one a core. 0 when left out.
  Settings &threads(std::uint64_t value) { return set("threads", value); }
  /// Models that get a lane of their own, where their pipeline stays warm.
  Settings &lanes(const std::vector<std::string> &value) { return set("lanes", detail::json_of(value)); }
  /// Whether tasks stay where they are: nothing runs until the folder is opened again without this.
  Settings &paused(bool value = true) { return set("paused", value); }
  /// Whether the program `must` can reach this platform while it is open, over a socket in the data folder
  /// (`run/control.sock`) that only the folder's owner can open. True when left out.
  Settings &control_socket(bool value) { return set("control_socket", value); }
  /// Places in the shared queue. 25 when left out.
  Settings &queue_depth(std::uint64_t value) { return set("queue_depth", value); }
  /// How long a submission waits for a place in a full queue before `queue_overloaded`. 30 seconds when left out.
  Settings &queue_wait(Seconds value) { return set("queue_wait_seconds", value.count()); }
  /// How long a picture may run. 300 seconds when left out.
  Settings &image_limit(Seconds value) { return set("image_limit_seconds", value.count()); }
  /// How long a clip may run. 900 seconds when left out.
  Settings &video_limit(Seconds value) { return set("video_limit_seconds", value.count()); }
  /// When a picture that is still processing is given up. 600 seconds when left out.
  Settings &image_stale(Seconds value) { return set("image_stale_seconds", value.count()); }
  /// When a clip that is still processing is given up. 1,800 seconds when left out.
  Settings &video_stale(Seconds value) { return set("video_stale_seconds", value.count()); }
  /// How long an unused pipeline stays loaded. 300 seconds when left out.
  Settings &idle_evict(Seconds value) { return set("idle_evict_seconds", value.count()); }
  /// Least important records that the host's log function hears. `info` when left out.
  /// - `error`: Something was lost, or will be unless a person acts.
  /// - `warn`: Something is not as it should be, and work goes on.
  /// - `info`: Something that a person running the platform may want to know.
  /// - `debug`: What the platform does, such as loading and letting go of pipelines.
  /// - `trace`: Everything.
  Settings &log_level(std::string_view value) { return set("log_level", value); }
  /// Master keys as the text of a key file; stands in for `master_key_file`.
  Settings &master_key(const SecretText &value) { return set("master_key", value); }
  /// File of the master keys; `keys/master.key` in the data folder when left out. Made at the first use; keep a copy, and
  /// better keep it elsewhere than the data.
  Settings &master_key_file(std::string_view value) { return set("master_key_file", value); }
  /// File of the keys that sign the audit log; `keys/audit.key` in the data folder when left out.
  Settings &audit_key_file(std::string_view value) { return set("audit_key_file", value); }
  /// File that checkpoints of the audit log are appended to; `audit.anchors` in the data folder when left out. It protects
  /// best where nobody who can change the data folder can reach it.
  Settings &audit_anchor_file(std::string_view value) { return set("audit_anchor_file", value); }
  /// The key that opens admin sessions, at least 16 characters.
  Settings &admin_key(const SecretText &value) { return set("admin_key", value); }
  /// Origins of pages that may call from another site, exactly as browsers and web views send them:
  /// `https://studio.example:8443`, `tauri://localhost`.
  Settings &frontend_origins(const std::vector<std::string> &value) { return set("frontend_origins", detail::json_of(value)); }
  /// Addresses and networks of proxies whose `X-Forwarded-For` is believed: `10.0.0.7`, `fd00::/8`.
  Settings &trusted_proxies(const std::vector<std::string> &value) { return set("trusted_proxies", detail::json_of(value)); }
  /// Generation sessions that one address may start in 60 seconds, 1 to 10,000; raise it where many people share one. 10 when
  /// left out.
  Settings &sessions_per_minute(std::uint32_t value) { return set("sessions_per_minute", value); }
  /// Whether people sign in: a generation session then takes an access key, each task has an owner, and over HTTP each caller
  /// sees only its own tasks. Administrators and the host see all.
  Settings &sign_in_required(bool value = true) { return set("sign_in_required", value); }
  /// Where this platform runs; provider tokens for another environment are refused. `dev` when left out.
  /// - `dev`: A developer's machine.
  /// - `stage`: For trying out.
  /// - `prod`: The real thing.
  Settings &environment(std::string_view value) { return set("environment", value); }
  /// An API key of the operator's own, at least 16 characters, good for as long as it is set.
  Settings &api_key(const SecretText &value) { return set("api_key", value); }
  /// Settings of the HTTP service: bodies, connections, cookies.
  Settings &http(const HttpSettings &value) { return set("http", value.to_json()); }
  /// How workers that tasks may be sent to are reached and deployed.
  Settings &workers(const WorkerSettings &value) { return set("workers", value.to_json()); }

  /// Any of these by its name in JSON; a duration is a number of seconds, and its name ends in `_seconds`.
  Settings &set(std::string_view name, Json value) {
    json_.set(name, std::move(value));
    return *this;
  }
  /// The same, as JSON text. Throws `validation_error` for what is none.
  Settings &set_json(std::string_view name, std::string_view json) { return set(name, Json::parse(json)); }

  /// The settings as the JSON object that the C interface takes. It may hold a secret: wipe it after use.
  [[nodiscard]] std::string json() const { return json_.dump(); }
  /// The settings as a JSON object.
  [[nodiscard]] const Json &to_json() const noexcept { return json_; }

 private:
  Json json_ = Json::object();
};

}  // namespace must

#endif  // MUST_SETTINGS_HPP
