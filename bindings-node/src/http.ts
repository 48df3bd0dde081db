import type { IncomingMessage, ServerResponse } from "node:http";
import type { Calls } from "./calls";
import { MustError } from "./errors";
import { timeArgument } from "./request";
import type { CloseOptions } from "./platform";

/** A request for {@link Platform.handle}. */
export interface HttpRequest {
  method?: string | undefined;
  /** The path with the query, as it was sent. */
  target: string;
  /** Names and values; a name may come more than once. */
  headers?: Iterable<readonly [string, string]> | undefined;
  body?: Uint8Array | undefined;
  /** The address at the other end, which throttling counts by. */
  peer?: string | undefined;
}

const STOP_MS = 10_000;
/** When a body that is still coming is first looked at. */
const FIRST_LOOK_MS = 500;
const EMPTY = new Uint8Array();

/** A running HTTP server. */
export class Server implements AsyncDisposable {
  readonly #calls: Calls;
  readonly #number: number;
  /** Where it listens: `127.0.0.1:8000`. */
  readonly address: string;

  /** Made by `Platform.serve`. */
  constructor(calls: Calls, number: number, address: string) {
    this.#calls = calls;
    this.#number = number;
    this.address = address;
  }

  /** The same as a URL. */
  get url(): string {
    return `http://${this.address}`;
  }

  /** Takes no more connections, ends event streams and waits for calls that run; whether all had ended in time. */
  stop({ deadlineMs = STOP_MS }: CloseOptions = {}): Promise<boolean> {
    const deadline = timeArgument("deadlineMs", deadlineMs);
    return this.#calls.json((call) => this.#calls.native.stopServer(call, this.#number, deadline));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** The answer to a request. Iterating gives the pieces of its body; leaving the loop ends it. */
export class HttpResponse implements AsyncIterable<Buffer> {
  readonly #calls: Calls;
  readonly #number: number;
  readonly status: number;
  /** Names, in lower case, and values in order. */
  readonly headers: [string, string][];

  /** Made by `Platform.handle`. */
  constructor(calls: Calls, number: number, status: number, headers: [string, string][]) {
    this.#calls = calls;
    this.#number = number;
    this.status = status;
    this.headers = headers;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    try {
      for (;;) {
        const chunk = await this.#calls.start((call) => this.#calls.native.chunk(call, this.#number));
        if (typeof chunk === "string") return;
        yield chunk;
      }
    } finally {
      this.close();
    }
  }

  /** The whole body, or what is left of it. */
  async bytes(): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const chunk of this) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  /** The body as JSON. */
  async json(): Promise<unknown> {
    return JSON.parse((await this.bytes()).toString("utf8"));
  }

  /** Asks for no more of it. */
  close(): void {
    this.#calls.native.endAnswer(this.#number);
  }
}

export async function serve(calls: Calls, address: string): Promise<Server> {
  let number = 0;
  const listening = await calls.json<string>((call) => {
    number = call;
    calls.native.serve(call, address);
  });
  return new Server(calls, number, listening);
}

export async function handle(calls: Calls, request: HttpRequest): Promise<HttpResponse> {
  const { method = "GET", target, headers = [], body = EMPTY, peer = null } = request;
  const head = JSON.stringify({ method, target, headers: [...headers], peer });
  let number = 0;
  const [status, sent] = await calls.json<[number, [string, string][]]>((call) => {
    number = call;
    calls.native.request(call, head, body);
  });
  return new HttpResponse(calls, number, status, sent);
}

/** Answers a request of Node's own server, or of Express below the path where it is mounted. */
export async function answer(
  calls: Calls,
  maxBodyBytes: number,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    const to = slashed(request);
    if (to !== undefined) {
      response.writeHead(308, { location: to, "cache-control": "no-store" }).end();
      return;
    }
    const body = await read(calls, request, maxBodyBytes);
    const headers: [string, string][] = [];
    for (let index = 0; index + 1 < request.rawHeaders.length; index += 2) {
      headers.push([request.rawHeaders[index] ?? "", request.rawHeaders[index + 1] ?? ""]);
    }
    const made = await handle(calls, {
      method: request.method,
      target: request.url ?? "/",
      headers,
      body,
      peer: request.socket.remoteAddress,
    });
    response.on("close", () => made.close());
    response.writeHead(made.status, made.headers.flat());
    for await (const chunk of made) {
      if (!response.write(chunk)) await drained(response);
      if (response.destroyed) return;
    }
    response.end();
  } catch (error) {
    if (response.headersSent || request.destroyed) {
      response.destroy();
      return;
    }
    const failure = error instanceof MustError ? error : new MustError("internal", "the request could not be answered");
    // What is still coming of the request is not waited for.
    if (!request.complete) response.shouldKeepAlive = false;
    response.writeHead(failure.httpStatus, { "content-type": "application/json", "cache-control": "no-store" });
    response.end(JSON.stringify({ code: failure.code, detail: failure.detail, user_action: failure.userAction }));
  }
}

/**
 * Where the web UI is, when Express mounts it below a path and that path was asked for without a slash at its end: the page's own
 * addresses are relative to it.
 */
function slashed(request: IncomingMessage): string | undefined {
  const { originalUrl } = request as { originalUrl?: unknown };
  if (request.method !== "GET" || typeof originalUrl !== "string" || !/^\/(\?|$)/.test(request.url ?? "")) return undefined;
  const [path = "", query] = originalUrl.split("?", 2);
  return path.endsWith("/") ? undefined : `${path}/${query === undefined ? "" : `?${query}`}`;
}

/**
 * The body; one that is too large is cut just beyond the limit, and refused by the platform.
 * @throws MustError when it comes too slowly.
 */
async function read(calls: Calls, request: IncomingMessage, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  const began = performance.now();
  let last = began;
  const whole = (async () => {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      if (size <= limit) chunks.push(chunk);
      size += chunk.length;
      last = performance.now();
    }
    return Buffer.concat(chunks);
  })();
  // Nobody hears of its failure once the other has decided.
  whole.catch(() => {});
  let timer: NodeJS.Timeout | undefined;
  let over = false;
  const slow = new Promise<never>((_, reject) => {
    const look = (): void => {
      const now = performance.now();
      const wait = calls.json<number>((call) => calls.native.bodyWait(call, size, now - began, now - last));
      wait.then((milliseconds) => {
        if (!over) timer = setTimeout(look, milliseconds);
      }, reject);
    };
    timer = setTimeout(look, FIRST_LOOK_MS);
  });
  try {
    return await Promise.race([whole, slow]);
  } finally {
    over = true;
    clearTimeout(timer);
  }
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off("drain", done);
      response.off("close", done);
      resolve();
    };
    response.on("drain", done);
    response.on("close", done);
  });
}
