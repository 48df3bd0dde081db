/// @file
/// Accounts of workers that tasks may be sent to: must::Accounts, from Platform::accounts.
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
  unknown,   ///< One that only a later version knows.
  pending,   ///< Registered, and never checked.
  checking,  ///< Being deployed or asked for its health.
  ready,     ///< Gets tasks.
  failed,    ///< Did not pass a check, or failed a task on its way.
  disabled,  ///< Gets nothing until it is enabled.
};
template <>
struct detail::Names<AccountStatus> {
  static constexpr Named<AccountStatus> table[] = {{AccountStatus::pending, "pending"},
                                                   {AccountStatus::checking, "checking"},
                                                   {AccountStatus::ready, "ready"},
                                                   {AccountStatus::failed, "failed"},
                                                   {AccountStatus::disabled, "disabled"}};
};

/// Why an account failed.
struct AccountFailure {
  std::string code;    ///< Name of an error code, such as `remote_failed`.
  std::string detail;  ///< What happened.

  /// The code to branch on; `MUST_INTERNAL` for a name that the library does not know.
  [[nodiscard]] ErrorCode error_code() const noexcept {
    const std::int32_t number = must_code_from_name(code.data(), code.size());
    return number < 0 ? MUST_INTERNAL : static_cast<ErrorCode>(number);
  }

  /// Reads a failure out of an answer.
  [[nodiscard]] static AccountFailure from_json(const Json &json) {
    return {json["code"].get<std::string>(), json["detail"].get<std::string>()};
  }
};

/// The last deployment of a workspace.
struct Deployment {
  Time started_at;                  ///< When it began.
  std::optional<Time> finished_at;  ///< When the command ended; none while it runs.
  bool ok = false;                  ///< Whether the command succeeded.
  std::string output;               ///< The end of what it wrote, without the account's tokens.

  /// Reads a deployment out of an answer.
  [[nodiscard]] static Deployment from_json(const Json &json) {
    return {json["started_at"].get<Time>(), json["finished_at"].get<std::optional<Time>>(), json["ok"].get<bool>(),
            json["output"].get<std::string>()};
  }
};

/// An account, without its tokens.
struct Account {
  std::string id;                                  ///< Stable id.
  std::string label;                               ///< What people call it.
  std::string workspace;                           ///< What ids of its tasks begin with.
  std::string address;                             ///< Where the workspace is reached.
  AccountStatus status{};                          ///< Where it stands.
  std::optional<AccountFailure> error;             ///< Why it failed; only while it is failed.
  std::optional<std::vector<std::string>> models;  ///< Ids of the models that the worker offers; none while that is unknown.
  std::uint64_t active = 0;                        ///< Tasks that have not ended there.
  std::uint64_t dispatched = 0;                    ///< Tasks that were ever accepted there.
  Time created_at;                                 ///< When it was registered.
  Time updated_at;                                 ///< When anything last changed.
  std::optional<Time> checked_at;                  ///< When its health was last asked for.
  std::optional<Time> used_at;                     ///< When a task was last sent to it.
  std::optional<Deployment> deployment;            ///< Its last deployment.

  /// Reads an account out of an answer.
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
  std::string label;                       ///< What people call it.
  SecretText token_id;                     ///< The one half of its token.
  SecretText token_secret;                 ///< The other half.
  std::optional<std::string> workspace{};  ///< The label when not said.
  std::optional<std::string> address{};    ///< Made by the template of the settings when not said.
  std::optional<SecretText> api_key{};     ///< The API key that the worker asks for; the one of the settings when not said.
};

/// What is to be changed about an account; the rest stays.
struct AccountChange {
  std::optional<std::string> label{};        ///< What people call it.
  std::optional<std::string> address{};      ///< Where the workspace is reached.
  std::optional<SecretText> token_id{};      ///< The two halves of its token
  std::optional<SecretText> token_secret{};  ///< are changed together.
  std::optional<SecretText> api_key{};       ///< The API key that the worker asks for.
};

/// Accounts of the workers of a platform; `id` is an account's id or its workspace. Every call also throws
/// `dependency_unavailable` when the database cannot be read or written, the vault is shut or the audit log cannot be kept, and
/// `invalid_state` when the platform is closed. No error and no answer holds a token.
class Accounts : private detail::Service {
 public:
  /// Of the platform with this handle of must.h.
  using Service::Service;

  /// Registers an account, which is `pending` until it is checked. Throws `validation_error`, also for a workspace that is
  /// registered, and for an address that is not public and in none of the networks of the settings.
  [[nodiscard]] Account add(const NewAccount &account, const MaybeCaller &caller = std::nullopt) const {
    detail::Fields arguments;
    arguments.set("label", account.label).set("token_id", account.token_id).set("token_secret", account.token_secret);
    arguments.set("workspace", account.workspace).set("address", account.address).set("api_key", account.api_key);
    return ask<Account>("accounts.add", arguments.set("caller", caller));
  }
  /// Every account, in the order in which they were registered.
  [[nodiscard]] std::vector<Account> list() const { return ask<std::vector<Account>>("accounts.list"); }
  /// One account. Throws `not_found`.
  [[nodiscard]] Account get(std::string_view id) const { return ask<Account>("accounts.get", detail::Fields().set("id", id)); }
  /// Changes an account; a ready one is checked again when its address, token or key changed. Throws `not_found`,
  /// `validation_error`, also for half a token.
  Account update(std::string_view id, const AccountChange &change, const MaybeCaller &caller = std::nullopt) const {
    detail::Fields arguments;
    arguments.set("id", id).set("label", change.label).set("address", change.address).set("token_id", change.token_id);
    arguments.set("token_secret", change.token_secret).set("api_key", change.api_key);
    return ask<Account>("accounts.update", arguments.set("caller", caller));
  }
  /// Checks a disabled account and takes it back in; it is `ready` or `failed` then. Throws `not_found`; `invalid_state` for an
  /// account that is not disabled.
  Account enable(std::string_view id, const MaybeCaller &caller = std::nullopt) const {
    return on_account("accounts.enable", id, caller);
  }
  /// Sends nothing more to an account; the tasks that it has are followed to their end. Throws `not_found`; `invalid_state` for
  /// an account that is disabled.
  Account disable(std::string_view id, const MaybeCaller &caller = std::nullopt) const {
    return on_account("accounts.disable", id, caller);
  }
  /// Asks the worker for its health once; the account is `ready` or `failed` then. Throws `not_found`; `invalid_state` for an
  /// account that is disabled or being checked.
  Account health(std::string_view id, const MaybeCaller &caller = std::nullopt) const {
    return on_account("accounts.health", id, caller);
  }
  /// Deploys a workspace in the background; the account is `checking` until its health has been asked for. Throws `not_found`;
  /// `validation_error` without a command in the settings; `invalid_state` for an account that is disabled or being checked.
  Account deploy(std::string_view id, const MaybeCaller &caller = std::nullopt) const {
    return on_account("accounts.deploy", id, caller);
  }
  /// Deploys every account that is neither disabled nor being checked, and gives those. Throws `validation_error` without a
  /// command in the settings.
  std::vector<Account> deploy_all(const MaybeCaller &caller = std::nullopt) const {
    return ask<std::vector<Account>>("accounts.deploy_all", detail::Fields().set("caller", caller));
  }
  /// Lets an account go; what it had not finished ends failed with `remote_failed`. Throws `not_found`.
  void remove(std::string_view id, const MaybeCaller &caller = std::nullopt) const {
    ask("accounts.remove", detail::Fields().set("id", id).set("caller", caller));
  }

 private:
  [[nodiscard]] Account on_account(std::string_view name, std::string_view id, const MaybeCaller &caller) const {
    return ask<Account>(name, detail::Fields().set("id", id).set("caller", caller));
  }
};

}  // namespace must

#endif  // MUST_ACCOUNTS_HPP
