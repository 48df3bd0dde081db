// Made from the table in core/src/platform/calls by `cargo xtask regen`. Do not edit.

// Secrets that the platform keeps sealed.

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
  /** When it must be replaced at the latest. */
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
  /** What it may be used for: `inference`, `model:download`. */
  scopes: string[];
  /** What it is for: `dev`, `stage` or `prod`, which must be the platform's own. */
  environment: string;
}

/** How to make the call `secrets.rotate`. */
export interface RotateSecretOptions extends CallerOptions {
  /** The new value, for a secret that comes from outside; `master_key`, `pepper` and `audit_key` are drawn at random. */
  value?: string | undefined;
  /**
   * How long the old value stays good, where its kind has an overlap: 7 days at most. When left out, a day over HTTP, and otherwise
   * not at all.
   */
  overlapSeconds?: number | undefined;
}

/** How to make the call `secrets.revoke`. */
export interface RevokeSecretOptions extends CallerOptions {
  /** The secret's name again. Needed for `pepper`, which ends every API key and session with it, the caller's own too. */
  confirm?: string | undefined;
}

/** Secrets, encrypted at rest. */
export class Secrets {
  readonly #calls: Calls;

  /** @internal */
  constructor(calls: Calls) {
    this.#calls = calls;
  }

  /** How every secret stands, with API keys (`key:ID`), the admin key and the audit key among them. */
  async status(): Promise<SecretStatus[]> {
    return invoke(this.#calls, "secrets.status");
  }

  /**
   * Keeps a secret under a name, sealed; one that has the name already is replaced at once.
   * @param name What it is stored under.
   * @param value The secret.
   * @throws MustError `validation_error` for a name that is not 1 to 64 of `a-z 0-9 _ -` or that holds an account's tokens, and for a
   * value that is empty.
   */
  async put(name: string, value: string, options?: CallerOptions): Promise<void> {
    const { caller } = optionsOf(options);
    const given = { name: textArgument("name", name), value: textArgument("value", value), caller };
    await invoke(this.#calls, "secrets.put", given);
  }

  /**
   * Keeps a provider's token with what it may be used for and the environment that it is for.
   * @param name What it is stored under.
   * @throws MustError `validation_error` for a wider scope or another environment than the platform's own.
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
   * The secret itself.
   * @param name What it is stored under.
   * @throws MustError `not_found`; `dependency_unavailable` when it was revoked, is past its rotation limit, does not open or, for a
   * provider token, is not for this environment.
   */
  async get(name: string): Promise<string> {
    return invoke(this.#calls, "secrets.get", { name: textArgument("name", name) });
  }

  /**
   * Puts `value`, or for a secret of the platform's own a new one, in a secret's place.
   * @param name What it is stored under.
   * @throws MustError `validation_error`, `not_found`.
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
   * Ends a secret at once, every version of it. Revoking `pepper` ends every API key and session, and takes its name again as
   * `confirm`; a new pepper is made in the same change, so that an administrator can sign in with the admin key.
   * @param name What it is stored under.
   * @throws MustError `not_found`; `validation_error` for the master key, which is rotated.
   */
  async revoke(name: string, options?: RevokeSecretOptions): Promise<void> {
    const { confirm, caller } = optionsOf(options);
    const given = { name: textArgument("name", name), confirm: optionalText("confirm", confirm), caller };
    await invoke(this.#calls, "secrets.revoke", given);
  }
}
