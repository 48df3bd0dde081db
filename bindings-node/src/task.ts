import type { Calls } from "./calls";
import { errorOf } from "./errors";
import { pathArgument, textArgument, timeArgument } from "./request";
import type { Frames, TaskState } from "./types";

/** How to wait. */
export interface WaitOptions {
  /** Ends the waiting, with the signal's reason; the task goes on. */
  signal?: AbortSignal | undefined;
  /** Ends the waiting with the task as it stands then. */
  timeoutSeconds?: number | undefined;
}

/**
 * One generation. A handle that any number of callers may hold; the task itself lives in the data folder.
 * @example
 * ```js
 * const task = await platform.submit({ model: "tiny-image", prompt: "a red circle", steps: 4 });
 * let last;
 * for await (const state of task) last = state;
 * console.log(last.progress, last.status); // 100 done
 * ```
 */
export class Task implements AsyncIterable<TaskState> {
  readonly #calls: Calls;
  /** Stable id. */
  readonly id: string;

  /** @internal */
  constructor(calls: Calls, id: string) {
    this.#calls = calls;
    this.id = textArgument("the task id", id);
  }

  /**
   * The task as it stands.
   * @throws MustError `task_not_found`.
   */
  status(): Promise<TaskState> {
    return this.#calls.json((call) => this.#calls.native.status(call, this.id));
  }

  /**
   * Waits until the task has ended, and gives its last state. When `timeoutSeconds` runs out first, the state is that of the
   * moment; a task that goes on is neither cancelled nor disturbed.
   * @throws MustError with the task's own code when it failed; `task_not_found`. The signal's reason when it is aborted.
   * @example
   * ```js
   * const task = await platform.submit({ model: "tiny-video", prompt: "a red circle moving left", steps: 50 });
   * const { status } = await task.wait({ timeoutSeconds: 0.001 });
   * console.log(["pending", "processing"].includes(status)); // true
   * await task.cancel();
   * const error = await task.wait().catch((error) => error);
   * console.log(error.code); // cancelled
   * ```
   */
  async wait({ signal, timeoutSeconds }: WaitOptions = {}): Promise<TaskState> {
    const timeoutMs = timeoutSeconds === undefined ? undefined : timeArgument("timeoutSeconds", timeoutSeconds) * 1000;
    const wait = (call: number): void => this.#calls.native.wait(call, this.id);
    const ended = await this.#calls.json<TaskState | null>(wait, { signal, timeoutMs });
    const state = ended ?? (await this.status());
    if (state.error) throw errorOf(state.error.code, state.error.detail);
    return state;
  }

  /**
   * The states of the task: first the present one, last the one it ends with. Changes that come quickly one after another
   * are one. A failed task ends the iteration like any other; its last state has the error.
   * @throws MustError `task_not_found`, `invalid_state` when the platform closes first. The signal's reason when it is
   * aborted; the task goes on.
   */
  async *events({ signal }: { signal?: AbortSignal | undefined } = {}): AsyncGenerator<TaskState, void, undefined> {
    const { native } = this.#calls;
    let stream = 0;
    signal?.throwIfAborted();
    await this.#calls.start((call) => native.follow((stream = call), this.id));
    try {
      for (;;) {
        const state = await this.#calls.json<TaskState | null>((call) => native.next(call, stream), { signal });
        if (state === null) return;
        yield state;
      }
    } finally {
      native.unfollow(stream);
    }
  }

  [Symbol.asyncIterator](): AsyncGenerator<TaskState, void, undefined> {
    return this.events();
  }

  /**
   * Asks the task to end. True when it was still pending or running; false when it had ended already, and nothing changes.
   * @throws MustError `task_not_found`.
   */
  cancel(): Promise<boolean> {
    return this.#calls.json((call) => this.#calls.native.cancel(call, this.id));
  }

  /**
   * The bytes of the result.
   * @throws MustError `result_not_ready`, `result_gone`, `task_not_found`.
   */
  result(): Promise<Buffer> {
    return this.#calls.bytes((call) => this.#calls.native.result(call, this.id));
  }

  /**
   * The bytes of the preview: a JPEG of at most 512 by 512 pixels.
   * @throws MustError `result_not_ready`, `result_gone`, `task_not_found`.
   */
  preview(): Promise<Buffer> {
    return this.#calls.bytes((call) => this.#calls.native.preview(call, this.id));
  }

  /**
   * The frames of the result as pixels: one of a picture, all of an MP4 clip, decoded from its file.
   * @throws MustError as {@link Task.result}; `validation_error` for a WebM clip, which nothing here decodes; `payload_too_large`
   * where there is no memory for the frames.
   * @example
   * ```js
   * const task = await platform.submit({ model: "tiny-image", prompt: "a red circle", steps: 4 });
   * await task.wait();
   * const { width, height, count, data } = await task.frames();
   * console.log(width, height, count, data.length); // 64 64 1 12288
   * ```
   */
  async frames(): Promise<Frames> {
    const answer = await this.#calls.bytes((call) => this.#calls.native.frames(call, this.id));
    const [width, height, data] = [answer.readUInt32LE(0), answer.readUInt32LE(4), answer.subarray(8)];
    return { width, height, count: data.length / (3 * width * height), data };
  }

  /**
   * Writes the result to a file, or into a folder under a name of its own: model, seed, words of the prompt. A file that is there
   * is replaced once the new one is whole. Gives the file's path.
   * @throws MustError as {@link Task.result}; `storage_full`, `dependency_unavailable` when it cannot be written.
   * @example
   * ```js
   * const task = await platform.submit({ model: "tiny-image", prompt: "a red circle", seed: 7, steps: 4 });
   * await task.wait();
   * const path = await task.save("."); // tiny-image-7-a-red-circle-5e6f7081.png
   * console.log(/tiny-image-7-a-red-circle-\w+\.png$/.test(path)); // true
   * ```
   */
  async save(path: string | URL): Promise<string> {
    const file = pathArgument("path", path);
    return this.#calls.json((call) => this.#calls.native.save(call, this.id, file));
  }
}
