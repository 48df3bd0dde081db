/**
 * Following a task to its end: by its event stream while one can be held, else by asking again and again, ever less often.
 *
 * A browser opens six connections to one server at a time, for all of its tabs together, and streams that held them all would let
 * no other call through: one follower of a page holds a stream, the others ask. A stream that goes quiet for longer than the
 * server's keep-alive is taken for dead.
 */

import { isGone } from "./client";
import type { Client } from "./client";
import { ApiError, isAbort } from "./errors";
import { EventParser } from "./sse";
import type { StatusView } from "./types";

export interface FollowOptions {
  onState: (state: StatusView) => void;
  /** Called when the platform cannot be reached; the next state says that it can be again. */
  onTrouble?: () => void;
  signal: AbortSignal;
  /** Streams that may be open at once; shared by all followers of a page. */
  slots: Slots;
  quiet?: number;
}

/** A number of things of which only so many may be had at a time. */
export class Slots {
  constructor(private free: number) {}

  take(): boolean {
    if (this.free <= 0) return false;
    this.free -= 1;
    return true;
  }

  give(): void {
    this.free += 1;
  }
}

const QUIET_MILLISECONDS = 45_000;
const RECONNECT_MILLISECONDS = 2_000;
const POLL_FIRST = 1_000;
const POLL_LONGEST = 10_000;
/** Streams that may fail one after another before they are given up for a while. */
const STREAM_TRIES = 2;
/** Answers to polling after which a stream is tried again. */
const POLLS_BEFORE_STREAM = 20;

const ended = (state: StatusView): boolean => state.status === "done" || state.status === "failed";

/** Failures that asking again does not mend. */
const isFinal = (error: unknown): boolean =>
  error instanceof ApiError && error.status >= 400 && error.status < 500 && ![401, 408, 425, 429].includes(error.status);

/**
 * Reports each state until the task has ended.
 *
 * Throws what makes following pointless: that the task does not exist, or that it may not be seen; and an AbortError.
 */
export async function follow(client: Client, id: string, options: FollowOptions): Promise<StatusView> {
  const { slots } = options;
  let failures = 0;
  for (;;) {
    options.signal.throwIfAborted();
    if (failures < STREAM_TRIES && slots.take()) {
      let outcome: { last: StatusView | null; retry: number };
      try {
        outcome = await stream(client, id, options);
      } finally {
        slots.give();
      }
      if (outcome.last && ended(outcome.last)) return outcome.last;
      failures = outcome.last ? 0 : failures + 1;
      await client.sleep(outcome.retry, options.signal);
    } else {
      const last = await poll(client, id, options);
      if (last) return last;
      failures = 0;
    }
  }
}

/** Reads one stream until it ends, however it does; the last state that it told. */
async function stream(client: Client, id: string, options: FollowOptions): Promise<{ last: StatusView | null; retry: number }> {
  const parser = new EventParser();
  const silence = new AbortController();
  const signal = AbortSignal.any([options.signal, silence.signal]);
  let last: StatusView | null = null;
  let watchdog: ReturnType<typeof setTimeout> | undefined;
  const alive = () => {
    clearTimeout(watchdog);
    watchdog = setTimeout(() => silence.abort(), options.quiet ?? QUIET_MILLISECONDS);
  };
  try {
    alive();
    const path = `/events/${encodeURIComponent(id)}`;
    const response = await client.call(path, { headers: { Accept: "text/event-stream" }, signal });
    const reader = response.body?.getReader();
    // Not every body ends with its request.
    signal.addEventListener("abort", () => void reader?.cancel().catch(() => undefined), { once: true });
    if (reader && response.headers.get("Content-Type")?.startsWith("text/event-stream")) {
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        alive();
        for (const { event, data } of parser.push(part.value)) {
          if (event !== "status") continue;
          last = JSON.parse(data) as StatusView;
          options.onState(last);
        }
      }
    }
  } catch (error) {
    if (options.signal.aborted || isGone(error) || isFinal(error)) throw error;
    // A stream that broke is connected again; what it told still holds.
    options.onTrouble?.();
  } finally {
    clearTimeout(watchdog);
    silence.abort();
  }
  return { last, retry: parser.retry ?? RECONNECT_MILLISECONDS };
}

/** Asks until the task has ended, or for long enough that a stream may be tried again. */
async function poll(client: Client, id: string, options: FollowOptions): Promise<StatusView | null> {
  let wait = POLL_FIRST;
  let before = "";
  for (let count = 0; count < POLLS_BEFORE_STREAM; count += 1) {
    try {
      const state = await client.json<StatusView>(`/status/${encodeURIComponent(id)}`, { signal: options.signal });
      options.onState(state);
      if (ended(state)) return state;
      // What moves is asked for often, what stands still ever less.
      wait = state.updated_at === before ? Math.min(wait * 1.5, POLL_LONGEST) : POLL_FIRST;
      before = state.updated_at;
    } catch (error) {
      if (isAbort(error) || isFinal(error)) throw error;
      options.onTrouble?.();
      wait = Math.min(wait * 2, POLL_LONGEST);
    }
    await client.sleep(wait, options.signal);
  }
  return null;
}
