// Starts a long task, prints its id, and ends in the given way. With "log" it has a log function, and with "host" a function of the host
// that receives the checkpoints of the audit log.

import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { writeSync } from "node:fs";
import { Platform } from "must";

const [dataDir, end, lent] = isMainThread ? process.argv.slice(2) : workerData;

if (isMainThread && end === "worker") {
  // Only the worker opens a platform; the process exits while it generates.
  const worker = new Worker(new URL(import.meta.url), { workerData: [dataDir, "stay", lent] });
  worker.once("message", () => process.exit(4));
} else {
  const lending = { log: { log: () => {}, logLevel: "trace" }, host: { host: { anchor: async () => {} } } };
  const platform = await Platform.open({ dataDir, device: "cpu", ...lending[lent] });
  const task = await platform.submit({ model: "tiny-video", prompt: "a red circle", steps: 50 });
  for await (const { status } of task) if (status === "processing") break;
  writeSync(1, `${task.id}\n`);
  // An open call keeps the process alive; a running task alone does not.
  const waiting = end === "idle" ? undefined : task.wait();
  if (end === "exit") process.exit(3);
  if (end === "throw")
    setImmediate(() => {
      throw new Error("on purpose");
    });
  if (end === "reject") Promise.reject(new Error("on purpose"));
  if (end === "kill") process.kill(process.pid, "SIGKILL");
  if (end === "interrupt") process.kill(process.pid, "SIGINT");
  if (end === "stay") parentPort.postMessage("generating");
  await waiting;
}
