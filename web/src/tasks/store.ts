/**
 * The tasks of this browser: submits, follows and cancels them, and stores them across reloads.
 *
 * Always holds: each task that has not ended has exactly one follower, and its state never goes backwards. If people sign
 * in, each person has a list of their own.
 */

import { isGone } from "../api/client";
import type { Client } from "../api/client";
import { ApiError, isAbort } from "../api/errors";
import { storageName, storage, type PageStorage } from "../api/storage";
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
/** How long a follower that gave up waits before it starts again. */
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
    private readonly pageStorage: PageStorage | null = storage("localStorage"),
  ) {
    this.submitter = new Submitter(client);
    this.entries = readEntries(this.pageStorage?.getItem(KEY) ?? null);
  }

  readonly snapshot = (): readonly Entry[] => this.entries;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Calls `listener` when a followed task has ended. */
  onEnd(listener: (entry: Entry) => void): () => void {
    this.endings.add(listener);
    return () => this.endings.delete(listener);
  }

  get(id: string): Entry | undefined {
    return this.entries.find((entry) => entry.id === id);
  }

  /** Loads the list of an owner, follows the tasks that have not ended, and adopts changes from other tabs. */
  start(owner: string | null = null): () => void {
    this.key = keyOf(owner);
    this.entries = readEntries(this.pageStorage?.getItem(this.key) ?? null);
    this.notify();
    const adopt = (event: StorageEvent) => {
      if (event.key !== storageName(this.key)) return;
      this.entries = readEntries(event.newValue);
      this.notify();
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

  /** Asks the platform to cancel a task. A task that has ended already is not a failure. */
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

  /** Removes the list of an owner from this browser. */
  forgetOwner(owner: string | null): void {
    this.pageStorage?.removeItem(keyOf(owner));
    if (this.key === keyOf(owner)) {
      for (const follower of this.followers.values()) follower.abort();
      this.followers.clear();
      this.entries = [];
      this.notify();
    }
  }

  /** Records that a task's result was deleted. */
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
          onState: (state) => this.updateState(id, state),
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

  private updateState(id: string, state: StatusView): void {
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
      this.pageStorage?.setItem(this.key, JSON.stringify(entries));
    } catch {
      // The storage is full. The list then lasts as long as the page.
    }
    this.notify();
  }

  private notify(): void {
    for (const listener of this.listeners) listener();
  }
}
