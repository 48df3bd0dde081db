// A headless Chromium driven through the DevTools protocol over a pipe. Needs only Node and a Chromium (CHROMIUM names it;
// `chromium` otherwise).

import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const PATIENCE = 60_000;

/** Starts a browser. `close` ends it and all of its helper processes. `preferences` are preferences of its profile. */
export async function launch({ preferences = {} } = {}) {
  const profile = mkdtempSync(join(tmpdir(), "must-web-"));
  mkdirSync(join(profile, "Default"));
  writeFileSync(join(profile, "Default", "Preferences"), JSON.stringify(preferences));
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
      "--hide-scrollbars",
      "--lang=en-US",
      "--remote-debugging-pipe",
      `--user-data-dir=${profile}`,
      "about:blank",
    ],
    { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"], detached: true },
  );
  const ended = new Promise((resolve) => browser.once("exit", resolve).once("error", resolve));
  const protocol = new Protocol(browser.stdio[3], browser.stdio[4]);
  const close = async () => {
    try {
      process.kill(-browser.pid, "SIGKILL");
    } catch {
      /* it has ended */
    }
    await ended;
    rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  };
  return { open: (options) => open(protocol, options), close };
}

class Protocol {
  #next = 0;
  #asked = new Map();
  #listeners = new Set();
  #out;

  constructor(out, back) {
    this.#out = out;
    let rest = "";
    back.setEncoding("utf8");
    back.on("data", (part) => {
      const messages = (rest + part).split("\0");
      rest = messages.pop();
      for (const message of messages) this.#take(JSON.parse(message));
    });
    back.on("close", () => {
      for (const { reject } of this.#asked.values()) reject(new Error("the browser ended"));
    });
  }

  #take(message) {
    const asked = this.#asked.get(message.id);
    if (!asked) return this.#listeners.forEach((listener) => listener(message));
    this.#asked.delete(message.id);
    if (message.error) asked.reject(new Error(`${asked.method}: ${message.error.message}`));
    else asked.resolve(message.result);
  }

  listen(listener) {
    this.#listeners.add(listener);
  }

  ignore(listener) {
    this.#listeners.delete(listener);
  }

  send(method, params = {}, sessionId = undefined) {
    const id = (this.#next += 1);
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve, reject, method });
      this.#out.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
  }
}

/** The context of the browser's own profile. All others are private. A private one does not store cookies of embedded sites. */
export const PROFILE = "";

/**
 * Opens a page. It shares cookies and storage with another page only if the `context` of that page is given. A browser draws only the
 * newest page of a window. With `newWindow` the page gets its own window and is drawn too.
 */
async function open(
  protocol,
  { width = 1280, height = 860, dark = false, mobile = false, language = "en-US", context = null, newWindow = false } = {},
) {
  const browserContextId = context ?? (await protocol.send("Target.createBrowserContext")).browserContextId;
  const { targetId } = await protocol.send("Target.createTarget", {
    url: "about:blank",
    browserContextId: browserContextId || undefined,
    newWindow: newWindow || undefined,
  });
  const { sessionId } = await protocol.send("Target.attachToTarget", { targetId, flatten: true });
  const page = new Page(protocol, sessionId, targetId, browserContextId);
  for (const domain of ["Page", "Runtime", "Log", "Network"]) await page.send(`${domain}.enable`);
  await page.send("Network.setUserAgentOverride", { userAgent: "Mozilla/5.0 (headless)", acceptLanguage: language });
  await page.view({ width, height, dark, mobile });
  return page;
}

export class Page {
  /** Everything that the browser calls an error or a warning: exceptions, the console, refused loads, violations of the policy. */
  problems = [];
  /** The requests that the page made: { method, path, headers, status }. */
  requests = [];

  constructor(protocol, session, target, context) {
    this.protocol = protocol;
    this.session = session;
    this.target = target;
    this.context = context;
    const open = new Map();
    protocol.listen(({ sessionId, method, params }) => {
      if (sessionId !== session) return;
      if (method === "Runtime.exceptionThrown") {
        this.problems.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
      } else if (method === "Runtime.consoleAPICalled" && ["error", "warning", "assert"].includes(params.type)) {
        this.problems.push(params.args.map((arg) => arg.value ?? arg.description).join(" "));
      } else if (method === "Log.entryAdded" && ["error", "warning"].includes(params.entry.level)) {
        this.problems.push(`${params.entry.text} ${params.entry.url ?? ""}`);
      } else if (method === "Network.requestWillBeSent" && params.request.url.startsWith("http")) {
        const request = {
          method: params.request.method,
          path: new URL(params.request.url).pathname,
          headers: params.request.headers,
          status: null,
        };
        open.set(params.requestId, request);
        this.requests.push(request);
      } else if (method === "Network.responseReceived") {
        const request = open.get(params.requestId);
        if (request) request.status = params.response.status;
      }
    });
  }

  send(method, params = {}) {
    return this.protocol.send(method, params, this.session);
  }

  /** Waits for the next download and returns its name. */
  async download() {
    const downloadPath = mkdtempSync(join(tmpdir(), "must-downloads-"));
    const begun = new Promise((resolve) => {
      const listener = ({ method, params }) => {
        if (method !== "Browser.downloadWillBegin") return;
        this.protocol.ignore(listener);
        resolve(params);
      };
      this.protocol.listen(listener);
    });
    const behavior = { behavior: "allow", downloadPath, eventsEnabled: true, browserContextId: this.context };
    await this.protocol.send("Browser.setDownloadBehavior", behavior);
    const { suggestedFilename, guid } = await begun;
    // Otherwise the browser may write a file into the folder while it is being removed. A finished download cannot be cancelled.
    await this.protocol.send("Browser.cancelDownload", { guid, browserContextId: this.context }).catch(() => {});
    await rm(downloadPath, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
    return suggestedFilename;
  }

  async view({ width, height, dark = false, mobile = false }) {
    await this.send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: mobile ? 2 : 1, mobile });
    await this.send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }] });
  }

  async goto(url) {
    await this.send("Page.navigate", { url });
    await this.until(() => document.readyState === "complete");
  }

  async reload() {
    await this.evaluate(() => {
      window.before = true;
    });
    await this.send("Page.reload");
    await this.until(() => !window.before && document.readyState === "complete");
  }

  /** Calls a function in the page with copies of the arguments, and returns its value. */
  async evaluate(work, ...given) {
    const expression = `(${work})(${given.map((value) => JSON.stringify(value)).join(",")})`;
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
      userGesture: true,
    });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  /** Waits until a function in the page returns a value, and returns it. */
  async until(work, ...given) {
    const end = Date.now() + PATIENCE;
    let last;
    for (;;) {
      try {
        const value = await this.evaluate(work, ...given);
        if (value) return value;
      } catch (reason) {
        last = reason;
      }
      if (Date.now() > end) throw new Error(`waited in vain for ${work} ${JSON.stringify(given)} ${last ?? ""}\n${await this.text()}`);
      await sleep(40);
    }
  }

  text() {
    return this.evaluate(() => document.body.innerText);
  }

  /** Waits for an element that matches a selector and has these words in its text or its label. */
  find(selector, words = "") {
    return this.until(FIND, selector, words);
  }

  /** Clicks the middle of an element, like a mouse. */
  async click(selector, words = "") {
    await this.find(selector, words);
    const at = await this.evaluate(
      async (find, selector, words) => {
        const element = new Function(`return (${find})`)()(selector, words, true);
        element.scrollIntoView({ block: "center", behavior: "instant" });
        await new Promise((resolve) => requestAnimationFrame(resolve));
        const box = element.getBoundingClientRect();
        return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
      },
      FIND.toString(),
      selector,
      words,
    ).catch(() => null);
    if (at === null) return this.click(selector, words);
    for (const type of ["mouseMoved", "mousePressed", "mouseReleased"]) {
      await this.send("Input.dispatchMouseEvent", { type, ...at, button: type === "mouseMoved" ? "none" : "left", clickCount: 1 });
    }
  }

  async fill(selector, text) {
    await this.find(selector);
    await this.evaluate((selector) => {
      const element = document.querySelector(selector);
      element.scrollIntoView({ block: "center", behavior: "instant" });
      element.focus();
      element.select?.();
    }, selector);
    if (text === "") await this.key("Backspace");
    else await this.send("Input.insertText", { text });
  }

  async key(key, modifiers = 0) {
    const codes = { Enter: 13, Escape: 27, Backspace: 8, ArrowRight: 39, ArrowLeft: 37, ArrowUp: 38, ArrowDown: 40, Tab: 9 };
    const event = { key, code: key, windowsVirtualKeyCode: codes[key] ?? 0, modifiers, ...(key === "Enter" ? { text: "\r" } : {}) };
    await this.send("Input.dispatchKeyEvent", { type: "keyDown", ...event });
    await this.send("Input.dispatchKeyEvent", { type: "keyUp", ...event });
  }

  async shot(path) {
    const { data } = await this.send("Page.captureScreenshot", { format: "png" });
    writeFileSync(path, Buffer.from(data, "base64"));
  }

  close() {
    return this.protocol.send("Target.closeTarget", { targetId: this.target });
  }
}

// Searches only in the innermost open dialog, because a user cannot reach anything behind it. Returns the element if `wanted` is true,
// which works only inside the page. Otherwise returns whether the element exists.
const FIND = (selector, words, wanted) => {
  const dialogs = document.querySelectorAll("dialog[open]");
  const root = dialogs.length > 0 ? dialogs[dialogs.length - 1] : document;
  const found = [...root.querySelectorAll(selector)].find((element) => {
    const said = `${element.textContent} ${element.getAttribute("aria-label") ?? ""}`;
    return said.includes(words) && (wanted ? element.getClientRects().length > 0 : true);
  });
  return wanted ? found : found !== undefined;
};
