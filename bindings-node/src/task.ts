import type { Calls } from "./calls";
import { errorOf } from "./errors";
import { pathArgument, textArgument, timeArgument } from "./request";
import type { TaskState } from "./generated/tasks";
import type { Frames } from "./types";

/** How to wait. */
export interface WaitOptions {
  /** Stops waiting, with the signal's reason; the task continues. */
  signal?: AbortSignal | undefined;
  /** Stops waiting after this time and gives the present state of the task. */
  timeoutSeconds?: number | undefined;
}

/**
 * A handle of one generation. Any number of callers may hold handles of a task; the task itself is in the data folder.
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
   * The present state of the task.
   * @throws MustError `task_not_found`.
   */
  status(): Promise<TaskState> {
    return this.#calls.json((call) => this.#calls.native.status(call, this.id));
  }

  /**
   * Waits until the task has ended, and gives its last state. When `timeoutSeconds` runs out first, it gives the present state, and
   * the task continues.
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
   * The states of the task, from the present one to the last. Changes that follow each other quickly are combined. When a task fails,
   * the iteration ends as usual, and the last state has the error.
   * @throws MustError `task_not_found`, `invalid_state` when the platform closes first. The signal's reason when it is
   * aborted; the task continues.
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
   * Cancels the task. True when it was still pending or running; false when it had already ended, and then nothing changes.
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
   * The frames of the result as pixels, decoded from its file: one frame for a picture, all frames for an MP4 clip.
   * @throws MustError as {@link Task.result}; `validation_error` for a WebM clip, because there is no decoder for it;
   * `payload_too_large` when there is not enough memory for the frames.
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
   * Writes the result to a file. For a folder, the file name is made of model, seed and words of the prompt. An existing file is
   * replaced when the new one is complete. Gives the file's path.
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
