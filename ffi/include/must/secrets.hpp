/// @file
/// Secrets that the platform keeps sealed: must::Secrets, from Platform::secrets.
#ifndef MUST_SECRETS_HPP
#define MUST_SECRETS_HPP

#include "call.hpp"
#include "facts.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace must {

/// Where a version of a secret stands.
enum class SecretState {
  unknown,      ///< One that only a later version knows.
  valid,        ///< In use.
  overlapping,  ///< Replaced, and still good for a while.
  expired,      ///< Past its rotation limit, or its overlap is over.
  revoked,      ///< Revoked.
};
template <>
struct detail::Names<SecretState> {
  static constexpr Named<SecretState> table[] = {{SecretState::valid, "valid"},
                                                 {SecretState::overlapping, "overlapping"},
                                                 {SecretState::expired, "expired"},
                                                 {SecretState::revoked, "revoked"}};
};

/// How one version of a secret stands. Holds nothing of the secret.
struct SecretStatus {
  std::string name;                   ///< What it is stored under; `key:ID` for an API key.
  std::string kind;                   ///< What kind of secret it is.
  std::string id;                     ///< Id of the version.
  SecretState state{};                ///< Where it stands.
  Time issued_at;                     ///< When it was stored.
  Time rotate_by;                     ///< When it is due to be rotated.
  std::optional<Time> overlap_until;  ///< Until when it is good beside the version after it.
  std::optional<Time> revoked_at;     ///< When it was revoked.

  /// Reads a status out of an answer.
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

/// Secrets in the vault of a platform. Every call also throws `dependency_unavailable` while the vault is shut or the audit log
/// cannot be kept, and `invalid_state` when the platform is closed. No error quotes a secret.
class Secrets : private detail::Service {
 public:
  /// Of the platform with this handle of must.h.
  using Service::Service;

  /// How every secret stands, with API keys, the admin key and the audit key among them.
  [[nodiscard]] std::vector<SecretStatus> status() const { return ask<std::vector<SecretStatus>>("secrets.status"); }
  /// Keeps a secret under a name, sealed; one that has the name already is replaced at once. Throws `validation_error` for a
  /// name that is not 1 to 64 of `a-z 0-9 _ -` or that holds an account's tokens, and for a value that is empty.
  void put(std::string_view name, const SecretText &value, const MaybeCaller &caller = std::nullopt) const {
    ask("secrets.put", detail::Fields().set("name", name).set("value", value).set("caller", caller));
  }
  /// Keeps a provider's token with its scopes (`inference`, `model:download`) and the environment that it is for (`dev`, `stage`,
  /// `prod`), which must be the platform's own. Throws `validation_error` for a wider scope or another environment.
  void put_provider_token(std::string_view name, const SecretText &value, const std::vector<std::string> &scopes,
                          std::string_view environment, const MaybeCaller &caller = std::nullopt) const {
    detail::Fields arguments;
    arguments.set("name", name).set("value", value).set("scopes", scopes).set("environment", environment);
    ask("secrets.put_provider_token", arguments.set("caller", caller));
  }
  /// The secret itself. Throws `not_found`; `dependency_unavailable` when it was revoked, is past its rotation limit, does not
  /// open or, for a provider token, is not for this environment.
  [[nodiscard]] SecretText get(std::string_view name) const {
    return ask<SecretText>("secrets.get", detail::Fields().set("name", name));
  }
  /// Puts `value`, or for a secret of the platform's own a new one, in a secret's place. The old one stays good for `overlap`
  /// (not at all when not said) where its kind has an overlap. Throws `validation_error`, `not_found`.
  void rotate(std::string_view name, const std::optional<SecretText> &value = std::nullopt,
              std::optional<Seconds> overlap = std::nullopt, const MaybeCaller &caller = std::nullopt) const {
    ask("secrets.rotate", detail::Fields().set("name", name).set("value", value).set("overlap", overlap).set("caller", caller));
  }
  /// Ends a secret at once, every version of it. Throws `not_found`; `validation_error` for the master key, which is rotated, and for
  /// the pepper, which takes its name twice.
  void revoke(std::string_view name, const MaybeCaller &caller = std::nullopt) const {
    ask("secrets.revoke", detail::Fields().set("name", name).set("caller", caller));
  }
  /// The same, confirmed by the same name again: revoking `pepper` ends every API key and session at once. A new pepper is made in the
  /// same change, so that whoever has the admin key can sign in.
  void revoke(std::string_view name, std::string_view confirm, const MaybeCaller &caller = std::nullopt) const {
    ask("secrets.revoke", detail::Fields().set("name", name).set("confirm", confirm).set("caller", caller));
  }
};

}  // namespace must

#endif  // MUST_SECRETS_HPP
