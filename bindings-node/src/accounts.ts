/** Accounts of workers that tasks may be sent to. */

import { invoke, optionalText, optionsOf, type CallerOptions } from "./administration";
import type { Calls } from "./calls";
import { textArgument } from "./request";

/** Where an account stands. */
export type AccountStatus = "pending" | "checking" | "ready" | "failed" | "disabled";

/** An account, without its tokens. Times are RFC 3339 in UTC. */
export interface Account {
  id: string;
  label: string;
  /** What ids of its tasks begin with. */
  workspace: string;
  address: string;
  status: AccountStatus;
  /** Why it failed; only while it is failed. */
  error: { code: string; detail: string } | null;
  /** Ids of the models that the worker offers; null while that is unknown. */
  models: string[] | null;
  /** Tasks that have not ended there. */
  active: number;
  /** Tasks that were ever accepted there. */
  dispatched: number;
  created_at: string;
  updated_at: string;
  checked_at: string | null;
  used_at: string | null;
  /** The last deployment; its output is without the account's tokens. */
  deployment: { started_at: string; finished_at: string | null; ok: boolean; output: string } | null;
}

/** An account to be registered. */
export interface NewAccount {
  tokenId: string;
  tokenSecret: string;
  /** The label when absent. */
  workspace?: string | undefined;
  /** Made by the template of the settings when absent. */
  address?: string | undefined;
  /** The API key that the worker asks for; the one of the settings when absent. */
  apiKey?: string | undefined;
}

/** What is to be changed; the rest stays. The two halves of a token are changed together. */
export interface AccountChange {
  label?: string | undefined;
  address?: string | undefined;
  tokenId?: string | undefined;
  tokenSecret?: string | undefined;
  apiKey?: string | undefined;
}

/** Accounts of workers. An account is named by its id or its workspace. */
export class Accounts {
  readonly #calls: Calls;

  /** @internal */
  constructor(calls: Calls) {
    this.#calls = calls;
  }

  /** Registers an account, which is `pending` until it is checked. */
  async add(label: string, account: NewAccount, options?: CallerOptions): Promise<Account> {
    const { tokenId, tokenSecret, workspace, address, apiKey } = optionsOf(account);
    const given = { label: textArgument("the label", label), workspace: optionalText("workspace", workspace) };
    const tokens = { token_id: textArgument("tokenId", tokenId), token_secret: textArgument("tokenSecret", tokenSecret) };
    const rest = { address: optionalText("address", address), api_key: optionalText("apiKey", apiKey) };
    return invoke(this.#calls, "accounts.add", { ...given, ...tokens, ...rest, caller: optionsOf(options).caller });
  }

  /** Every account, in the order in which they were registered. */
  list(): Promise<Account[]> {
    return invoke(this.#calls, "accounts.list");
  }

  /** One account. */
  async get(id: string): Promise<Account> {
    return invoke(this.#calls, "accounts.get", { id: textArgument("the account's id", id) });
  }

  /** Changes an account; a ready one is checked again. */
  async update(id: string, change: AccountChange, options?: CallerOptions): Promise<Account> {
    const { label, address, tokenId, tokenSecret, apiKey } = optionsOf(change);
    const given = {
      label: optionalText("label", label),
      address: optionalText("address", address),
      token_id: optionalText("tokenId", tokenId),
      token_secret: optionalText("tokenSecret", tokenSecret),
      api_key: optionalText("apiKey", apiKey),
    };
    return this.#onAccount("update", id, options, given);
  }

  /** Checks a disabled account and takes it back in; it is `ready` or `failed` then. */
  enable(id: string, options?: CallerOptions): Promise<Account> {
    return this.#onAccount("enable", id, options);
  }

  /** Sends nothing more to an account; the tasks that it has are followed to their end. */
  disable(id: string, options?: CallerOptions): Promise<Account> {
    return this.#onAccount("disable", id, options);
  }

  /** Asks the worker for its health once; the account is `ready` or `failed` then. */
  health(id: string, options?: CallerOptions): Promise<Account> {
    return this.#onAccount("health", id, options);
  }

  /** Deploys a workspace in the background; the account is `checking` until its health has been asked for. */
  deploy(id: string, options?: CallerOptions): Promise<Account> {
    return this.#onAccount("deploy", id, options);
  }

  /** Deploys every account that is neither disabled nor being checked. */
  async deployAll(options?: CallerOptions): Promise<Account[]> {
    return invoke(this.#calls, "accounts.deploy_all", { caller: optionsOf(options).caller });
  }

  /** Lets an account go; what it had not finished fails. */
  async remove(id: string, options?: CallerOptions): Promise<void> {
    await this.#onAccount("remove", id, options);
  }

  async #onAccount(verb: string, id: string, options?: CallerOptions, given: object = {}): Promise<Account> {
    const { caller } = optionsOf(options);
    return invoke(this.#calls, `accounts.${verb}`, { id: textArgument("the account's id", id), ...given, caller });
  }
}
