/// @file
/// Who may call: API keys, generation sessions, admin sessions. must::Auth and must::Admin, from Platform::auth and ::admin.
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

/// Whether an API key is good.
enum class KeyStatus {
  unknown,  ///< One that only a later version knows.
  active,   ///< It is.
  rotated,  ///< It was replaced; while its overlap lasts, it still is.
  expired,  ///< It has ended by itself.
  revoked,  ///< It was revoked.
};
template <>
struct detail::Names<KeyStatus> {
  static constexpr Named<KeyStatus> table[] = {{KeyStatus::active, "active"},
                                               {KeyStatus::rotated, "rotated"},
                                               {KeyStatus::expired, "expired"},
                                               {KeyStatus::revoked, "revoked"}};
};

/// An API key without its secret.
struct ApiKey {
  std::string id;                          ///< Stable id.
  std::string name;                        ///< What a person calls it.
  KeyStatus status{};                      ///< Whether it is good.
  Time created_at;                         ///< When it was issued.
  Time expires_at;                         ///< When it ends by itself.
  std::optional<Time> revoked_at;          ///< When it was revoked.
  std::optional<std::string> replaced_by;  ///< Id of the key that took its place.
  /// Whose tasks are made with it while the setting `sign_in_required` is on; a key that is replaced hands this on.
  std::string owner;

  /// Reads a key out of an answer.
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

/// A new key. Its secret is shown this once.
struct IssuedKey {
  ApiKey key;         ///< The key.
  SecretText secret;  ///< What a caller sends as `X-API-Key`.

  /// Reads the answer of `auth.issue_key`.
  [[nodiscard]] static IssuedKey from_json(const Json &json) {
    return {json["key"].get<ApiKey>(), json["secret"].get<SecretText>()};
  }
};

/// A new session. Its token is shown this once.
struct IssuedSession {
  std::string id;                  ///< Stable id.
  std::string cookie;              ///< Name of the cookie: `gg_session` or `gg_admin_session`, where no other platform's is in it.
  SecretText token;                ///< Value of the cookie.
  std::optional<Time> expires_at;  ///< When it ends by itself; none for an admin session, which ends when it is idle.

  /// Reads the answer of `auth.open_session`.
  [[nodiscard]] static IssuedSession from_json(const Json &json) {
    return {json["id"].get<std::string>(), json["cookie"].get<std::string>(), json["token"].get<SecretText>(),
            json["expires_at"].get<std::optional<Time>>()};
  }
};

/// How a generation session stands.
struct SessionState {
  std::string id;       ///< Stable id.
  bool active = false;  ///< Whether it is good.
  Time expires_at;      ///< When it ends by itself.

  /// Reads the answer of `auth.session_state`.
  [[nodiscard]] static SessionState from_json(const Json &json) {
    return {json["id"].get<std::string>(), json["active"].get<bool>(), json["expires_at"].get<Time>()};
  }
};

/// How an admin session stands.
struct AdminSessionState {
  std::string id;                       ///< Stable id.
  bool active = false;                  ///< Whether it is good.
  std::chrono::seconds idle_timeout{};  ///< How long it may be idle.
  Time last_activity_at;                ///< When it was last used.

  /// Reads the answer of `admin.session_state`.
  [[nodiscard]] static AdminSessionState from_json(const Json &json) {
    return {json["id"].get<std::string>(), json["active"].get<bool>(),
            std::chrono::seconds(json["idle_timeout_seconds"].get<std::int64_t>()), json["last_activity_at"].get<Time>()};
  }
};

namespace detail {

/// How many sessions a call ended.
struct EndedSessions {
  std::uint64_t sessions = 0;

  static EndedSessions from_json(const Json &json) { return {json["sessions"].get<std::uint64_t>()}; }
};

}  // namespace detail

/// API keys and generation sessions of a platform. Every call also throws `dependency_unavailable` when the database cannot be
/// read or written or the audit log cannot be kept, and `invalid_state` when the platform is closed.
class Auth : private detail::Service {
 public:
  /// Of the platform with this handle of must.h.
  using Service::Service;

  /// Says who a request is from. Throws what it is to be answered with: `cors_origin_blocked`, `rate_limited`,
  /// `invalid_api_key`, `session_required`, `session_expired`, `admin_misconfigured`, `admin_key_invalid`,
  /// `admin_session_required`, `admin_session_expired`; `validation_error` for a peer that is no address.
  [[nodiscard]] Principal authorize(const RequestFacts &facts) const {
    return ask<Principal>("auth.authorize", detail::Fields().set("facts", facts));
  }
  /// Opens a generation session for a request of the route `auth`. Throws as `authorize`; `validation_error` for facts of
  /// another route.
  [[nodiscard]] IssuedSession open_session(const RequestFacts &facts) const {
    return ask<IssuedSession>("auth.open_session", detail::Fields().set("facts", facts));
  }
  /// How the session in the request's cookie stands. Throws `session_required`, `session_expired`, `cors_origin_blocked`.
  [[nodiscard]] SessionState session_state(const RequestFacts &facts) const {
    return ask<SessionState>("auth.session_state", detail::Fields().set("facts", facts));
  }
  /// Ends a session, from the next call on. Ending it again changes nothing. Throws `not_found`.
  void revoke_session(std::string_view id, const MaybeCaller &caller = std::nullopt) const {
    ask("auth.revoke_session", detail::Fields().set("id", id).set("caller", caller));
  }
  /// Ends every session; how many were still going.
  std::uint64_t revoke_all_sessions(const MaybeCaller &caller = std::nullopt) const {
    return ask<detail::EndedSessions>("auth.revoke_all_sessions", detail::Fields().set("caller", caller)).sessions;
  }
  /// Whether a browser's page of this origin may call.
  [[nodiscard]] bool allows_origin(std::string_view origin) const {
    return ask<bool>("auth.allows_origin", detail::Fields().set("origin", origin));
  }
  /// Issues an API key that is good for `valid_for`, 90 days when not said. Throws `validation_error` for a name that is not 1
  /// to 64 characters without control characters, and for a life of 0 or of more than 90 days.
  [[nodiscard]] IssuedKey issue_key(std::string_view name, std::optional<Seconds> valid_for = std::nullopt,
                                    const MaybeCaller &caller = std::nullopt) const {
    return ask<IssuedKey>("auth.issue_key", detail::Fields().set("name", name).set("valid_for", valid_for).set("caller", caller));
  }
  /// Every key, newest first, revoked ones too.
  [[nodiscard]] std::vector<ApiKey> keys() const { return ask<std::vector<ApiKey>>("auth.keys"); }
  /// Issues a key in the place of another, with its name and as long a life. The old one stays good for `overlap`, 24 hours
  /// when not said, but not beyond its own end. Throws `validation_error` for an overlap of more than 7 days; `not_found`;
  /// `invalid_state` for a key that was revoked, has expired or was rotated already.
  [[nodiscard]] IssuedKey rotate_key(std::string_view id, std::optional<Seconds> overlap = std::nullopt,
                                     const MaybeCaller &caller = std::nullopt) const {
    return ask<IssuedKey>("auth.rotate_key", detail::Fields().set("id", id).set("overlap", overlap).set("caller", caller));
  }
  /// Revokes a key and every session that was opened with it, from the next call on; how many sessions these were. Revoking it
  /// again changes nothing. Throws `not_found`.
  std::uint64_t revoke_key(std::string_view id, const MaybeCaller &caller = std::nullopt) const {
    return ask<detail::EndedSessions>("auth.revoke_key", detail::Fields().set("id", id).set("caller", caller)).sessions;
  }
};

/// Admin sessions of a platform. Every call also throws as those of must::Auth do.
class Admin : private detail::Service {
 public:
  /// Of the platform with this handle of must.h.
  using Service::Service;

  /// Opens an admin session for a request of the route `admin_login`. Throws as Auth::authorize; `validation_error` for facts of
  /// another route.
  [[nodiscard]] IssuedSession open_session(const RequestFacts &facts) const {
    return ask<IssuedSession>("admin.open_session", detail::Fields().set("facts", facts));
  }
  /// How a session stands; `id` is that of the principal that an authorized admin call is from. Throws `not_found`,
  /// `admin_session_expired`.
  [[nodiscard]] AdminSessionState session_state(std::string_view id, const MaybeCaller &caller = std::nullopt) const {
    return ask<AdminSessionState>("admin.session_state", detail::Fields().set("id", id).set("caller", caller));
  }
  /// Ends a session, from the next call on. Ending it again changes nothing. Throws `not_found`.
  void revoke_session(std::string_view id, const MaybeCaller &caller = std::nullopt) const {
    ask("admin.revoke_session", detail::Fields().set("id", id).set("caller", caller));
  }
  /// Ends every admin session; how many were still going.
  std::uint64_t revoke_all_sessions(const MaybeCaller &caller = std::nullopt) const {
    return ask<detail::EndedSessions>("admin.revoke_all_sessions", detail::Fields().set("caller", caller)).sessions;
  }
};

}  // namespace must

#endif  // MUST_ACCESS_HPP
