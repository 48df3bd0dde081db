// Made from the table in core/src/platform/calls by `cargo xtask regen`. Do not edit.

// Accounts of workers that tasks may be sent to.

import { invoke, optionalText, optionsOf } from "../administration";
import type { CallerOptions } from "../administration";
import type { Calls } from "../calls";
import { textArgument } from "../request";

/**
 * The state of an account.
 * - `pending`: Registered, but never checked.
 * - `checking`: Being deployed or checked.
 * - `ready`: It gets tasks.
 * - `failed`: It did not pass a check, or a task could not be sent to it.
 * - `disabled`: It gets no tasks until an administrator enables it.
 */
export type AccountStatus = "pending" | "checking" | "ready" | "failed" | "disabled";

/** Why an account failed. */
export interface AccountFailure {
  /** Name of an error code, such as `remote_failed`. */
  code: string;
  /** What happened. */
  detail: string;
}

/** The last deployment of a workspace. */
export interface Deployment {
  /** When it began. */
  started_at: string;
  /** When the command ended. Null while it runs. */
  finished_at: string | null;
  /** Whether the command succeeded. False while it runs. */
  ok: boolean;
  /** The last part of the command's output, without the account's tokens. */
  output: string;
}

/** An account, without its tokens. */
export interface Account {
  /** Stable id. */
  id: string;
  /** A name for people to read. */
  label: string;
  /** Its workspace. The ids of its tasks begin with it. */
  workspace: string;
  /** The base URL of the workspace. */
  address: string;
  /** Its state. */
  status: AccountStatus;
  /** Why it failed. Given only while the state is `failed`. */
  error: AccountFailure | null;
  /** Ids of the models that the worker offers. Null while they are unknown. */
  models: string[] | null;
  /** Number of tasks at this worker or on their way to it that have not ended. */
  active: number;
  /** Number of tasks that this worker has ever accepted. */
  dispatched: number;
  /** When it was registered. */
  created_at: string;
  /** When the account last changed. */
  updated_at: string;
  /** When the last check of the account ended. */
  checked_at: string | null;
  /** When a task was last sent to it. */
  used_at: string | null;
  /** Its last deployment. */
  deployment: Deployment | null;
}

/** The account to register. */
export interface NewAccount {
  /** Id of the provider's token. */
  tokenId: string;
  /** The provider's token. */
  tokenSecret: string;
  /**
   * Its workspace: 3 to 64 of the characters `a-z 0-9 -`. The ids of its tasks begin with it. The default is the label, which then
   * must have this form.
   */
  workspace?: string | undefined;
  /** The base URL of the workspace. The default is made from the template of the settings. */
  address?: string | undefined;
  /** The API key that the worker requires. The default is the key of the settings. */
  apiKey?: string | undefined;
}

/** The changes to an account. Everything that is not given stays as it is. */
export interface AccountChange {
  /** A name for people to read: 1 to 64 characters. */
  label?: string | undefined;
  /** The base URL of the workspace. */
  address?: string | undefined;
  /** Id of the provider's token. It must be given together with `token_secret`. */
  tokenId?: string | undefined;
  /** The provider's token. It must be given together with `token_id`. */
  tokenSecret?: string | undefined;
  /** The API key that the worker requires. */
  apiKey?: string | undefined;
}

/** Accounts of workers. An account is named by its id or its workspace. */
export class Accounts {
  readonly #calls: Calls;

  /** @internal */
  constructor(calls: Calls) {
    this.#calls = calls;
  }

  /**
   * Registers an account. It is `pending` until it is checked.
   * @param label A name for people to read: 1 to 64 characters.
   * @throws MustError `validation_error`, also if the workspace is already registered, or if the address is neither public nor in one
   * of the networks of the settings.
   */
  async add(label: string, account: NewAccount, options?: CallerOptions): Promise<Account> {
    const { tokenId, tokenSecret, workspace, address, apiKey } = optionsOf(account);
    const { caller } = optionsOf(options);
    const given = {
      label: textArgument("label", label),
      token_id: textArgument("tokenId", tokenId),
      token_secret: textArgument("tokenSecret", tokenSecret),
      workspace: optionalText("workspace", workspace),
      address: optionalText("address", address),
      api_key: optionalText("apiKey", apiKey),
      caller,
    };
    return invoke(this.#calls, "accounts.add", given);
  }

  /** Lists every account in the order of registration. */
  async list(): Promise<Account[]> {
    return invoke(this.#calls, "accounts.list");
  }

  /**
   * Returns one account.
   * @param id Id of the account, or its workspace.
   * @throws MustError `not_found`.
   */
  async get(id: string): Promise<Account> {
    return invoke(this.#calls, "accounts.get", { id: textArgument("id", id) });
  }

  /**
   * Changes an account. If it is ready or being checked and its address, token or key has changed, it is checked again.
   * @param id Id of the account, or its workspace.
   * @throws MustError `not_found`; `validation_error`, also if only one of `token_id` and `token_secret` is given.
   */
  async update(id: string, change: AccountChange, options?: CallerOptions): Promise<Account> {
    const { label, address, tokenId, tokenSecret, apiKey } = optionsOf(change);
    const { caller } = optionsOf(options);
    const given = {
      id: textArgument("id", id),
      label: optionalText("label", label),
      address: optionalText("address", address),
      token_id: optionalText("tokenId", tokenId),
      token_secret: optionalText("tokenSecret", tokenSecret),
      api_key: optionalText("apiKey", apiKey),
      caller,
    };
    return invoke(this.#calls, "accounts.update", given);
  }

  /**
   * Checks a disabled account and enables it. Its status is then `ready` or `failed`.
   * @param id Id of the key, session, account or task that the call acts on.
   * @throws MustError `not_found`; `invalid_state` if the account is not disabled.
   */
  async enable(id: string, options?: CallerOptions): Promise<Account> {
    const { caller } = optionsOf(options);
    return invoke(this.#calls, "accounts.enable", { id: textArgument("id", id), caller });
  }

  /**
   * Sends no more tasks to an account. Its unfinished tasks are still followed until they end.
   * @param id Id of the key, session, account or task that the call acts on.
   * @throws MustError `not_found`; `invalid_state` if the account is already disabled.
   */
  async disable(id: string, options?: CallerOptions): Promise<Account> {
    const { caller } = optionsOf(options);
    return invoke(this.#calls, "accounts.disable", { id: textArgument("id", id), caller });
  }

  /**
   * Asks the worker for its health once. The status of the account is then `ready` or `failed`.
   * @param id Id of the key, session, account or task that the call acts on.
   * @throws MustError `not_found`; `invalid_state` if the account is disabled or being checked.
   */
  async health(id: string, options?: CallerOptions): Promise<Account> {
    const { caller } = optionsOf(options);
    return invoke(this.#calls, "accounts.health", { id: textArgument("id", id), caller });
  }

  /**
   * Deploys a workspace in the background. The status of the account is `checking` until the worker has been asked for its health.
   * @param id Id of the key, session, account or task that the call acts on.
   * @throws MustError `not_found`; `validation_error` if the settings have no deploy command; `invalid_state` if the account is
   * disabled or being checked.
   */
  async deploy(id: string, options?: CallerOptions): Promise<Account> {
    const { caller } = optionsOf(options);
    return invoke(this.#calls, "accounts.deploy", { id: textArgument("id", id), caller });
  }

  /**
   * Deploys every account that is neither disabled nor being checked, and returns these accounts.
   * @throws MustError `validation_error` if the settings have no deploy command.
   */
  async deployAll(options?: CallerOptions): Promise<Account[]> {
    const { caller } = optionsOf(options);
    return invoke(this.#calls, "accounts.deploy_all", { caller });
  }

  /**
   * Removes an account. Its unfinished tasks fail with `remote_failed`.
   * @param id Id of the key, session, account or task that the call acts on.
   * @throws MustError `not_found`.
   */
  async remove(id: string, options?: CallerOptions): Promise<void> {
    const { caller } = optionsOf(options);
    await invoke(this.#calls, "accounts.remove", { id: textArgument("id", id), caller });
  }
}
