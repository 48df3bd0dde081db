/// @file
/// Accounts of workers that tasks may be sent to.
/// Made from the table in core/src/platform/calls by `cargo xtask regen`; do not edit.
#ifndef MUST_ACCOUNTS_HPP
#define MUST_ACCOUNTS_HPP

#include "call.hpp"
#include "facts.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace must {

/// Where an account stands.
enum class AccountStatus {
  unknown,  ///< One that only a later version knows.
  pending,  ///< Registered, and never checked.
  checking,  ///< Being deployed or asked for its health.
  ready,  ///< Gets tasks.
  failed,  ///< Did not pass a check, or failed a task on its way.
  disabled,  ///< Gets nothing until an administrator enables it.
};
template <>
struct detail::Names<AccountStatus> {
  static constexpr Named<AccountStatus> table[] = {
      {AccountStatus::pending, "pending"},
      {AccountStatus::checking, "checking"},
      {AccountStatus::ready, "ready"},
      {AccountStatus::failed, "failed"},
      {AccountStatus::disabled, "disabled"},
  };
};

/// Why an account failed.
struct AccountFailure {
  /// Name of an error code, such as `remote_failed`.
  std::string code;
  /// What happened.
  std::string detail;

  /// The code to branch on; `MUST_INTERNAL` for a name that the library does not know.
  [[nodiscard]] ErrorCode error_code() const noexcept {
    const std::int32_t number = must_code_from_name(code.data(), code.size());
    return number < 0 ? MUST_INTERNAL : static_cast<ErrorCode>(number);
  }

  /// Reads one out of an answer.
  [[nodiscard]] static AccountFailure from_json(const Json &json) {
    return {json["code"].get<std::string>(),
            json["detail"].get<std::string>()};
  }
};

/// The last deployment of a workspace.
struct Deployment {
  /// When it began.
  Time started_at;
  /// When the command ended; none while it runs.
  std::optional<Time> finished_at;
  /// Whether the command succeeded.
  bool ok = false;
  /// The end of what it wrote, without the account's tokens.
  std::string output;

  /// Reads one out of an answer.
  [[nodiscard]] static Deployment from_json(const Json &json) {
    return {json["started_at"].get<Time>(),
            json["finished_at"].get<std::optional<Time>>(),
            json["ok"].get<bool>(),
            json["output"].get<std::string>()};
  }
};

/// An account, without its tokens.
struct Account {
  /// Stable id.
  std::string id;
  /// What people call it.
  std::string label;
  /// Its workspace: what ids of its tasks begin with.
  std::string workspace;
  /// Where the workspace is reached.
  std::string address;
  /// Where it stands.
  AccountStatus status{};
  /// Why it failed; only while it is `failed`.
  std::optional<AccountFailure> error;
  /// Ids of the models that the worker offers; none while that is unknown.
  std::optional<std::vector<std::string>> models;
  /// Tasks that have not ended there.
  std::uint64_t active = 0;
  /// Tasks that were ever accepted there.
  std::uint64_t dispatched = 0;
  /// When it was registered.
  Time created_at;
  /// When anything last changed.
  Time updated_at;
  /// When its health was last asked for.
  std::optional<Time> checked_at;
  /// When a task was last sent to it.
  std::optional<Time> used_at;
  /// Its last deployment.
  std::optional<Deployment> deployment;

  /// Reads one out of an answer.
  [[nodiscard]] static Account from_json(const Json &json) {
    return {json["id"].get<std::string>(),
            json["label"].get<std::string>(),
            json["workspace"].get<std::string>(),
            json["address"].get<std::string>(),
            json["status"].get<AccountStatus>(),
            json["error"].get<std::optional<AccountFailure>>(),
            json["models"].get<std::optional<std::vector<std::string>>>(),
            json["active"].get<std::uint64_t>(),
            json["dispatched"].get<std::uint64_t>(),
            json["created_at"].get<Time>(),
            json["updated_at"].get<Time>(),
            json["checked_at"].get<std::optional<Time>>(),
            json["used_at"].get<std::optional<Time>>(),
            json["deployment"].get<std::optional<Deployment>>()};
  }
};

/// An account to be registered.
struct NewAccount {
  /// What people call it: 1 to 64 characters.
  std::string label;
  /// Id of the provider's token.
  SecretText token_id;
  /// The provider's token.
  SecretText token_secret;
  /// What ids of its tasks begin with: 3 to 64 of `a-z 0-9 -`. When left out it is the label, which then must be such a name.
  std::optional<std::string> workspace{};
  /// Where the workspace is reached, a base URL; made by the template of the settings when left out.
  std::optional<std::string> address{};
  /// The API key that the worker asks for; the one of the settings when left out.
  std::optional<SecretText> api_key{};
};

/// What is to be changed about an account; the rest stays.
struct AccountChange {
  /// What people call it: 1 to 64 characters.
  std::optional<std::string> label{};
  /// Where the workspace is reached, a base URL.
  std::optional<std::string> address{};
  /// Id of the provider's token; together with `token_secret`.
  std::optional<SecretText> token_id{};
  /// The provider's token; together with `token_id`.
  std::optional<SecretText> token_secret{};
  /// The API key that the worker asks for.
  std::optional<SecretText> api_key{};
};

/// Accounts of workers. An account is named by its id or its workspace. Every call also throws `dependency_unavailable` when
/// the database cannot be read or written, the vault is shut or the audit log cannot be kept, and `invalid_state` when the
/// platform is closed.
class Accounts : private detail::Service {
 public:
  /// Of the platform with this handle of must.h.
  using Service::Service;

  /// Registers an account, which is `pending` until it is checked. Throws `validation_error`, also for a workspace that is
  /// registered, and for an address that is not public and in none of the networks of the settings.
  Account add(const NewAccount &account, const MaybeCaller &caller = std::nullopt) const {
    const detail::Fields arguments = detail::Fields()
        .set("label", account.label)
        .set("token_id", account.token_id)
        .set("token_secret", account.token_secret)
        .set("workspace", account.workspace)
        .set("address", account.address)
        .set("api_key", account.api_key)
        .set("caller", caller);
    return ask<Account>("accounts.add", arguments);
  }
  /// Every account, in the order in which they were registered.
  [[nodiscard]] std::vector<Account> list() const {
    return ask<std::vector<Account>>("accounts.list");
  }
  /// One account. Throws `not_found`.
  /// @param id Id of the account, or its workspace.
  [[nodiscard]] Account get(std::string_view id) const {
    return ask<Account>("accounts.get", detail::Fields().set("id", id));
  }
  /// Changes an account; a ready one is checked again when its address, token or key changed. Throws `not_found`;
  /// `validation_error`, also for half a token.
  /// @param id Id of the account, or its workspace.
  Account update(std::string_view id, const AccountChange &change, const MaybeCaller &caller = std::nullopt) const {
    const detail::Fields arguments = detail::Fields()
        .set("id", id)
        .set("label", change.label)
        .set("address", change.address)
        .set("token_id", change.token_id)
        .set("token_secret", change.token_secret)
        .set("api_key", change.api_key)
        .set("caller", caller);
    return ask<Account>("accounts.update", arguments);
  }
  /// Checks a disabled account and takes it back in; it is `ready` or `failed` then. Throws `not_found`; `invalid_state` for
  /// an account that is not disabled.
  /// @param id Id of what the call is about.
  Account enable(std::string_view id, const MaybeCaller &caller = std::nullopt) const {
    return ask<Account>("accounts.enable", detail::Fields().set("id", id).set("caller", caller));
  }
  /// Sends nothing more to an account; the tasks that it has are followed to their end. Throws `not_found`; `invalid_state`
  /// for an account that is disabled.
  /// @param id Id of what the call is about.
  Account disable(std::string_view id, const MaybeCaller &caller = std::nullopt) const {
    return ask<Account>("accounts.disable", detail::Fields().set("id", id).set("caller", caller));
  }
  /// Asks the worker for its health once; the account is `ready` or `failed` then. Throws `not_found`; `invalid_state` for an
  /// account that is disabled or being checked.
  /// @param id Id of what the call is about.
  Account health(std::string_view id, const MaybeCaller &caller = std::nullopt) const {
    return ask<Account>("accounts.health", detail::Fields().set("id", id).set("caller", caller));
  }
  /// Deploys a workspace in the background; the account is `checking` until its health has been asked for. Throws
  /// `not_found`; `validation_error` without a command in the settings; `invalid_state` for an account that is disabled or
  /// being checked.
  /// @param id Id of what the call is about.
  Account deploy(std::string_view id, const MaybeCaller &caller = std::nullopt) const {
    return ask<Account>("accounts.deploy", detail::Fields().set("id", id).set("caller", caller));
  }
  /// Deploys every account that is neither disabled nor being checked, and gives those. Throws `validation_error` without a
  /// command in the settings.
  std::vector<Account> deploy_all(const MaybeCaller &caller = std::nullopt) const {
    return ask<std::vector<Account>>("accounts.deploy_all", detail::Fields().set("caller", caller));
  }
  /// Removes an account; what it had not finished ends failed with `remote_failed`. Throws `not_found`.
  /// @param id Id of what the call is about.
  void remove(std::string_view id, const MaybeCaller &caller = std::nullopt) const {
    ask("accounts.remove", detail::Fields().set("id", id).set("caller", caller));
  }
};

}  // namespace must

#endif  // MUST_ACCOUNTS_HPP
