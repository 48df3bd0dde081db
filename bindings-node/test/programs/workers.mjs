// Loads the addon in one worker after another, and terminates each worker while it generates. Exits with 7.

import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { join } from "node:path";

if (isMainThread) {
  const [folder, count] = process.argv.slice(2);
  for (let n = 0; n < Number(count); n++) {
    const worker = new Worker(new URL(import.meta.url), { workerData: join(folder, String(n % 4)) });
    const said = await new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
    if (said !== "generating") throw new Error(said);
    // Terminated at different moments: at once, in the middle, and after the worker has closed by itself.
    await new Promise((resolve) => setTimeout(resolve, (n % 5) * 10));
    await worker.terminate();
  }
  console.log(`${count} workers`);
  process.exitCode = 7;
} else {
  const { Platform } = await import("must");
  const platform = await Platform.open({ dataDir: workerData, device: "cpu" });
  for (const { id, status } of (await platform.tasks({ per_page: 100 })).items) {
    if (status === "pending" || status === "processing") await platform.task(id).cancel();
  }
  const task = await platform.submit({ model: "tiny-image", prompt: "a red circle", steps: 4 });
  parentPort.postMessage("generating");
  for await (const state of task) if (state.error) break;
  await platform.close();
}
