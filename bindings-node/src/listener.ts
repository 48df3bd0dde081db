/** The HTTP service inside other servers: node:http and frameworks on it, node:http2, Fastify. */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import { bodyOf, type Body, type Pace, type Parsed } from "./body";
import type { Calls } from "./calls";
import { MustError } from "./errors";
import { address } from "./facts";
import { handle, type HttpResponse, type Mount } from "./http";

type Incoming = IncomingMessage | Http2ServerRequest;
type Outgoing = ServerResponse | Http2ServerResponse;

/** A request of Fastify. */
interface FastifyRequest extends Parsed {
  raw: Incoming;
  routeOptions?: { url?: string | undefined } | undefined;
}

/** A reply of Fastify. */
interface FastifyReply {
  raw: Outgoing;
  hijack(): unknown;
}

/** The request that a listener gets: from node:http or Express, from node:http2, or from Fastify. */
export type ListenerRequest = Incoming | FastifyRequest;

/** The response that a listener writes to. */
export type ListenerResponse = Outgoing | FastifyReply;

/** Headers of a connection, which HTTP/2 does not have. */
const CONNECTION_HEADERS = new Set(["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"]);

/** Answers a request, below the path where a framework has mounted the listener. */
export async function answer(calls: Calls, maxBodyBytes: number, given: ListenerRequest, reply: ListenerResponse): Promise<void> {
  const request = "raw" in given ? given.raw : given;
  const response = "hijack" in reply ? reply.raw : reply;
  if ("hijack" in reply) reply.hijack();
  let gone = false;
  let made: HttpResponse | undefined;
  response.on("close", () => {
    gone = true;
    made?.close();
  });
  try {
    const to = slashed(request);
    if (to !== undefined) {
      response.writeHead(308, { location: to, "cache-control": "no-store" });
      response.end();
      return;
    }
    const peer = address(request.socket.remoteAddress);
    // A request that Fastify has parsed has its body beside the raw one.
    const parsed: Parsed = "raw" in given ? given : (request as Parsed);
    const pace: Pace = (bytes, began, last) => calls.json<number>((call) => calls.native.bodyWait(call, bytes, began, last));
    const body = await bodyOf(request, parsed, maxBodyBytes, pace);
    const below = target(request.url ?? "/", given);
    const asked = { method: request.method, target: below, headers: headersOf(request, body), body: body.bytes, peer };
    made = await handle(calls, asked, mountOf(request, below));
    if (gone) return made.close();
    writeHead(response, request.httpVersionMajor, made.status, made.headers);
    for await (const chunk of made) {
      if (!(response as ServerResponse).write(chunk)) await drained(response, () => gone);
      if (gone) return;
    }
    response.end();
  } catch (error) {
    // A request is destroyed as soon as its body was read. Only the response shows whether the client is still connected.
    if (response.headersSent || gone) {
      response.destroy();
      return;
    }
    const failure = error instanceof MustError ? error : new MustError("internal", "the request could not be answered");
    // The rest of the request is not read.
    if (!request.complete && "shouldKeepAlive" in response) response.shouldKeepAlive = false;
    response.writeHead(failure.httpStatus, { "content-type": "application/json", "cache-control": "no-store" });
    response.end(JSON.stringify(failureBody(failure, target(request.url ?? "/", given))));
  }
}

/** The body of an answer that reports a failure, as the HTTP service writes it; OpenAI's clients read `error`. */
function failureBody({ code, detail, userAction, httpStatus }: MustError, below: string): object {
  const body = { code, detail, user_action: userAction };
  if (!below.startsWith("/v1/")) return body;
  const type = httpStatus >= 500 ? "server_error" : "invalid_request_error";
  return { ...body, error: { message: `${detail}. ${userAction}`, type, param: null, code } };
}

/** The path at which a framework has mounted the listener. */
function mountOf(request: Incoming, below: string): Mount {
  const { originalUrl, url = "/" } = request as { originalUrl?: unknown; url?: string | undefined };
  const socket = request.socket as { encrypted?: unknown };
  const whole = typeof originalUrl === "string" ? originalUrl : url;
  const mounted = whole.endsWith(below) ? whole.slice(0, whole.length - below.length) : "";
  return { scheme: socket.encrypted === true ? "https" : "http", path: mounted };
}

/** The path with the query, below a route of Fastify such as `/must/*`; Express has shortened it already. */
function target(url: string, given: ListenerRequest): string {
  const route = "raw" in given ? given.routeOptions?.url : undefined;
  if (!route?.endsWith("/*")) return url;
  // Segments are counted because one of them may be a parameter of the route.
  const mount = route.slice(0, -2).split("/").length - 1;
  const [path = "", ...query] = url.split("?");
  return [
    `/${path
      .split("/")
      .slice(mount + 1)
      .join("/")}`,
    ...query,
  ].join("?");
}

/** Unchanged names and values. The pseudo headers of HTTP/2 are left out; method, target and `host` have their values. */
function headersOf(request: Incoming, { bytes, parsed }: Body): [string, string][] {
  const headers: [string, string][] = [];
  for (let index = 0; index + 1 < request.rawHeaders.length; index += 2) {
    const [name = "", value = ""] = request.rawHeaders.slice(index, index + 2);
    // A body that was already parsed is no longer compressed and may have another length.
    const gone = parsed && ["content-encoding", "content-length", "transfer-encoding"].includes(name.toLowerCase());
    if (!name.startsWith(":") && !gone) headers.push([name, value]);
  }
  if (parsed) headers.push(["content-length", String(bytes.length)]);
  const authority = "authority" in request ? request.authority : undefined;
  if (authority && !headers.some(([name]) => name.toLowerCase() === "host")) headers.push(["host", authority]);
  return headers;
}

function writeHead(response: Outgoing, version: number, status: number, headers: [string, string][]): void {
  if (version < 2) {
    (response as ServerResponse).writeHead(status, headers.flat());
    return;
  }
  // Node sends a repeated name only once unless its values are grouped.
  const grouped: Record<string, string[]> = {};
  for (const [name, value] of headers) {
    if (!CONNECTION_HEADERS.has(name)) (grouped[name] ??= []).push(value);
  }
  const single = Object.entries(grouped).map(([name, values]) => [name, values.length === 1 ? values[0] : values] as const);
  (response as Http2ServerResponse).writeHead(status, Object.fromEntries(single));
}

/**
 * The address of the web UI with a slash at its end, when Express mounts it at a path that was requested without the slash. The page's
 * own addresses are relative, so they need the slash.
 */
function slashed(request: Incoming): string | undefined {
  const { originalUrl } = request as { originalUrl?: unknown };
  if (request.method !== "GET" || typeof originalUrl !== "string" || !/^\/(\?|$)/.test(request.url ?? "")) return undefined;
  const [path = "", query] = originalUrl.split("?", 2);
  return path.endsWith("/") ? undefined : `${path}/${query === undefined ? "" : `?${query}`}`;
}

function drained(response: Outgoing, isGone: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off("drain", done);
      response.off("close", done);
      resolve();
    };
    if (isGone()) return resolve();
    response.on("drain", done);
    response.on("close", done);
  });
}
