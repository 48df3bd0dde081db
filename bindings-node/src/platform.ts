import type { CallerOptions } from "./administration";
import { Calls } from "./calls";
import { validation } from "./errors";
import { encodeFields } from "./fields";
import { Admin, Auth } from "./generated/access";
import { Accounts } from "./generated/accounts";
import { Audit } from "./generated/audit";
import { backup, type Backup } from "./generated/backup";
import type { Load } from "./generated/load";
import type { LogRecord } from "./generated/log";
import type { Model } from "./generated/models";
import type { GenerateRequest } from "./generated/request";
import { Secrets } from "./generated/secrets";
import { submitOptionFields, type SubmitOptions as CoreSubmitOptions } from "./generated/submit_options";
import type { TaskPage, TaskQuery, TaskState } from "./generated/tasks";
import { asker } from "./host";
import { handle, serve, type HttpRequest, type HttpResponse, type Server } from "./http";
import { readAll } from "./images";
import { answer, type ListenerRequest, type ListenerResponse } from "./listener";
import { encodeQuery, encodeRequest, textArgument, timeArgument } from "./request";
import { encodeSettings } from "./settings";
import { Task } from "./task";
import type { Settings } from "./types";

/** How to submit. */
export interface SubmitOptions extends CoreSubmitOptions {
  /** Cancels the task, now or at any later time. */
  signal?: AbortSignal | undefined;
  /**
   * Whether text for an image may be the path of a file; true when absent. Use false for requests of other people, who could otherwise
   * name any file of this machine.
   */
  imagePaths?: boolean | undefined;
}

/** How to close. */
export interface CloseOptions {
  /** How long to wait for running tasks to stop; 10 s when absent. */
  deadlineSeconds?: number | undefined;
}

const CLOSE_SECONDS = 10;
const EXIT_MS = 5_000;
const MAX_BODY_BYTES = 32 << 20;

/** The platforms of this environment that are open. */
const open = new Set<Calls>();

process.on("exit", () => {
  for (const calls of open) calls.native.release(EXIT_MS);
});

/**
 * A running platform in one data folder. It runs until it is closed or its environment (process or worker thread) ends. An idle
 * platform does not keep the process alive. No call blocks the event loop; every call that has to wait returns a promise.
 * @example
 * ```js
 * const platform = await Platform.open({ dataDir: "data" });
 * const task = await platform.submit({ model: "tiny-image", prompt: "a red circle", seed: 7 });
 * const { status } = await task.wait();
 * await task.save("circle.png");
 * console.log(status); // done
 * await platform.close();
 * ```
 */
export class Platform implements AsyncDisposable {
  readonly #calls: Calls;
  readonly #maxBodyBytes: number;
  #closing: Promise<void> | undefined;
  /**
   * API keys and sessions.
   * @example
   * ```js
   * const { key, secret } = await platform.auth.issueKey("studio");
   * const facts = { route: "generation", header_keys: [secret] };
   * const principal = await platform.auth.authorize(facts);
   * console.log(principal.kind, principal.name); // api_key studio
   * await platform.auth.revokeKey(key.id, { caller: principal.caller });
   * const error = await platform.auth.authorize(facts).catch((error) => error);
   * console.log(error.code, error.httpStatus); // invalid_api_key 403
   * ```
   */
  readonly auth: Auth;
  /**
   * Sessions of administrators.
   * @example
   * ```js
   * const login = { route: "admin_login", admin_header_keys: ["a key of 16 letters or more"] };
   * const { cookie, token } = await platform.admin.openSession(login);
   * const { kind } = await platform.auth.authorize({ route: "admin", cookies: [`${cookie}=${token}`] });
   * console.log(kind); // admin_session
   * ```
   */
  readonly admin: Admin;
  /**
   * Secrets, encrypted at rest.
   * @example
   * ```js
   * await platform.secrets.put("clip-provider", "a token");
   * await platform.secrets.rotate("clip-provider", { value: "the next token" });
   * console.log(await platform.secrets.get("clip-provider")); // the next token
   * ```
   */
  readonly secrets: Secrets;
  /**
   * Accounts of workers that tasks may be sent to.
   * @example
   * ```js
   * const address = "https://team-a.example.com";
   * const account = await platform.accounts.add("team-a", { tokenId: "ak-1", tokenSecret: "as-1", address });
   * console.log(account.status); // pending
   * await platform.accounts.remove("team-a");
   * ```
   */
  readonly accounts: Accounts;
  /**
   * The audit log.
   * @example
   * ```js
   * await platform.audit.append({ actor: "nightly-job", source: "host", action: "cleanup", target: "gallery", outcome: "success" });
   * const { logs } = await platform.audit.list({ action: "cleanup" });
   * console.log(logs[0].actor, logs.length); // nightly-job 1
   * const { ok } = await platform.audit.verify();
   * console.log(ok); // true
   * ```
   */
  readonly audit: Audit;

  private constructor(calls: Calls, maxBodyBytes: number) {
    this.#calls = calls;
    this.#maxBodyBytes = maxBodyBytes;
    this.auth = new Auth(calls);
    this.admin = new Admin(calls);
    this.secrets = new Secrets(calls);
    this.accounts = new Accounts(calls);
    this.audit = new Audit(calls);
  }

  /**
   * Opens the data folder, restores the tasks that a crash interrupted, and starts the lanes. Relative paths are relative to the present
   * working folder and do not change when it changes.
   * @throws MustError `validation_error`, `data_dir_locked`, `dependency_unavailable` (cannot be written), `storage_full`,
   * `storage_corrupt`.
   * @example
   * ```js
   * const seen = [];
   * const log = ({ message }) => seen.push(message);
   * const other = await Platform.open({ dataDir: "other", threads: 2, queueDepth: 100, imageLimitSeconds: 60, log });
   * await other.close();
   *
   * const error = await Platform.open({ dataDir: "other", threads: -1 }).catch((error) => error);
   * console.log(error.code); // validation_error
   * ```
   */
  static async open(settings: Settings): Promise<Platform> {
    const { json, log, host } = encodeSettings(settings);
    const calls = new Calls();
    open.add(calls);
    try {
      const provided = { masterKeys: !!host.masterKeys, auditKeys: !!host.auditKeys, anchor: !!host.anchor };
      const ask = asker(calls.native, host);
      await calls.start((call) => calls.native.open(call, json, log && logger(log), ask, provided, host.clock?.native));
      return new Platform(calls, settings.http?.maxBodyBytes ?? MAX_BODY_BYTES);
    } catch (error) {
      await end(calls, 0);
      throw error;
    }
  }

  /**
   * The catalog: every model, whether it can run here, its modes and its parameters.
   * @example
   * ```js
   * const tiny = (await platform.models()).find(({ id }) => id === "tiny-image");
   * console.log(tiny.available, tiny.modes.join(), tiny.parameters_schema.steps.maximum); // true txt2img,img2img 50
   * ```
   */
  models(): Promise<Model[]> {
    return this.#calls.json((call) => this.#calls.native.models(call));
  }

  /**
   * The state of the lanes and their pipelines.
   * @example
   * ```js
   * const { waiting } = await platform.load();
   * console.log(waiting); // 0
   * ```
   */
  load(): Promise<Load> {
    return this.#calls.json((call) => this.#calls.native.load(call));
  }

  /**
   * The platform's metrics, in the text format of Prometheus.
   * @example
   * ```js
   * console.log((await platform.metrics()).includes("# TYPE must_audit_events gauge")); // true
   * ```
   */
  metrics(): Promise<string> {
    return this.#calls.json((call) => this.#calls.native.metrics(call));
  }

  /**
   * Copies the data folder into a new or empty folder while the platform works, and checks the copy. To restore it, open the folder as a
   * data folder together with the key files, which it does not contain. The folder appears under its name when it is complete. Do not copy
   * the database with a second SQLite.
   * @throws MustError `validation_error` for a folder that is not empty or is inside the data folder; `storage_full`;
   * `storage_corrupt` when the database is damaged; `dependency_unavailable` when the folder cannot be written.
   * @example
   * ```js
   * const { audit_ok, tasks } = await platform.backup("copy");
   * console.log(audit_ok, tasks); // true 0
   * ```
   */
  backup(folder: string, options?: CallerOptions): Promise<Backup> {
    return backup(this.#calls, folder, options);
  }

  /**
   * Serves the HTTP API on threads of the library, at `127.0.0.1:8000` when no address is given; port 0 chooses a free port.
   * @throws MustError `validation_error` for an invalid address; `dependency_unavailable` when it is in use.
   * @example
   * ```js
   * const server = await platform.serve("127.0.0.1:0");
   * const { app } = await (await fetch(`${server.url}/health`)).json();
   * console.log(app); // must
   * await server.stop();
   * ```
   */
  async serve(address = "127.0.0.1:8000"): Promise<Server> {
    return serve(this.#calls, textArgument("the address", address));
  }

  /**
   * Answers one HTTP request without a socket. Every refusal of the request itself is an answer.
   * @throws MustError `validation_error` for a malformed HTTP request.
   * @example
   * ```js
   * const response = await platform.handle({ method: "GET", target: "/health", peer: "192.0.2.7" });
   * const { app } = await response.json();
   * console.log(response.status, app); // 200 must
   * ```
   */
  async handle(request: HttpRequest): Promise<HttpResponse> {
    textArgument("the target", request.target);
    return handle(this.#calls, request);
  }

  /**
   * The HTTP API as a listener: `http.createServer(platform.handler())`, the same under `node:http2`,
   * `app.use("/must", platform.handler())` in Express, `fastify.all("/must/*", platform.handler())` in Fastify.
   * @example
   * ```js
   * const { createServer } = await import("node:http");
   * const server = createServer(platform.handler()).listen(0, "127.0.0.1");
   * await new Promise((listening) => server.once("listening", listening));
   * const answer = await fetch(`http://127.0.0.1:${server.address().port}/health`, { headers: { Connection: "close" } });
   * console.log(answer.status); // 200
   * server.close();
   * ```
   */
  handler(): (request: ListenerRequest, response: ListenerResponse) => void {
    return (request, response) => void answer(this.#calls, this.#maxBodyBytes, request, response);
  }

  /**
   * Checks the request, makes a durable task and puts it into the queue; does not wait for the result. Pictures that are streams are
   * read first.
   * @throws MustError `validation_error`, `payload_too_large`, `model_unavailable`, `queue_overloaded`, `no_workers`, `storage_full`; then
   * no task was made. The signal's reason when it is aborted before this resolves; if a task was made, it is cancelled.
   * @example
   * ```js
   * const first = await platform.submit({ model: "tiny-image", prompt: "a red circle", seed: 7, steps: 4 });
   * await first.wait();
   * const sketch = await first.result(); // A Buffer; a path, a Blob or a stream works too.
   * const request = { model: "tiny-image", mode: "img2img", prompt: "a red circle", reference_image: sketch, steps: 4 };
   * const second = await platform.submit(request);
   * console.log((await second.wait()).status); // done
   *
   * const error = await platform.submit({ ...request, steps: 1000 }).catch((error) => error);
   * console.log(error.code); // validation_error
   *
   * const once = { owner: "anna", idempotency: { owner: "shop", key: "order-1234" } };
   * const bought = await platform.submit({ model: "tiny-image", prompt: "a blue circle" }, once);
   * const again = await platform.submit({ model: "tiny-image", prompt: "a blue circle" }, once);
   * console.log(again.id === bought.id); // true
   * ```
   */
  async submit(request: GenerateRequest, { signal, imagePaths = true, ...others }: SubmitOptions = {}): Promise<Task> {
    signal?.throwIfAborted();
    if (typeof imagePaths !== "boolean") throw validation("imagePaths must be true or false");
    const options = JSON.stringify(encodeFields("option", others, submitOptionFields));
    const { json, images, unread } = encodeRequest(request);
    if (unread.length > 0) {
      // The caller may change the bytes as soon as this function waits.
      for (const image of images) image.bytes = new Uint8Array(image.bytes);
      images.push(...(await readAll(unread, signal)));
    }
    const state = await this.#calls.json<TaskState>((call) => this.#calls.native.submit(call, json, images, imagePaths, options));
    const task = new Task(this.#calls, state.id);
    if (signal?.aborted) {
      await task.cancel();
      throw signal.reason;
    }
    if (signal) this.#cancelOn(signal, task);
    return task;
  }

  /**
   * A handle of the task with this id. The task does not have to exist.
   * @example
   * ```js
   * const error = await platform.task("no-such-task").status().catch((error) => error);
   * console.log(error.code); // task_not_found
   * ```
   */
  task(id: string): Task {
    return new Task(this.#calls, id);
  }

  /**
   * A page of the tasks of every status.
   * @example
   * ```js
   * const { items, total } = await platform.tasks({ status: "failed", per_page: 50 });
   * console.log(items.length, total); // 0 0
   * ```
   */
  async tasks(query: TaskQuery = {}): Promise<TaskPage> {
    const json = encodeQuery(query);
    return this.#calls.json((call) => this.#calls.native.tasks(call, json));
  }

  /**
   * A page of the finished tasks with a result.
   * @example
   * ```js
   * const { items } = await platform.gallery({ type: "video", sort: "oldest" });
   * console.log(items.map(({ prompt }) => prompt)); // []
   * ```
   */
  async gallery(query: TaskQuery = {}): Promise<TaskPage> {
    const json = encodeQuery(query);
    return this.#calls.json((call) => this.#calls.native.gallery(call, json));
  }

  /**
   * Removes an ended task and its files.
   * @throws MustError `task_not_found`; `invalid_state` while it runs or waits: cancel it first.
   * @example
   * ```js
   * const task = await platform.submit({ model: "tiny-image", prompt: "a red circle", steps: 4 });
   * await task.wait();
   * await platform.delete(task.id);
   * ```
   */
  async delete(id: string): Promise<void> {
    const task = textArgument("the task id", id);
    await this.#calls.start((call) => this.#calls.native.delete(call, task));
  }

  /**
   * Accepts no more tasks, asks running tasks to stop, waits for them, and closes the data folder. Unfinished tasks continue when the
   * folder is opened again. Open calls end with `invalid_state`. Calling it again does nothing.
   * @example
   * ```js
   * await platform.close({ deadlineSeconds: 10 });
   * const error = await platform.models().catch((error) => error);
   * console.log(error.code); // invalid_state
   * ```
   */
  async close({ deadlineSeconds = CLOSE_SECONDS }: CloseOptions = {}): Promise<void> {
    const deadlineMs = timeArgument("deadlineSeconds", deadlineSeconds) * 1000;
    await (this.#closing ??= end(this.#calls, deadlineMs));
  }

  /** Closes the platform, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Cancels `task` when `signal` is aborted; stops listening to the signal when the task has ended. */
  #cancelOn(signal: AbortSignal, task: Task): void {
    const cancel = (): void => void task.cancel().catch(ignore);
    signal.addEventListener("abort", cancel, { once: true });
    this.#calls
      .start((call) => this.#calls.native.wait(call, task.id), { background: true })
      .catch(ignore)
      .finally(() => signal.removeEventListener("abort", cancel));
  }
}

async function end(calls: Calls, deadlineMs: number): Promise<void> {
  try {
    await calls.close(deadlineMs);
  } finally {
    calls.native.release(EXIT_MS);
    open.delete(calls);
  }
}

/** The function that the native part calls with each record. An exception in `log` becomes a warning of the process. */
function logger(log: (record: LogRecord) => void): (record: string) => void {
  return (record) => {
    try {
      log(JSON.parse(record) as LogRecord);
    } catch (error) {
      process.emitWarning(`the log function threw: ${error instanceof Error ? error.message : String(error)}`, "MustWarning");
    }
  };
}

function ignore(): void {}
