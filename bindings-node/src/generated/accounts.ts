// Made from the table in core/src/platform/calls by `cargo xtask regen`. Do not edit.

// Accounts of workers that tasks may be sent to.

import { invoke, optionalText, optionsOf } from "../administration";
import type { CallerOptions } from "../administration";
import type { Calls } from "../calls";
import { textArgument } from "../request";

/**
 * Where an account stands.
 * - `pending`: Registered, and never checked.
 * - `checking`: Being deployed or asked for its health.
 * - `ready`: Gets tasks.
 * - `failed`: Did not pass a check, or failed a task on its way.
 * - `disabled`: Gets nothing until an administrator enables it.
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
  /** When the command ended; none while it runs. */
  finished_at: string | null;
  /** Whether the command succeeded. */
  ok: boolean;
  /** The end of what it wrote, without the account's tokens. */
  output: string;
}

/** An account, without its tokens. */
export interface Account {
  /** Stable id. */
  id: string;
  /** What people call it. */
  label: string;
  /** Its workspace: what ids of its tasks begin with. */
  workspace: string;
  /** Where the workspace is reached. */
  address: string;
  /** Where it stands. */
  status: AccountStatus;
  /** Why it failed; only while it is `failed`. */
  error: AccountFailure | null;
  /** Ids of the models that the worker offers; none while that is unknown. */
  models: string[] | null;
  /** Tasks that have not ended there. */
  active: number;
  /** Tasks that were ever accepted there. */
  dispatched: number;
  /** When it was registered. */
  created_at: string;
  /** When anything last changed. */
  updated_at: string;
  /** When its health was last asked for. */
  checked_at: string | null;
  /** When a task was last sent to it. */
  used_at: string | null;
  /** Its last deployment. */
  deployment: Deployment | null;
}

/** An account to be registered. */
export interface NewAccount {
  /** Id of the provider's token. */
  tokenId: string;
  /** The provider's token. */
  tokenSecret: string;
  /** What ids of its tasks begin with: 3 to 64 of `a-z 0-9 -`. When left out it is the label, which then must be such a name. */
  workspace?: string | undefined;
  /** Where the workspace is reached, a base URL; made by the template of the settings when left out. */
  address?: string | undefined;
  /** The API key that the worker asks for; the one of the settings when left out. */
  apiKey?: string | undefined;
}

/** What is to be changed about an account; the rest stays. */
export interface AccountChange {
  /** What people call it: 1 to 64 characters. */
  label?: string | undefined;
  /** Where the workspace is reached, a base URL. */
  address?: string | undefined;
  /** Id of the provider's token; together with `token_secret`. */
  tokenId?: string | undefined;
  /** The provider's token; together with `token_id`. */
  tokenSecret?: string | undefined;
  /** The API key that the worker asks for. */
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
   * Registers an account, which is `pending` until it is checked.
   * @param label What people call it: 1 to 64 characters.
   * @throws MustError `validation_error`, also for a workspace that is registered, and for an address that is not public and in none
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

  /** Every account, in the order in which they were registered. */
  async list(): Promise<Account[]> {
    return invoke(this.#calls, "accounts.list");
  }

  /**
   * One account.
   * @param id Id of the account, or its workspace.
   * @throws MustError `not_found`.
   */
  async get(id: string): Promise<Account> {
    return invoke(this.#calls, "accounts.get", { id: textArgument("id", id) });
  }

  /**
   * Changes an account; a ready one is checked again when its address, token or key changed.
   * @param id Id of the account, or its workspace.
   * @throws MustError `not_found`; `validation_error`, also for half a token.
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
   * Checks a disabled account and takes it back in; it is `ready` or `failed` then.
   * @param id Id of what the call is about.
   * @throws MustError `not_found`; `invalid_state` for an account that is not disabled.
   */
  async enable(id: string, options?: CallerOptions): Promise<Account> {
    const { caller } = optionsOf(options);
    return invoke(this.#calls, "accounts.enable", { id: textArgument("id", id), caller });
  }

  /**
   * Sends nothing more to an account; the tasks that it has are followed to their end.
   * @param id Id of what the call is about.
   * @throws MustError `not_found`; `invalid_state` for an account that is disabled.
   */
  async disable(id: string, options?: CallerOptions): Promise<Account> {
    const { caller } = optionsOf(options);
    return invoke(this.#calls, "accounts.disable", { id: textArgument("id", id), caller });
  }

  /**
   * Asks the worker for its health once; the account is `ready` or `failed` then.
   * @param id Id of what the call is about.
   * @throws MustError `not_found`; `invalid_state` for an account that is disabled or being checked.
   */
  async health(id: string, options?: CallerOptions): Promise<Account> {
    const { caller } = optionsOf(options);
    return invoke(this.#calls, "accounts.health", { id: textArgument("id", id), caller });
  }

  /**
   * Deploys a workspace in the background; the account is `checking` until its health has been asked for.
   * @param id Id of what the call is about.
   * @throws MustError `not_found`; `validation_error` without a command in the settings; `invalid_state` for an account that is
   * disabled or being checked.
   */
  async deploy(id: string, options?: CallerOptions): Promise<Account> {
    const { caller } = optionsOf(options);
    return invoke(this.#calls, "accounts.deploy", { id: textArgument("id", id), caller });
  }

  /**
   * Deploys every account that is neither disabled nor being checked, and gives those.
   * @throws MustError `validation_error` without a command in the settings.
   */
  async deployAll(options?: CallerOptions): Promise<Account[]> {
    const { caller } = optionsOf(options);
    return invoke(this.#calls, "accounts.deploy_all", { caller });
  }

  /**
   * Removes an account; what it had not finished ends failed with `remote_failed`.
   * @param id Id of what the call is about.
   * @throws MustError `not_found`.
   */
  async remove(id: string, options?: CallerOptions): Promise<void> {
    const { caller } = optionsOf(options);
    await invoke(this.#calls, "accounts.remove", { id: textArgument("id", id), caller });
  }
}
