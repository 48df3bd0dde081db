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

/// The state of an account.
enum class AccountStatus {
  unknown,  ///< A value of a later version.
  pending,  ///< Registered, but never checked.
  checking,  ///< Being deployed or checked.
  ready,  ///< It gets tasks.
  failed,  ///< It did not pass a check, or a task could not be sent to it.
  disabled,  ///< It gets no tasks until an administrator enables it.
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

  /// The code to branch on. It is `MUST_INTERNAL` if the library does not know the name.
  [[nodiscard]] ErrorCode error_code() const noexcept { return detail::code_from(code); }

  /// Reads it from the JSON of an answer.
  [[nodiscard]] static AccountFailure from_json(const Json &json) {
    return {json["code"].get<std::string>(),
            json["detail"].get<std::string>()};
  }
};

/// The last deployment of a workspace.
struct Deployment {
  /// When it began.
  Time started_at;
  /// When the command ended. Null while it runs.
  std::optional<Time> finished_at;
  /// Whether the command succeeded. False while it runs.
  bool ok = false;
  /// The last part of the command's output, without the account's tokens.
  std::string output;

  /// Reads it from the JSON of an answer.
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
  /// A name for people to read.
  std::string label;
  /// Its workspace. The ids of its tasks begin with it.
  std::string workspace;
  /// The base URL of the workspace.
  std::string address;
  /// Its state.
  AccountStatus status{};
  /// Why it failed. Given only while the state is `failed`.
  std::optional<AccountFailure> error;
  /// Ids of the models that the worker offers. Null while they are unknown.
  std::optional<std::vector<std::string>> models;
  /// Number of tasks at this worker or on their way to it that have not ended.
  std::uint64_t active = 0;
  /// Number of tasks that this worker has ever accepted.
  std::uint64_t dispatched = 0;
  /// When it was registered.
  Time created_at;
  /// When the account last changed.
  Time updated_at;
  /// When the last check of the account ended.
  std::optional<Time> checked_at;
  /// When a task was last sent to it.
  std::optional<Time> used_at;
  /// Its last deployment.
  std::optional<Deployment> deployment;

  /// Reads it from the JSON of an answer.
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

/// The account to register.
struct NewAccount {
  /// A name for people to read: 1 to 64 characters.
  std::string label;
  /// Id of the provider's token.
  SecretText token_id;
  /// The provider's token.
  SecretText token_secret;
  /// Its workspace: 3 to 64 of the characters `a-z 0-9 -`. The ids of its tasks begin with it. The default is the label,
  /// which then must have this form.
  std::optional<std::string> workspace{};
  /// The base URL of the workspace. The default is made from the template of the settings.
  std::optional<std::string> address{};
  /// The API key that the worker requires. The default is the key of the settings.
  std::optional<SecretText> api_key{};
};

/// The changes to an account. Everything that is not given stays as it is.
struct AccountChange {
  /// A name for people to read: 1 to 64 characters.
  std::optional<std::string> label{};
  /// The base URL of the workspace.
  std::optional<std::string> address{};
  /// Id of the provider's token. It must be given together with `token_secret`.
  std::optional<SecretText> token_id{};
  /// The provider's token. It must be given together with `token_id`.
  std::optional<SecretText> token_secret{};
  /// The API key that the worker requires.
  std::optional<SecretText> api_key{};
};

/// Accounts of workers. An account is named by its id or its workspace. Every call also throws `dependency_unavailable` if
/// the database cannot be read or written, the vault is shut or the audit log cannot be written, and `invalid_state` if the
/// platform is closed.
class Accounts : private detail::Service {
 public:
  /// Makes the calls on the platform with this handle of must.h.
  using Service::Service;

  /// Registers an account. It is `pending` until it is checked. Throws `validation_error`, also if the workspace is already
  /// registered, or if the address is neither public nor in one of the networks of the settings.
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
  /// Lists every account in the order of registration.
  [[nodiscard]] std::vector<Account> list() const {
    return ask<std::vector<Account>>("accounts.list");
  }
  /// Returns one account. Throws `not_found`.
  /// @param id Id of the account, or its workspace.
  [[nodiscard]] Account get(std::string_view id) const {
    return ask<Account>("accounts.get", detail::Fields().set("id", id));
  }
  /// Changes an account. If it is ready or being checked and its address, token or key has changed, it is checked again.
  /// Throws `not_found`; `validation_error`, also if only one of `token_id` and `token_secret` is given.
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
  /// Checks a disabled account and enables it. Its status is then `ready` or `failed`. Throws `not_found`; `invalid_state` if
  /// the account is not disabled.
  /// @param id Id of the key, session, account or task that the call acts on.
  Account enable(std::string_view id, const MaybeCaller &caller = std::nullopt) const {
    return ask<Account>("accounts.enable", detail::Fields().set("id", id).set("caller", caller));
  }
  /// Sends no more tasks to an account. Its unfinished tasks are still followed until they end. Throws `not_found`;
  /// `invalid_state` if the account is already disabled.
  /// @param id Id of the key, session, account or task that the call acts on.
  Account disable(std::string_view id, const MaybeCaller &caller = std::nullopt) const {
    return ask<Account>("accounts.disable", detail::Fields().set("id", id).set("caller", caller));
  }
  /// Asks the worker for its health once. The status of the account is then `ready` or `failed`. Throws `not_found`;
  /// `invalid_state` if the account is disabled or being checked.
  /// @param id Id of the key, session, account or task that the call acts on.
  Account health(std::string_view id, const MaybeCaller &caller = std::nullopt) const {
    return ask<Account>("accounts.health", detail::Fields().set("id", id).set("caller", caller));
  }
  /// Deploys a workspace in the background. The status of the account is `checking` until the worker has been asked for its
  /// health. Throws `not_found`; `validation_error` if the settings have no deploy command; `invalid_state` if the account is
  /// disabled or being checked.
  /// @param id Id of the key, session, account or task that the call acts on.
  Account deploy(std::string_view id, const MaybeCaller &caller = std::nullopt) const {
    return ask<Account>("accounts.deploy", detail::Fields().set("id", id).set("caller", caller));
  }
  /// Deploys every account that is neither disabled nor being checked, and returns these accounts. Throws `validation_error`
  /// if the settings have no deploy command.
  std::vector<Account> deploy_all(const MaybeCaller &caller = std::nullopt) const {
    return ask<std::vector<Account>>("accounts.deploy_all", detail::Fields().set("caller", caller));
  }
  /// Removes an account. Its unfinished tasks fail with `remote_failed`. Throws `not_found`.
  /// @param id Id of the key, session, account or task that the call acts on.
  void remove(std::string_view id, const MaybeCaller &caller = std::nullopt) const {
    ask("accounts.remove", detail::Fields().set("id", id).set("caller", caller));
  }
};

}  // namespace must

#endif  // MUST_ACCOUNTS_HPP
