/**
 * The tasks of this browser: submits, follows and cancels them, and remembers them over a reload.
 *
 * What always holds: a task that has not ended is followed by exactly one follower; its state never goes backwards; where people
 * sign in, each has a list of their own.
 */

import { isGone } from "../api/client";
import type { Client } from "../api/client";
import { ApiError, isAbort } from "../api/errors";
import { keptName, storage, type Kept } from "../api/storage";
import { Slots, follow } from "../api/follow";
import { Submitter } from "../api/submit";
import type { Model, StatusView } from "../api/types";
import { requestOf, settingsOf } from "../catalog/form";
import type { Form } from "../catalog/form";
import { isRunning, readEntries } from "./entry";
import type { Entry } from "./entry";

const KEY = "must.tasks";
const keyOf = (owner: string | null): string => (owner === null ? KEY : `${KEY}.${owner}`);
const MOST_ENTRIES = 100;
/** How long a follower that gave up waits before it begins again. */
const AGAIN_MILLISECONDS = 15_000;

const RANK = { pending: 0, processing: 1, done: 2, failed: 2 } as const;

export class TaskStore {
  private entries: readonly Entry[] = [];
  private key = KEY;
  private readonly listeners = new Set<() => void>();
  private readonly endings = new Set<(entry: Entry) => void>();
  private readonly followers = new Map<string, AbortController>();
  private readonly submitter: Submitter;
  private readonly streams = new Slots(1);

  constructor(
    private readonly client: Client,
    private readonly kept: Kept | null = storage("localStorage"),
  ) {
    this.submitter = new Submitter(client);
    this.entries = readEntries(this.kept?.getItem(KEY) ?? null);
  }

  readonly snapshot = (): readonly Entry[] => this.entries;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Calls when a task that was followed has ended. */
  onEnd(listener: (entry: Entry) => void): () => void {
    this.endings.add(listener);
    return () => this.endings.delete(listener);
  }

  get(id: string): Entry | undefined {
    return this.entries.find((entry) => entry.id === id);
  }

  /** Takes up the list of an owner: goes on following what had not ended, and takes over what other tabs write. */
  start(owner: string | null = null): () => void {
    this.key = keyOf(owner);
    this.entries = readEntries(this.kept?.getItem(this.key) ?? null);
    this.tell();
    const adopt = (event: StorageEvent) => {
      if (event.key !== keptName(this.key)) return;
      this.entries = readEntries(event.newValue);
      this.tell();
      this.followAll();
    };
    addEventListener("storage", adopt);
    this.followAll();
    return () => {
      removeEventListener("storage", adopt);
      for (const follower of this.followers.values()) follower.abort();
      this.followers.clear();
    };
  }

  async submit(form: Form, model: Model): Promise<Entry> {
    const request = requestOf(form, model);
    const submitted = await this.submitter.submit(request);
    const entry: Entry = {
      id: submitted.task_id,
      model: model.id,
      modelName: model.name,
      type: model.type,
      mode: form.mode,
      request: settingsOf(request, model),
      submittedAt: Date.now(),
      state: null,
      gone: false,
    };
    this.set([entry, ...this.entries.filter(({ id }) => id !== entry.id)].slice(0, MOST_ENTRIES));
    this.follow(entry.id);
    return entry;
  }

  /** Asks the platform to end a task; that it has ended already is no failure. */
  async cancel(id: string): Promise<void> {
    try {
      await this.client.call(`/tasks/${encodeURIComponent(id)}/cancel`, { method: "POST" });
    } catch (error) {
      if (isGone(error)) this.change(id, { gone: true });
      else if (!(error instanceof ApiError && error.code === "invalid_state")) throw error;
    }
  }

  forget(id: string): void {
    this.followers.get(id)?.abort();
    this.set(this.entries.filter((entry) => entry.id !== id));
  }

  forgetEnded(): void {
    this.set(this.entries.filter(isRunning));
  }

  /** Takes the list of an owner off this browser. */
  forgetOwner(owner: string | null): void {
    this.kept?.removeItem(keyOf(owner));
    if (this.key === keyOf(owner)) {
      for (const follower of this.followers.values()) follower.abort();
      this.followers.clear();
      this.entries = [];
      this.tell();
    }
  }

  /** Notes that a task's result was deleted. */
  deleted(id: string): void {
    this.change(id, { gone: true });
  }

  private followAll(): void {
    for (const entry of this.entries.filter(isRunning)) this.follow(entry.id);
  }

  private follow(id: string): void {
    if (this.followers.has(id)) return;
    const abort = new AbortController();
    this.followers.set(id, abort);
    void this.followToEnd(id, abort.signal).finally(() => {
      if (this.followers.get(id) === abort) this.followers.delete(id);
    });
  }

  private async followToEnd(id: string, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await follow(this.client, id, {
          onState: (state) => this.heard(id, state),
          onTrouble: () => this.change(id, { trouble: true }),
          signal,
          slots: this.streams,
        });
        const entry = this.get(id);
        if (entry) for (const listener of this.endings) listener(entry);
        return;
      } catch (error) {
        if (isAbort(error) || signal.aborted) return;
        if (isGone(error)) return this.change(id, { gone: true });
        await this.client.sleep(AGAIN_MILLISECONDS, signal).catch(() => undefined);
      }
    }
  }

  private heard(id: string, state: StatusView): void {
    const before = this.get(id)?.state;
    const backwards =
      before && (RANK[state.status] < RANK[before.status] || (state.status === before.status && state.progress < before.progress));
    if (!backwards) this.change(id, { state, trouble: false });
  }

  private change(id: string, change: Partial<Entry>): void {
    if (this.get(id)) this.set(this.entries.map((entry) => (entry.id === id ? { ...entry, ...change } : entry)));
  }

  private set(entries: readonly Entry[]): void {
    this.entries = entries;
    try {
      this.kept?.setItem(this.key, JSON.stringify(entries));
    } catch {
      // Storage is full: the list lasts as long as the page.
    }
    this.tell();
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }
}
