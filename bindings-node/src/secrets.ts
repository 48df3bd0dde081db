/** Secrets that are kept encrypted in the data folder. */

import { invoke, optionalText, optionsOf, seconds, type CallerOptions } from "./administration";
import type { Calls } from "./calls";
import { validation } from "./errors";
import { textArgument } from "./request";

/** How a secret stands; never its value. Times are RFC 3339 in UTC. */
export interface SecretStatus {
  name: string;
  kind: string;
  id: string;
  state: string;
  issued_at: string;
  rotate_by: string | null;
  overlap_until: string | null;
  revoked_at: string | null;
}

/** A token of a provider. */
export interface ProviderToken {
  value: string;
  scopes: string[];
  /** Another environment than the platform's own is refused. */
  environment: "dev" | "stage" | "prod";
}

const ENVIRONMENTS: readonly unknown[] = ["dev", "stage", "prod"];

/** How to revoke a secret. */
export interface RevokeSecretOptions extends CallerOptions {
  /** The secret's name again; needed for `pepper`. */
  confirm?: string | undefined;
}

/** How to rotate a secret. */
export interface RotateSecretOptions extends CallerOptions {
  /** The new value, for a secret that comes from outside. */
  value?: string | undefined;
  /** How long the old value still counts; not at all when absent. */
  overlapMs?: number | undefined;
}

/** Secrets, encrypted at rest. */
export class Secrets {
  readonly #calls: Calls;

  /** @internal */
  constructor(calls: Calls) {
    this.#calls = calls;
  }

  /** How every secret stands. */
  status(): Promise<SecretStatus[]> {
    return invoke(this.#calls, "secrets.status");
  }

  /** Keeps a secret. */
  async put(name: string, value: string, options?: CallerOptions): Promise<void> {
    const given = { name: textArgument("the secret's name", name), value: textArgument("the value", value) };
    await invoke(this.#calls, "secrets.put", { ...given, caller: optionsOf(options).caller });
  }

  /** Keeps a provider's token with what it may do and where. */
  async putProviderToken(name: string, token: ProviderToken, options?: CallerOptions): Promise<void> {
    const { value, scopes, environment } = optionsOf(token);
    // Said here, without what was given: it may be the token in the wrong place.
    if (!ENVIRONMENTS.includes(environment)) throw validation("environment must be dev, stage or prod");
    const given = { name: textArgument("the token's name", name), value: textArgument("the value", value), scopes, environment };
    await invoke(this.#calls, "secrets.put_provider_token", { ...given, caller: optionsOf(options).caller });
  }

  /** The value of a secret. */
  async get(name: string): Promise<string> {
    return invoke(this.#calls, "secrets.get", { name: textArgument("the secret's name", name) });
  }

  /** Gives a secret a new value. */
  async rotate(name: string, options?: RotateSecretOptions): Promise<void> {
    const { value, overlapMs, caller } = optionsOf(options);
    const given = { value: optionalText("value", value), overlap: seconds("overlapMs", overlapMs), caller };
    await invoke(this.#calls, "secrets.rotate", { name: textArgument("the secret's name", name), ...given });
  }

  /**
   * Ends a secret. Revoking `pepper` ends every API key and session, and takes its name again as `confirm`; a new pepper is made in
   * the same change, so that whoever has the admin key can sign in.
   */
  async revoke(name: string, options?: RevokeSecretOptions): Promise<void> {
    const { confirm, caller } = optionsOf(options);
    const given = { name: textArgument("the secret's name", name), confirm: optionalText("confirm", confirm), caller };
    await invoke(this.#calls, "secrets.revoke", given);
  }
}
