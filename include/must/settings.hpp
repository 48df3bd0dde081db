/// @file
/// How a platform is set up: must::Settings.
#ifndef MUST_SETTINGS_HPP
#define MUST_SETTINGS_HPP

#include "json.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace must {

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
  /// Places in the shared queue.
  Settings &queue_depth(std::size_t places) { return set("queue_depth", places); }
  /// How long a submission waits for a place in a full queue before it throws `queue_overloaded`.
  Settings &queue_wait(Seconds time) { return set("queue_wait", time.count()); }
  /// How long a picture may run.
  Settings &image_limit(Seconds time) { return set("image_limit", time.count()); }
  /// How long a clip may run.
  Settings &video_limit(Seconds time) { return set("video_limit", time.count()); }
  /// When a picture that is still processing is given up.
  Settings &image_stale(Seconds time) { return set("image_stale", time.count()); }
  /// When a clip that is still processing is given up.
  Settings &video_stale(Seconds time) { return set("video_stale", time.count()); }
  /// How long an unused pipeline stays loaded.
  Settings &idle_evict(Seconds time) { return set("idle_evict", time.count()); }
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
  /// Browser origins that may call from another site, exactly as browsers send them.
  Settings &frontend_origins(const std::vector<std::string> &origins) {
    return set("frontend_origins", detail::json_of(origins));
  }
  /// Addresses and networks of proxies whose `X-Forwarded-For` is believed.
  Settings &trusted_proxies(const std::vector<std::string> &networks) {
    return set("trusted_proxies", detail::json_of(networks));
  }
  /// An API key of the operator's own, at least 16 characters.
  Settings &api_key(const SecretText &key) { return set("api_key", key); }
  /// The HTTP face, a JSON object: `session_cookie_secure`, `session_cookie_same_site`, `scrape_token` and so on.
  Settings &http(Json settings) { return set("http", std::move(settings)); }
  /// Workers that tasks may be sent to, a JSON object: `address_template`, `networks`, `api_key`, `deploy_command` and so on.
  Settings &workers(Json settings) { return set("workers", std::move(settings)); }
  /// Where this platform runs: `dev`, `stage` or `prod`; provider tokens for another environment are refused.
  Settings &environment(std::string_view environment) { return set("environment", environment); }

  /// Any setting; durations are seconds.
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
