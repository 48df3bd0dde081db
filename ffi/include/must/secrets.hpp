/// @file
/// Secrets that the platform keeps sealed.
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
  unknown,  ///< One that only a later version knows.
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
  /// When it must be replaced at the latest.
  Time rotate_by;
  /// Until when it is accepted after it was replaced.
  std::optional<Time> overlap_until;
  /// When it was revoked.
  std::optional<Time> revoked_at;

  /// Reads one out of an answer.
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

/// Secrets, encrypted at rest. Every call also throws `dependency_unavailable` when the database cannot be read or written,
/// the vault is shut or the audit log cannot be kept, and `invalid_state` when the platform is closed.
class Secrets : private detail::Service {
 public:
  /// Of the platform with this handle of must.h.
  using Service::Service;

  /// How every secret stands, with API keys (`key:ID`), the admin key and the audit key among them.
  [[nodiscard]] std::vector<SecretStatus> status() const {
    return ask<std::vector<SecretStatus>>("secrets.status");
  }
  /// Keeps a secret under a name, sealed; one that has the name already is replaced at once. Throws `validation_error` for a
  /// name that is not 1 to 64 of `a-z 0-9 _ -` or that holds an account's tokens, and for a value that is empty.
  /// @param name What it is stored under.
  /// @param value The secret.
  void put(std::string_view name, const SecretText &value, const MaybeCaller &caller = std::nullopt) const {
    ask("secrets.put", detail::Fields().set("name", name).set("value", value).set("caller", caller));
  }
  /// Keeps a provider's token with what it may be used for and the environment that it is for. Throws `validation_error` for
  /// a wider scope or another environment than the platform's own.
  /// @param name What it is stored under.
  /// @param value The token.
  /// @param scopes What it may be used for: `inference`, `model:download`.
  /// @param environment What it is for: `dev`, `stage` or `prod`, which must be the platform's own.
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
  /// The secret itself. Throws `not_found`; `dependency_unavailable` when it was revoked, is past its rotation limit, does
  /// not open or, for a provider token, is not for this environment.
  /// @param name What it is stored under.
  [[nodiscard]] SecretText get(std::string_view name) const {
    return ask<SecretText>("secrets.get", detail::Fields().set("name", name));
  }
  /// Puts `value`, or for a secret of the platform's own a new one, in a secret's place. Throws `validation_error`,
  /// `not_found`.
  /// @param name What it is stored under.
  /// @param value The new value, for a secret that comes from outside; `master_key`, `pepper` and `audit_key` are drawn at
  /// random.
  /// @param overlap How long the old value stays good, where its kind has an overlap: 7 days at most. When left out, a day
  /// over HTTP, and otherwise not at all.
  void rotate(std::string_view name, const std::optional<SecretText> &value = std::nullopt,
              std::optional<Seconds> overlap = std::nullopt, const MaybeCaller &caller = std::nullopt) const {
    const detail::Fields arguments = detail::Fields()
        .set("name", name)
        .set("value", value)
        .set("overlap_seconds", overlap)
        .set("caller", caller);
    ask("secrets.rotate", arguments);
  }
  /// Ends a secret at once, every version of it. Revoking `pepper` ends every API key and session, and takes its name again
  /// as `confirm`; a new pepper is made in the same change, so that an administrator can sign in with the admin key. Throws
  /// `not_found`; `validation_error` for the master key, which is rotated.
  /// @param name What it is stored under.
  void revoke(std::string_view name, const MaybeCaller &caller = std::nullopt) const {
    ask("secrets.revoke", detail::Fields().set("name", name).set("caller", caller));
  }
  /// Ends a secret at once, every version of it. Revoking `pepper` ends every API key and session, and takes its name again
  /// as `confirm`; a new pepper is made in the same change, so that an administrator can sign in with the admin key. Throws
  /// `not_found`; `validation_error` for the master key, which is rotated.
  /// @param name What it is stored under.
  /// @param confirm The secret's name again. Needed for `pepper`, which ends every API key and session with it, the caller's
  /// own too.
  void revoke(std::string_view name, std::string_view confirm, const MaybeCaller &caller = std::nullopt) const {
    ask("secrets.revoke", detail::Fields().set("name", name).set("confirm", confirm).set("caller", caller));
  }
};

}  // namespace must

#endif  // MUST_SECRETS_HPP
