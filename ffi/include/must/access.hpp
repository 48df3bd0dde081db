/// @file
/// Access control: API keys, generation sessions, admin sessions.
/// Made from the table in core/src/platform/calls by `cargo xtask regen`; do not edit.
#ifndef MUST_ACCESS_HPP
#define MUST_ACCESS_HPP

#include "call.hpp"
#include "facts.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace must {

/// A new session. Its token is shown only here.
struct IssuedSession {
  /// Stable id.
  std::string id;
  /// Name of the cookie: `gg_session` or `gg_admin_session`. It has a suffix if the request has a session of another platform
  /// on the same host in the cookie of that name.
  std::string cookie;
  /// Value of the cookie.
  SecretText token;
  /// When the session expires. Null for an admin session, which expires after a time without calls.
  std::optional<Time> expires_at;

  /// Reads it from the JSON of an answer.
  [[nodiscard]] static IssuedSession from_json(const Json &json) {
    return {json["id"].get<std::string>(),
            json["cookie"].get<std::string>(),
            json["token"].get<SecretText>(),
            json["expires_at"].get<std::optional<Time>>()};
  }
};

/// The state of a generation session.
struct SessionState {
  /// Stable id.
  std::string id;
  /// Always true: asking for a session that has ended is an error.
  bool active = false;
  /// When the session expires.
  Time expires_at;

  /// Reads it from the JSON of an answer.
  [[nodiscard]] static SessionState from_json(const Json &json) {
    return {json["id"].get<std::string>(),
            json["active"].get<bool>(),
            json["expires_at"].get<Time>()};
  }
};

namespace detail {

/// The number of sessions that a call ended.
struct EndedSessions {
  /// Number of sessions.
  std::uint64_t sessions = 0;

  /// Reads it from the JSON of an answer.
  [[nodiscard]] static EndedSessions from_json(const Json &json) {
    return {json["sessions"].get<std::uint64_t>()};
  }
};

}  // namespace detail

/// Whether a key can be used.
enum class KeyStatus {
  unknown,  ///< A value of a later version.
  active,  ///< The key is valid.
  rotated,  ///< The key was replaced, and is valid until it expires.
  expired,  ///< The key has expired.
  revoked,  ///< The key was revoked.
};
template <>
struct detail::Names<KeyStatus> {
  static constexpr Named<KeyStatus> table[] = {
      {KeyStatus::active, "active"},
      {KeyStatus::rotated, "rotated"},
      {KeyStatus::expired, "expired"},
      {KeyStatus::revoked, "revoked"},
  };
};

/// An API key without its secret.
struct ApiKey {
  /// The public part of the key: the text between its second-last and its last underscore.
  std::string id;
  /// The name that the key was issued with.
  std::string name;
  /// Whether it can be used.
  KeyStatus status{};
  /// When the key was issued.
  Time created_at;
  /// When the key expires.
  Time expires_at;
  /// When the key was revoked.
  std::optional<Time> revoked_at;
  /// Id of the key that replaced this one.
  std::optional<std::string> replaced_by;
  /// The owner of the tasks that are made with this key while the setting `sign_in_required` is on: `key:` and the id of the
  /// first key in its chain of replacements. A key that replaces another keeps its owner.
  std::string owner;

  /// Reads it from the JSON of an answer.
  [[nodiscard]] static ApiKey from_json(const Json &json) {
    return {json["id"].get<std::string>(),
            json["name"].get<std::string>(),
            json["status"].get<KeyStatus>(),
            json["created_at"].get<Time>(),
            json["expires_at"].get<Time>(),
            json["revoked_at"].get<std::optional<Time>>(),
            json["replaced_by"].get<std::optional<std::string>>(),
            json["owner"].get<std::string>()};
  }
};

/// A new key. Its secret is shown only here.
struct IssuedKey {
  /// The key.
  ApiKey key;
  /// The text to send as `X-API-Key`.
  SecretText secret;

  /// Reads it from the JSON of an answer.
  [[nodiscard]] static IssuedKey from_json(const Json &json) {
    return {json["key"].get<ApiKey>(),
            json["secret"].get<SecretText>()};
  }
};

/// The state of an admin session.
struct AdminSessionState {
  /// Stable id.
  std::string id;
  /// Always true: asking for a session that has ended is an error.
  bool active = false;
  /// How long the session may be idle.
  std::chrono::seconds idle_timeout{};
  /// When the session was last used.
  Time last_activity_at;

  /// Reads it from the JSON of an answer.
  [[nodiscard]] static AdminSessionState from_json(const Json &json) {
    return {json["id"].get<std::string>(),
            json["active"].get<bool>(),
            std::chrono::seconds(json["idle_timeout_seconds"].get<std::int64_t>()),
            json["last_activity_at"].get<Time>()};
  }
};

/// API keys and generation sessions. Every call also throws `dependency_unavailable` if the database cannot be read or
/// written, the vault is shut or the audit log cannot be written, and `invalid_state` if the platform is closed.
class Auth : private detail::Service {
 public:
  /// Makes the calls on the platform with this handle of must.h.
  using Service::Service;

  /// Determines who sent a request. Throws the code to answer the request with: `cors_origin_blocked`, `rate_limited`,
  /// `invalid_api_key`, `session_required`, `session_expired`, `admin_misconfigured`, `admin_key_invalid`,
  /// `admin_session_required` or `admin_session_expired`.
  /// @param facts Facts about the request.
  [[nodiscard]] Principal authorize(const RequestFacts &facts) const {
    return ask<Principal>("auth.authorize", detail::Fields().set("facts", facts));
  }
  /// Opens a generation session for a request of the route `auth`. The request needs an API key while the setting
  /// `sign_in_required` is on. Throws the codes of `auth.authorize`; `validation_error` for facts of another route.
  /// @param facts Facts about the request.
  [[nodiscard]] IssuedSession open_session(const RequestFacts &facts) const {
    return ask<IssuedSession>("auth.open_session", detail::Fields().set("facts", facts));
  }
  /// Returns the state of the session in the request's cookie. Throws `session_required`, `session_expired`,
  /// `cors_origin_blocked`.
  /// @param facts Facts about the request.
  [[nodiscard]] SessionState session_state(const RequestFacts &facts) const {
    return ask<SessionState>("auth.session_state", detail::Fields().set("facts", facts));
  }
  /// Ends a session. The next call with it is refused. Ending it again changes nothing. Throws `not_found`.
  /// @param id Id of the key, session, account or task that the call acts on.
  void revoke_session(std::string_view id, const MaybeCaller &caller = std::nullopt) const {
    ask("auth.revoke_session", detail::Fields().set("id", id).set("caller", caller));
  }
  /// Ends every session, and returns how many were still active.
  std::uint64_t revoke_all_sessions(const MaybeCaller &caller = std::nullopt) const {
    return ask<detail::EndedSessions>("auth.revoke_all_sessions", detail::Fields().set("caller", caller)).sessions;
  }
  /// Returns whether web pages of this origin may call the platform.
  /// @param origin The origin as the browser sends it, such as `https://studio.example`.
  [[nodiscard]] bool allows_origin(std::string_view origin) const {
    return ask<bool>("auth.allows_origin", detail::Fields().set("origin", origin));
  }
  /// Issues an API key. Throws `validation_error` if the name is not 1 to 64 characters without control characters, or if the
  /// validity is 0 or more than 90 days.
  /// @param name A name for people to read: 1 to 64 characters.
  /// @param valid_for How long the key is valid. The default is 90 days.
  [[nodiscard]] IssuedKey issue_key(std::string_view name, std::optional<Seconds> valid_for = std::nullopt,
                                    const MaybeCaller &caller = std::nullopt) const {
    const detail::Fields arguments = detail::Fields()
        .set("name", name)
        .set("valid_for_seconds", valid_for)
        .set("caller", caller);
    return ask<IssuedKey>("auth.issue_key", arguments);
  }
  /// Lists every key, also revoked ones, newest first.
  [[nodiscard]] std::vector<ApiKey> keys() const {
    return ask<std::vector<ApiKey>>("auth.keys");
  }
  /// Issues a key that replaces another one. It has the same name and the same validity period. Throws `validation_error` if
  /// the overlap is more than 7 days; `not_found`; `invalid_state` if the key was revoked, has expired or was already
  /// rotated.
  /// @param id Id of the key.
  /// @param overlap How long the old key stays valid, at most until its own expiry. The default is 24 hours.
  [[nodiscard]] IssuedKey rotate_key(std::string_view id, std::optional<Seconds> overlap = std::nullopt,
                                     const MaybeCaller &caller = std::nullopt) const {
    const detail::Fields arguments = detail::Fields()
        .set("id", id)
        .set("overlap_seconds", overlap)
        .set("caller", caller);
    return ask<IssuedKey>("auth.rotate_key", arguments);
  }
  /// Revokes a key and every session that was opened with it, and returns the number of these sessions. The next call with
  /// any of them is refused. Revoking it again changes nothing. Throws `not_found`.
  /// @param id Id of the key, session, account or task that the call acts on.
  std::uint64_t revoke_key(std::string_view id, const MaybeCaller &caller = std::nullopt) const {
    return ask<detail::EndedSessions>("auth.revoke_key", detail::Fields().set("id", id).set("caller", caller)).sessions;
  }
};

/// Admin sessions. Every call also throws `dependency_unavailable` if the database cannot be read or written, the vault is
/// shut or the audit log cannot be written, and `invalid_state` if the platform is closed.
class Admin : private detail::Service {
 public:
  /// Makes the calls on the platform with this handle of must.h.
  using Service::Service;

  /// Opens an admin session for a request of the route `admin_login`. Throws the codes of `auth.authorize`;
  /// `validation_error` for facts of another route.
  /// @param facts Facts about the request.
  [[nodiscard]] IssuedSession open_session(const RequestFacts &facts) const {
    return ask<IssuedSession>("admin.open_session", detail::Fields().set("facts", facts));
  }
  /// Returns the state of an admin session. The id is that of the principal of an authorized admin request. Throws
  /// `not_found`, `admin_session_expired`.
  /// @param id Id of the key, session, account or task that the call acts on.
  AdminSessionState session_state(std::string_view id, const MaybeCaller &caller = std::nullopt) const {
    return ask<AdminSessionState>("admin.session_state", detail::Fields().set("id", id).set("caller", caller));
  }
  /// Ends an admin session. The next call with it is refused. Ending it again changes nothing. Throws `not_found`.
  /// @param id Id of the key, session, account or task that the call acts on.
  void revoke_session(std::string_view id, const MaybeCaller &caller = std::nullopt) const {
    ask("admin.revoke_session", detail::Fields().set("id", id).set("caller", caller));
  }
  /// Ends every admin session, and returns how many were still active.
  std::uint64_t revoke_all_sessions(const MaybeCaller &caller = std::nullopt) const {
    return ask<detail::EndedSessions>("admin.revoke_all_sessions", detail::Fields().set("caller", caller)).sessions;
  }
};

}  // namespace must

#endif  // MUST_ACCESS_HPP
