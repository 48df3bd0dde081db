/**
 * Promises over the native part's numbered calls, for one platform.
 *
 * While a call is open the event loop stays alive; an idle platform does not keep a program from ending.
 */

import { fromNative, MustError } from "./errors";
import { NativePlatform, type NativeFailure } from "./native";

interface Pending {
  resolve(value: string | Buffer): void;
  reject(reason: unknown): void;
}

interface CallOptions {
  /** Abandons the call, with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** Abandons the call after this time, with the answer null. */
  timeoutMs?: number | undefined;
  /** Whether the event loop may end while the call is open. */
  background?: boolean;
}

type Begin = (call: number) => void;

const LAST_CALL = 0xffff_ffff;
const LONG_MS = 0x7fff_ffff;

export class Calls {
  readonly native: NativePlatform;
  readonly #pending = new Map<number, Pending>();
  #last = 0;
  #foreground = 0;
  #alive: NodeJS.Timeout | undefined;
  #closed = false;

  constructor() {
    this.native = new NativePlatform((call, failure, value) => this.#settle(call, failure, value));
  }

  /** Starts a call and returns its answer: JSON text or bytes. */
  async start(begin: Begin, { signal, timeoutMs, background = false }: CallOptions = {}): Promise<string | Buffer> {
    signal?.throwIfAborted();
    if (this.#closed) throw closed();
    const call = this.#number();
    const giveUp = (settle: (pending: Pending) => void): void => {
      const pending = this.#pending.get(call);
      this.native.forget(call);
      if (pending) settle(pending);
    };
    const abort = (): void => giveUp(({ reject }) => reject(signal?.reason));
    let timer: NodeJS.Timeout | undefined;
    if (!background) this.#hold(1);
    try {
      return await new Promise((resolve, reject) => {
        this.#pending.set(call, { resolve, reject });
        signal?.addEventListener("abort", abort);
        if (timeoutMs !== undefined) timer = setTimeout(giveUp, Math.min(timeoutMs, LONG_MS), ({ resolve }: Pending) => resolve("null"));
        begin(call);
      });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      this.#pending.delete(call);
      if (!background) this.#hold(-1);
    }
  }

  /** Starts a call that answers with JSON, and gives the value. */
  async json<T>(begin: Begin, options?: CallOptions): Promise<T> {
    return JSON.parse((await this.start(begin, options)) as string) as T;
  }

  /** Starts a call that answers with bytes. */
  async bytes(begin: Begin): Promise<Buffer> {
    return (await this.start(begin)) as Buffer;
  }

  /** Accepts no more calls, closes the native part and ends the calls that are still open. */
  async close(deadlineMs: number): Promise<void> {
    const closing = this.start((call) => this.native.close(call, deadlineMs));
    this.#closed = true;
    try {
      await closing;
    } finally {
      for (const pending of this.#pending.values()) pending.reject(closed());
    }
  }

  #number(): number {
    do this.#last = this.#last === LAST_CALL ? 1 : this.#last + 1;
    while (this.#pending.has(this.#last));
    return this.#last;
  }

  #settle(call: number, failure: NativeFailure | null, value: string | Buffer | null): void {
    const pending = this.#pending.get(call);
    if (failure) pending?.reject(fromNative(failure));
    else pending?.resolve(value ?? "null");
  }

  #hold(change: number): void {
    this.#foreground += change;
    if (this.#foreground > 0) {
      this.#alive ??= setInterval(() => {}, LONG_MS);
    } else {
      clearInterval(this.#alive);
      this.#alive = undefined;
    }
  }
}

function closed(): MustError {
  return new MustError("invalid_state", "the platform is closed");
}
