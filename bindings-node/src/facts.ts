/** The parts of a request that access control reads. */

import { validation } from "./errors";
import type { RequestFacts, Route } from "./generated/facts";

/** The members of Node's `http.IncomingMessage` that are read. */
export interface IncomingRequest {
  /** Names and values in turn. */
  rawHeaders: readonly string[];
  url?: string | undefined;
  /** The whole URL, when a framework has shortened `url`. */
  originalUrl?: string | undefined;
  socket?: { remoteAddress?: string | undefined } | null | undefined;
}

const ADMIN_NAMES = ["admin_key", "admin-key", "admin_api_key", "x-admin-key"];

/**
 * The facts of a request of Node's HTTP server, or of a framework on top of it such as Express.
 * @example
 * ```js
 * const { createServer } = await import("node:http");
 * const server = createServer(async (request, response) => {
 *   const outcome = await platform.auth.authorize(requestFacts("generation", request)).catch((error) => error);
 *   response.writeHead(outcome.httpStatus ?? 200).end();
 * }).listen(0, "127.0.0.1");
 * await new Promise((listening) => server.once("listening", listening));
 * const answer = await fetch(`http://127.0.0.1:${server.address().port}/`, { headers: { Connection: "close" } });
 * console.log(answer.status); // 401
 * server.close();
 * ```
 */
export function requestFacts(route: Route, request: IncomingRequest): RequestFacts {
  if (!Array.isArray(request?.rawHeaders)) throw validation("the request must have rawHeaders, as Node's have");
  const header = (name: string): string[] =>
    request.rawHeaders.filter((_, index, all) => index % 2 === 1 && all[index - 1]?.toLowerCase() === name);
  const url = request.originalUrl ?? request.url ?? "";
  const start = url.indexOf("?");
  const query = [...new URLSearchParams(start < 0 ? "" : url.slice(start + 1))];
  const origins = header("origin");
  return {
    route,
    header_keys: header("x-api-key"),
    query_keys: query.filter(([name]) => name === "api_key").map(([, value]) => value),
    cookies: header("cookie"),
    admin_header_keys: header("x-admin-key"),
    query_admin_key_present: query.some(([name]) => ADMIN_NAMES.includes(name.toLowerCase())),
    // Several origins together are never an allowed origin.
    origin: origins.length > 0 ? origins.join(", ") : undefined,
    peer: address(request.socket?.remoteAddress),
    forwarded_for: header("x-forwarded-for"),
    correlation_id: header("x-request-id").find((id) => id !== ""),
  };
}

/** An address without its link zone. An IPv4 address that a dual-stack socket gives as IPv6 is given as IPv4. */
export function address(peer: string | undefined): string | undefined {
  return peer?.replace(/%.*$/, "").replace(/^::ffff:(?=\d+\.)/i, "");
}
