// Servers for the tests of the web UI. One is the `must` program that MUST_PROGRAM names, with a new data folder. The other is a small
// server in front of it that serves core/web, either under another path or because the program does not serve it.

import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request as ask } from "node:http";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export const ADMIN_KEY = "an-admin-key-of-the-tests";

/** The content security policy that the platform sends with the page. It allows no inline code and nothing from other sites. */
export const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const dist = fileURLToPath(new URL("../../core/web/", import.meta.url));
const types = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };

/** Starts the program, with an access key for each of `people`. `stop` ends it and deletes its data. */
export async function serveProgram(settings = {}, people = []) {
  const folder = mkdtempSync(join(tmpdir(), "must-web-data-"));
  const config = join(folder, "settings.json");
  writeFileSync(config, JSON.stringify(settings));
  const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("MUST_")));
  const keys = people.map((name) => {
    const issued = spawnSync(process.env.MUST_PROGRAM, ["--json", "--data", join(folder, "data"), "keys", "issue", name], {
      env: environment,
    });
    return JSON.parse(issued.stdout).api_key;
  });
  const program = spawn(
    process.env.MUST_PROGRAM,
    ["--json", "--data", join(folder, "data"), "serve", "--addr", "127.0.0.1:0", "--config", config],
    { env: { ...environment, MUST_ADMIN_KEY: ADMIN_KEY }, stdio: ["ignore", "pipe", "inherit"] },
  );
  const ended = new Promise((resolve) => program.once("exit", resolve));
  const lines = createInterface({ input: program.stdout });
  const url = await Promise.race([
    new Promise((resolve) => lines.once("line", (line) => resolve(JSON.parse(line).listening))),
    ended.then((code) => Promise.reject(new Error(`the program ended with ${code}`))),
  ]);
  return {
    url,
    keys,
    stop: async () => {
      program.kill("SIGTERM");
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/**
 * Serves core/web at `mount` and passes every other call on to the platform behind it, without the mount in its path. `broken` is called
 * for each call. If it returns "unsent", the call does not reach the platform. If it returns "unanswered", the answer is lost.
 */
export async function serveInFront(behind, { mount = "/", broken = () => null } = {}) {
  const server = createServer((request, response) => {
    const path = request.url.split("?")[0];
    if (!path.startsWith(mount)) return response.writeHead(404).end();
    const fault = broken(request);
    if (fault === "unsent") return request.socket.destroy();
    const inside = path.slice(mount.length);
    const file = inside === "" ? "index.html" : inside.startsWith("assets/") ? normalize(inside) : null;
    if (file !== null) return sendFile(response, file);
    const { hostname, port } = new URL(behind);
    const passed = ask(
      { hostname, port, method: request.method, path: `/${request.url.slice(mount.length)}`, headers: request.headers },
      (answer) => {
        if (fault === "unanswered") return answer.resume().on("end", () => request.socket.destroy());
        response.writeHead(answer.statusCode, answer.headers);
        answer.pipe(response);
      },
    );
    passed.on("error", () => response.destroy());
    response.on("close", () => passed.destroy());
    request.pipe(passed);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}${mount}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}

function sendFile(response, name) {
  try {
    const bytes = readFileSync(join(dist, name));
    response.writeHead(200, {
      "Content-Type": types[extname(name)],
      "Content-Security-Policy": POLICY,
      "X-Content-Type-Options": "nosniff",
    });
    response.end(bytes);
  } catch {
    response.writeHead(404).end();
  }
}

/** The UI at the root: the one of the program, or, with MUST_WEB_DIST, the one of core/web in front of it. */
export async function serveUi(settings = {}, people = []) {
  const program = await serveProgram(settings, people);
  if (!process.env.MUST_WEB_DIST) return { ...program, api: program.url };
  const front = await serveInFront(program.url);
  const stop = async () => {
    await front.stop();
    await program.stop();
  };
  return { url: front.url.replace(/\/$/, ""), api: program.url, keys: program.keys, stop };
}
