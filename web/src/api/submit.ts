/** Submits a task exactly once, even if the network fails several times. */

import type { Client } from "./client";
import { ApiError, NetworkError } from "./errors";
import type { Submitted } from "./types";

const TRIES = 4;
const FIRST_PAUSE = 500;

/** Returns a new idempotency key. `crypto.randomUUID` exists only on HTTPS and localhost, but pages may also be loaded over plain HTTP. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Whether the request may have arrived although no valid answer came. The same key then refers to the same task. */
const isDoubtful = (error: unknown): boolean =>
  error instanceof NetworkError ||
  (error instanceof ApiError && (error.code === "unexpected" || error.status === 502 || error.status === 504));

export class Submitter {
  /** The last request with an unknown outcome, with its key. When the user sends it again, it is still the same submission. */
  private doubtful: { key: string; body: string } | null = null;

  constructor(
    private readonly client: Client,
    private readonly keys: () => string = newKey,
  ) {}

  async submit(request: Record<string, unknown>, signal?: AbortSignal): Promise<Submitted> {
    const body = JSON.stringify(request);
    const key = this.doubtful?.body === body ? this.doubtful.key : this.keys();
    this.doubtful = { key, body };
    for (let attempt = 1; ; attempt += 1) {
      try {
        const options = { method: "POST", json: request, headers: { "Idempotency-Key": key }, ...(signal ? { signal } : {}) };
        const submitted = await this.client.json<Submitted>("/generate", options);
        this.doubtful = null;
        return submitted;
      } catch (error) {
        if (!isDoubtful(error)) {
          this.doubtful = null;
          throw error;
        }
        if (attempt >= TRIES) throw error;
        await this.client.sleep(FIRST_PAUSE * 2 ** (attempt - 1), signal);
      }
    }
  }
}
