// Shared by the tests: folders, platforms, quick requests, pictures, and the check of errors.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { crc32, deflateSync } from "./png.mjs";
import { MustError, Platform, errorCodes } from "must";

export const testFolder = dirname(fileURLToPath(import.meta.url));
export const packageFolder = dirname(testFolder);

/** A request that ends quickly. */
export const quick = { model: "tiny-image", prompt: "a red circle", steps: 4, seed: 7 };
/** A request that takes a while. */
export const long = { model: "tiny-video", prompt: "a red circle moving left", steps: 50, seed: 7 };

/** A new folder that is removed at the end of the test. */
export async function folder(t) {
  const path = await mkdtemp(join(tmpdir(), "must-node-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** A platform in a new folder, closed at the end of the test. */
export async function platform(t, settings = {}) {
  const dataDir = await folder(t);
  const opened = await Platform.open({ dataDir, device: "cpu", ...settings });
  t.after(() => opened.close());
  return opened;
}

/** Asserts that a promise is rejected with this code and with sentences for people; gives the error. */
export async function rejects(promise, code, pattern = /./) {
  const error = await promise.then(
    () => assert.fail(`nothing failed; ${code} was expected`),
    (reason) => reason,
  );
  assert.ok(error instanceof MustError && error instanceof Error, `not a MustError: ${error?.stack ?? error}`);
  assert.equal(error.code, code, error.message);
  assert.match(error.detail, pattern);
  assert.equal(error.message, `${code}: ${error.detail}`);
  assert.equal(error.retryable, errorCodes[code].retryable);
  for (const sentence of [error.detail, error.userAction]) {
    assert.ok(sentence.length > 8 && !/[\r\n]/.test(sentence), sentence);
  }
  return error;
}

/** Runs a program of test/programs; gives its exit code, signal and output. */
export function program(name, args = [], { timeoutMs } = {}) {
  return finished(spawn(process.execPath, [join(testFolder, "programs", name), ...args]), timeoutMs);
}

/** Waits for a child process to end, and returns its exit code, signal and output. Kills it after `timeoutMs`. */
export function finished(child, timeoutMs = 120_000) {
  const output = { stdout: "", stderr: "" };
  child.stdout.on("data", (text) => (output.stdout += text));
  child.stderr.on("data", (text) => (output.stderr += text));
  const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, ...output });
    });
  });
}

/** A PNG of one colour. */
export function png({ width = 64, height = 64, colour = [200, 40, 40] } = {}) {
  const row = Buffer.concat([Buffer.of(0), Buffer.alloc(width * 3, Buffer.from(colour))]);
  return pngOf(width, height, deflateSync(Buffer.concat(Array(height).fill(row))));
}

/** A PNG of a few bytes whose header claims a huge size. */
export function bomb() {
  return pngOf(50_000, 50_000, deflateSync(Buffer.alloc(1_000_000)));
}

function pngOf(width, height, data) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const chunk = (type, body) => {
    const named = Buffer.concat([Buffer.from(type, "latin1"), body]);
    const length = Buffer.alloc(4);
    const check = Buffer.alloc(4);
    length.writeUInt32BE(body.length);
    check.writeUInt32BE(crc32(named));
    return Buffer.concat([length, named, check]);
  };
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([signature, chunk("IHDR", header), chunk("IDAT", data), chunk("IEND", Buffer.alloc(0))]);
}

/** A data URI. */
export function dataUri(bytes, type = "image/png") {
  return `data:${type};base64,${bytes.toString("base64")}`;
}
