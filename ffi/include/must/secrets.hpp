/// @file
/// Secrets, which the platform stores encrypted.
/// Made from the table in core/src/platform/calls by `cargo xtask regen`; do not edit.
#ifndef MUST_SECRETS_HPP
#define MUST_SECRETS_HPP

#include "call.hpp"
#include "facts.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace must {

/// The state of a secret.
enum class SecretState {
  unknown,  ///< A value of a later version.
  valid,  ///< In use.
  overlapping,  ///< Replaced, but still accepted until its overlap ends.
  expired,  ///< Past its rotation limit, or replaced and past its overlap.
  revoked,  ///< Revoked.
};
template <>
struct detail::Names<SecretState> {
  static constexpr Named<SecretState> table[] = {
      {SecretState::valid, "valid"},
      {SecretState::overlapping, "overlapping"},
      {SecretState::expired, "expired"},
      {SecretState::revoked, "revoked"},
  };
};

/// Facts about a secret, without its value.
struct SecretStatus {
  /// Name to rotate or revoke it by.
  std::string name;
  /// `master_key`, `pepper`, `provider_token`, `stored`, `api_key`, `admin_key` or `audit_key`.
  std::string kind;
  /// Tells secrets of the same name apart.
  std::string id;
  /// The state of the secret.
  SecretState state{};
  /// When it was made. For a key that is kept elsewhere, when it was first seen.
  Time issued_at;
  /// When it must be replaced at the latest. After that it is `expired`, except a pepper, which stays in use.
  Time rotate_by;
  /// Until when it is accepted after it was replaced.
  std::optional<Time> overlap_until;
  /// When it was revoked.
  std::optional<Time> revoked_at;

  /// Reads it from the JSON of an answer.
  [[nodiscard]] static SecretStatus from_json(const Json &json) {
    return {json["name"].get<std::string>(),
            json["kind"].get<std::string>(),
            json["id"].get<std::string>(),
            json["state"].get<SecretState>(),
            json["issued_at"].get<Time>(),
            json["rotate_by"].get<Time>(),
            json["overlap_until"].get<std::optional<Time>>(),
            json["revoked_at"].get<std::optional<Time>>()};
  }
};

/// Secrets, which are encrypted at rest. Every call also throws `dependency_unavailable` if the database cannot be read or
/// written, the vault is shut or the audit log cannot be written, and `invalid_state` if the platform is closed.
class Secrets : private detail::Service {
 public:
  /// Makes the calls on the platform with this handle of must.h.
  using Service::Service;

  /// Returns the state of every secret, including API keys (`key:ID`), the admin key and the audit key.
  [[nodiscard]] std::vector<SecretStatus> status() const {
    return ask<std::vector<SecretStatus>>("secrets.status");
  }
  /// Stores a secret under a name, encrypted. An existing secret of this name is replaced immediately. Throws
  /// `validation_error` if the name is not 1 to 64 of the characters `a-z 0-9 _ -`, if it is `master_key`, `pepper`,
  /// `admin_key`, `api_key` or `audit_key`, if it is the name of an account's tokens, or if the value is empty.
  /// @param name Name of the secret.
  /// @param value The secret.
  void put(std::string_view name, const SecretText &value, const MaybeCaller &caller = std::nullopt) const {
    ask("secrets.put", detail::Fields().set("name", name).set("value", value).set("caller", caller));
  }
  /// Stores a provider's token together with its scopes and its environment. Throws `validation_error` if a scope is not
  /// allowed or the environment is not the platform's own.
  /// @param name Name of the secret.
  /// @param value The token.
  /// @param scopes What the token may be used for: `inference`, `model:download`.
  /// @param environment The environment that the token is for: `dev`, `stage` or `prod`. It must be the platform's own.
  void put_provider_token(std::string_view name, const SecretText &value, const std::vector<std::string> &scopes,
                          std::string_view environment, const MaybeCaller &caller = std::nullopt) const {
    const detail::Fields arguments = detail::Fields()
        .set("name", name)
        .set("value", value)
        .set("scopes", scopes)
        .set("environment", environment)
        .set("caller", caller);
    ask("secrets.put_provider_token", arguments);
  }
  /// Returns the value of a secret. Throws `not_found`; `dependency_unavailable` if the secret was revoked, is past its
  /// rotation limit or cannot be decrypted; `validation_error` if it is a provider token for another environment.
  /// @param name Name of the secret.
  [[nodiscard]] SecretText get(std::string_view name) const {
    return ask<SecretText>("secrets.get", detail::Fields().set("name", name));
  }
  /// Replaces a secret with `value`, or, if it is one of the platform's own secrets, with a new random value. Throws
  /// `not_found`; `validation_error` if the overlap is more than 7 days, if `value` is missing or must not be given, and for
  /// API keys, the keys of the settings and the tokens of accounts.
  /// @param name Name of the secret.
  /// @param value The new value of a secret that comes from outside. `master_key`, `pepper` and `audit_key` get random
  /// values.
  /// @param overlap How long the old value stays valid, if this kind of secret has an overlap: 7 days at most. The default is
  /// one day over HTTP, and 0 otherwise.
  void rotate(std::string_view name, const std::optional<SecretText> &value = std::nullopt,
              std::optional<Seconds> overlap = std::nullopt, const MaybeCaller &caller = std::nullopt) const {
    const detail::Fields arguments = detail::Fields()
        .set("name", name)
        .set("value", value)
        .set("overlap_seconds", overlap)
        .set("caller", caller);
    ask("secrets.rotate", arguments);
  }
  /// Revokes every version of a secret immediately. Revoking `pepper` also ends every API key and session, and requires the
  /// name again as `confirm`. A new pepper is made in the same change, so that an administrator can sign in with the admin
  /// key. Throws `not_found`; `validation_error` for the master key and the audit key, which can only be rotated, for
  /// `admin_key` and `api_key`, which are settings, and if `confirm` is another name or is missing for `pepper`.
  /// @param name Name of the secret.
  void revoke(std::string_view name, const MaybeCaller &caller = std::nullopt) const {
    ask("secrets.revoke", detail::Fields().set("name", name).set("caller", caller));
  }
  /// Revokes every version of a secret immediately. Revoking `pepper` also ends every API key and session, and requires the
  /// name again as `confirm`. A new pepper is made in the same change, so that an administrator can sign in with the admin
  /// key. Throws `not_found`; `validation_error` for the master key and the audit key, which can only be rotated, for
  /// `admin_key` and `api_key`, which are settings, and if `confirm` is another name or is missing for `pepper`.
  /// @param name Name of the secret.
  /// @param confirm The name of the secret again. Required for `pepper`, because revoking it ends every API key and session,
  /// including the caller's own.
  void revoke(std::string_view name, std::string_view confirm, const MaybeCaller &caller = std::nullopt) const {
    ask("secrets.revoke", detail::Fields().set("name", name).set("confirm", confirm).set("caller", caller));
  }
};

}  // namespace must

#endif  // MUST_SECRETS_HPP
