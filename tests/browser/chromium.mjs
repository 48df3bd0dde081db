// Opens a page in headless Chromium and returns its report. Needs only Node and Chromium (`chromium`, or the program in CHROMIUM).

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

const limit = 60_000;

/**
 * Serves `page` at `/` of `http://HOST:PORT`, and `files` ({ path: { type, bytes } }) beside it, and opens the page. Returns the value
 * that the page posts to `/result`, or { error }.
 */
export async function report(page, { host = "127.0.0.1", port = 0, files = {} } = {}) {
  const { server, reported } = await serve(page, port, files);
  const profile = mkdtempSync(join(tmpdir(), "must-browser-"));
  const browser = spawn(
    process.env.CHROMIUM ?? "chromium",
    [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--autoplay-policy=no-user-gesture-required",
      "--remote-debugging-port=0",
      `--user-data-dir=${profile}`,
      `http://${host}:${server.address().port}/`,
    ],
    { stdio: "ignore", detached: true },
  );
  const ended = new Promise((resolve) => {
    browser.on("error", (error) => resolve({ error: String(error) }));
    browser.on("exit", () => resolve({ error: "the browser ended" }));
  });
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(() => resolve({ error: "nothing after a minute" }), limit);
  });
  try {
    return await Promise.race([reported, ended, late]);
  } finally {
    clearTimeout(timer);
    // Kill the whole process group, because its helpers would continue to write to the profile.
    try {
      process.kill(-browser.pid, "SIGKILL");
    } catch {
      /* it has ended */
    }
    await ended;
    server.closeAllConnections();
    server.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }
}

function serve(page, port, files) {
  const server = createServer();
  const reported = new Promise((resolve) => {
    server.on("request", (request, response) => {
      const file = files[request.url];
      if (file) {
        response.writeHead(200, { "Content-Type": file.type }).end(file.bytes);
      } else if (request.url === "/result") {
        let body = "";
        request.on("data", (part) => {
          body += part;
        });
        request.on("end", () => {
          response.end();
          resolve(JSON.parse(body));
        });
      } else {
        response.writeHead(200, { "Content-Type": "text/html" }).end(request.url === "/" ? page : "");
      }
    });
  });
  return new Promise((resolve) => server.listen(port, "127.0.0.1", () => resolve({ server, reported })));
}
