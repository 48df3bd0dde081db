/**
 * Follows a task to its end: by its event stream if one is available, otherwise by polling at growing intervals.
 *
 * A browser opens at most six connections to a server for all of its tabs together, and streams could use all of them and
 * block other calls. Therefore one follower of a page has a stream, and the others poll. The server sends a comment every 15 s
 * by default, so a stream that is silent for 45 s is treated as broken.
 */

import { isGone } from "./client";
import type { Client } from "./client";
import { ApiError, isAbort } from "./errors";
import { EventParser } from "./sse";
import type { StatusView } from "./types";

export interface FollowOptions {
  onState: (state: StatusView) => void;
  /** Called when the platform cannot be reached. The next state shows that it can be reached again. */
  onTrouble?: () => void;
  signal: AbortSignal;
  /** The streams that may be open at once. All followers of a page share them. */
  slots: Slots;
  /** Milliseconds of silence after which a stream is treated as broken. */
  quiet?: number;
}

/** A limited number of permits. */
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
/** Failed streams in a row after which streams are given up for a while. */
const STREAM_TRIES = 2;
/** Answers to polling after which a stream is tried again. */
const POLLS_BEFORE_STREAM = 20;

const ended = (state: StatusView): boolean => state.status === "done" || state.status === "failed";

/** Returns whether repeating the call cannot help. */
const isFinal = (error: unknown): boolean =>
  error instanceof ApiError && error.status >= 400 && error.status < 500 && ![401, 408, 425, 429].includes(error.status);

/**
 * Reports each state until the task has ended.
 *
 * Returns the last state. Throws an ApiError when the platform refuses the call and repeating it cannot help, for example because
 * the task does not exist or belongs to somebody else. Throws an AbortError when aborted.
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

/** Reads one stream until it ends for any reason. Returns the last state that it reported. */
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
    // Aborting a request does not end every body.
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
    // A broken stream is opened again. The states that it reported remain valid.
    options.onTrouble?.();
  } finally {
    clearTimeout(watchdog);
    silence.abort();
  }
  return { last, retry: parser.retry ?? RECONNECT_MILLISECONDS };
}

/** Polls until the task has ended, and returns its last state. Returns null when it is time to try a stream again. */
async function poll(client: Client, id: string, options: FollowOptions): Promise<StatusView | null> {
  let wait = POLL_FIRST;
  let before = "";
  for (let count = 0; count < POLLS_BEFORE_STREAM; count += 1) {
    try {
      const state = await client.json<StatusView>(`/status/${encodeURIComponent(id)}`, { signal: options.signal });
      options.onState(state);
      if (ended(state)) return state;
      // Poll often while the state changes, and less and less often while it does not.
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
