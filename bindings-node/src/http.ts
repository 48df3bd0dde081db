import type { Calls } from "./calls";
import { validation } from "./errors";
import { bytesOf, kind } from "./images";
import { timeArgument } from "./request";
import type { CloseOptions } from "./platform";

/** A request for {@link Platform.handle}. */
export interface HttpRequest {
  /** The method; `GET` when absent. */
  method?: string | undefined;
  /** The path with the query, as it was sent. */
  target: string;
  /** Names and values; a name may come more than once. */
  headers?: Iterable<readonly [string, string]> | undefined;
  body?: Uint8Array | ArrayBufferLike | undefined;
  /** The client's address, which throttling counts by. */
  peer?: string | undefined;
}

const STOP_SECONDS = 10;
const EMPTY = new Uint8Array();

/** A running HTTP server. */
export class Server implements AsyncDisposable {
  readonly #calls: Calls;
  readonly #number: number;
  /** The address that it listens on: `127.0.0.1:8000`. */
  readonly address: string;

  /** Made by `Platform.serve`. */
  constructor(calls: Calls, number: number, address: string) {
    this.#calls = calls;
    this.#number = number;
    this.address = address;
  }

  /** Its address as a URL. */
  get url(): string {
    return `http://${this.address}`;
  }

  /**
   * Stops accepting connections, ends event streams and waits for running calls, 10 seconds unless `deadlineSeconds` says otherwise.
   * True when all of them ended in time.
   */
  stop({ deadlineSeconds = STOP_SECONDS }: CloseOptions = {}): Promise<boolean> {
    const deadlineMs = timeArgument("deadlineSeconds", deadlineSeconds) * 1000;
    return this.#calls.json((call) => this.#calls.native.stopServer(call, this.#number, deadlineMs));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** The answer to a request. Iterating gives the pieces of its body; leaving the loop closes it. */
export class HttpResponse implements AsyncIterable<Buffer> {
  readonly #calls: Calls;
  readonly #number: number;
  readonly status: number;
  /** Names in lower case with their values, in order. */
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

  /** The whole body, or the rest of it if some was read. */
  async bytes(): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const chunk of this) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  /** The body as JSON. */
  async json(): Promise<unknown> {
    return JSON.parse((await this.bytes()).toString("utf8"));
  }

  /** Stops reading the body. */
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

/** The place at which a server has mounted the HTTP service. Absolute addresses in answers begin with it. */
export interface Mount {
  scheme: string;
  path: string;
}

export async function handle(calls: Calls, request: HttpRequest, mount: Mount | null = null): Promise<HttpResponse> {
  const { method = "GET", target, headers = [], body = EMPTY, peer = null } = request;
  const bytes = bytesOf(body);
  if (!bytes) throw validation(`the body must be bytes, not ${kind(body)}`);
  const head = JSON.stringify({ method, target, headers: [...headers], peer, mount });
  let number = 0;
  const [status, sent] = await calls.json<[number, [string, string][]]>((call) => {
    number = call;
    calls.native.request(call, head, bytes);
  });
  return new HttpResponse(calls, number, status, sent);
}
