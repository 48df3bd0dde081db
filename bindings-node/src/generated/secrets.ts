// Made from the table in core/src/platform/calls by `cargo xtask regen`. Do not edit.

// Secrets, which the platform stores encrypted.

import { invoke, optionalText, optionsOf, seconds } from "../administration";
import type { CallerOptions } from "../administration";
import type { Calls } from "../calls";
import { textArgument } from "../request";

/**
 * The state of a secret.
 * - `valid`: In use.
 * - `overlapping`: Replaced, but still accepted until its overlap ends.
 * - `expired`: Past its rotation limit, or replaced and past its overlap.
 * - `revoked`: Revoked.
 */
export type SecretState = "valid" | "overlapping" | "expired" | "revoked";

/** Facts about a secret, without its value. */
export interface SecretStatus {
  /** Name to rotate or revoke it by. */
  name: string;
  /** `master_key`, `pepper`, `provider_token`, `stored`, `api_key`, `admin_key` or `audit_key`. */
  kind: string;
  /** Tells secrets of the same name apart. */
  id: string;
  /** The state of the secret. */
  state: SecretState;
  /** When it was made. For a key that is kept elsewhere, when it was first seen. */
  issued_at: string;
  /** When it must be replaced at the latest. After that it is `expired`, except a pepper, which stays in use. */
  rotate_by: string;
  /** Until when it is accepted after it was replaced. */
  overlap_until: string | null;
  /** When it was revoked. */
  revoked_at: string | null;
}

/** A token of a provider. */
export interface ProviderToken {
  /** The token. */
  value: string;
  /** What the token may be used for: `inference`, `model:download`. */
  scopes: string[];
  /** The environment that the token is for: `dev`, `stage` or `prod`. It must be the platform's own. */
  environment: string;
}

/** How to make the call `secrets.rotate`. */
export interface RotateSecretOptions extends CallerOptions {
  /** The new value of a secret that comes from outside. `master_key`, `pepper` and `audit_key` get random values. */
  value?: string | undefined;
  /**
   * How long the old value stays valid, if this kind of secret has an overlap: 7 days at most. The default is one day over HTTP, and 0
   * otherwise.
   */
  overlapSeconds?: number | undefined;
}

/** How to make the call `secrets.revoke`. */
export interface RevokeSecretOptions extends CallerOptions {
  /**
   * The name of the secret again. Required for `pepper`, because revoking it ends every API key and session, including the caller's
   * own.
   */
  confirm?: string | undefined;
}

/** Secrets, which are encrypted at rest. */
export class Secrets {
  readonly #calls: Calls;

  /** @internal */
  constructor(calls: Calls) {
    this.#calls = calls;
  }

  /** Returns the state of every secret, including API keys (`key:ID`), the admin key and the audit key. */
  async status(): Promise<SecretStatus[]> {
    return invoke(this.#calls, "secrets.status");
  }

  /**
   * Stores a secret under a name, encrypted. An existing secret of this name is replaced immediately.
   * @param name Name of the secret.
   * @param value The secret.
   * @throws MustError `validation_error` if the name is not 1 to 64 of the characters `a-z 0-9 _ -`, if it is `master_key`, `pepper`,
   * `admin_key`, `api_key` or `audit_key`, if it is the name of an account's tokens, or if the value is empty.
   */
  async put(name: string, value: string, options?: CallerOptions): Promise<void> {
    const { caller } = optionsOf(options);
    const given = { name: textArgument("name", name), value: textArgument("value", value), caller };
    await invoke(this.#calls, "secrets.put", given);
  }

  /**
   * Stores a provider's token together with its scopes and its environment.
   * @param name Name of the secret.
   * @throws MustError `validation_error` if a scope is not allowed or the environment is not the platform's own.
   */
  async putProviderToken(name: string, token: ProviderToken, options?: CallerOptions): Promise<void> {
    const { value, scopes, environment } = optionsOf(token);
    const { caller } = optionsOf(options);
    const given = {
      name: textArgument("name", name),
      value: textArgument("value", value),
      scopes,
      environment: textArgument("environment", environment),
      caller,
    };
    await invoke(this.#calls, "secrets.put_provider_token", given);
  }

  /**
   * Returns the value of a secret.
   * @param name Name of the secret.
   * @throws MustError `not_found`; `dependency_unavailable` if the secret was revoked, is past its rotation limit or cannot be
   * decrypted; `validation_error` if it is a provider token for another environment.
   */
  async get(name: string): Promise<string> {
    return invoke(this.#calls, "secrets.get", { name: textArgument("name", name) });
  }

  /**
   * Replaces a secret with `value`, or, if it is one of the platform's own secrets, with a new random value.
   * @param name Name of the secret.
   * @throws MustError `not_found`; `validation_error` if the overlap is more than 7 days, if `value` is missing or must not be given,
   * and for API keys, the keys of the settings and the tokens of accounts.
   */
  async rotate(name: string, options?: RotateSecretOptions): Promise<void> {
    const { value, overlapSeconds, caller } = optionsOf(options);
    const given = {
      name: textArgument("name", name),
      value: optionalText("value", value),
      overlap_seconds: seconds("overlapSeconds", overlapSeconds),
      caller,
    };
    await invoke(this.#calls, "secrets.rotate", given);
  }

  /**
   * Revokes every version of a secret immediately. Revoking `pepper` also ends every API key and session, and requires the name again
   * as `confirm`. A new pepper is made in the same change, so that an administrator can sign in with the admin key.
   * @param name Name of the secret.
   * @throws MustError `not_found`; `validation_error` for the master key and the audit key, which can only be rotated, for `admin_key`
   * and `api_key`, which are settings, and if `confirm` is another name or is missing for `pepper`.
   */
  async revoke(name: string, options?: RevokeSecretOptions): Promise<void> {
    const { confirm, caller } = optionsOf(options);
    const given = { name: textArgument("name", name), confirm: optionalText("confirm", confirm), caller };
    await invoke(this.#calls, "secrets.revoke", given);
  }
}
