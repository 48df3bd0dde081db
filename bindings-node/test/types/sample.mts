// Compiled, never run: calls with their types. A line under @ts-expect-error must not compile.

import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { createServer } from "node:http";
import { createSecureServer } from "node:http2";
import {
  MustError,
  Platform,
  errorCodes,
  type Account,
  type ErrorCode,
  type Frames,
  type GenerateRequest,
  type Model,
  type Task,
  type Load,
  type LogRecord,
  type TaskPage,
  type TaskState,
} from "must";

export async function sample(picture: Buffer): Promise<void> {
  await using platform: Platform = await Platform.open({
    dataDir: "data",
    device: "cpu",
    threads: 2,
    queueWaitSeconds: 1,
    logLevel: "debug",
    log: (record: LogRecord) => console.log(record.level, record.message, record.fields["task"]),
  });
  const models: Model[] = await platform.models();
  const steps: number | undefined = models[0]?.parameters_schema["steps"]?.maximum;

  const load: Load = await platform.load();
  const memory: number | undefined = load.lanes[0]?.memory_bytes;
  console.log(load.waiting, memory);

  const request: GenerateRequest = { model: "tiny-video", mode: "i2v", prompt: "a red circle", reference_image: picture, seed: steps ?? 7 };
  const stop = new AbortController();
  const task: Task = await platform.submit(request, { signal: stop.signal });
  await platform.submit({ model: "my-own", prompt: "x", arbitrary_frames: [{ frame_index: 0, image: "data:image/png;base64,AA" }] });
  const seed: number | undefined = steps;
  await platform.submit({ model: "tiny-image", prompt: "x", seed, mode: undefined }, { imagePaths: false, signal: undefined });
  for (const reference_image of [
    new Blob([picture]),
    new Blob([picture]).stream(),
    new URL("file:///picture.png"),
    "picture.png",
    new Uint8ClampedArray(4),
    picture.buffer,
    createReadStream("picture.png"),
    await open("picture.png"),
  ]) {
    await platform.submit({ model: "tiny-image", prompt: "x", reference_image });
  }
  createServer(platform.handler());
  createSecureServer(platform.handler());
  const id: string = task.id;

  for await (const state of task) {
    const progress: number = state.progress;
    if (progress > 50 && state.status === "processing") break;
  }
  for await (const state of task.events({ signal: stop.signal })) console.log(state.stage_detail);
  const done: TaskState = await task.wait({ signal: AbortSignal.timeout(1000), timeoutSeconds: 0.5 });
  const bytes: Buffer = await task.result();
  const preview: Buffer = await platform.task(id).preview();
  await task.save("clip.mp4");
  const frames: Frames = await task.frames();
  console.log(frames.width, frames.height, frames.count, frames.data.length);
  const cancelled: boolean = await task.cancel();
  const page: TaskPage = await platform.gallery({ type: "video", per_page: 10 });
  await platform.tasks({ status: "failed", sort: "oldest" });
  await platform.delete(page.items[0]?.id ?? id);
  const account: Account = await platform.accounts.add(
    "team-a",
    { tokenId: "ak", tokenSecret: "as" },
    { caller: { actor: "ops", source: "cli" } },
  );
  const offered: string[] | undefined = (await platform.accounts.health(account.id)).models ?? undefined;
  const deployed: boolean | undefined = (await platform.accounts.deployAll())[0]?.deployment?.ok;
  console.log(account.status === "ready", offered, deployed, done.error?.code, bytes.length, preview.length, cancelled);

  try {
    await platform.close({ deadlineSeconds: 1 });
  } catch (error) {
    if (error instanceof MustError) {
      const code: ErrorCode = error.code;
      const action: string = error.userAction;
      console.error(code === "storage_full", errorCodes[code].retryable, error.detail, action);
    }
  }

  // @ts-expect-error: dataDir is required
  await Platform.open({});
  // @ts-expect-error: one spelling of settings
  await Platform.open({ dataDir: "data", queue_depth: 3 });
  // @ts-expect-error: a prompt is required
  await platform.submit({ model: "tiny-video" });
  // @ts-expect-error: one spelling of parameters
  await platform.submit({ model: "tiny-video", prompt: "x", referenceImage: picture });
  // @ts-expect-error: no picture
  await platform.submit({ model: "tiny-image", prompt: "x", reference_image: new Float32Array(3) });
  // @ts-expect-error: a number
  await platform.submit({ model: "tiny-video", prompt: "x", steps: "4" });
  // @ts-expect-error: one of the statuses
  await platform.tasks({ status: "sleeping" });
  // @ts-expect-error: one spelling of tokens
  await platform.accounts.add("team-a", { token_id: "ak", token_secret: "as" });
  // @ts-expect-error: platforms are opened
  new Platform();
  // @ts-expect-error: an id is not changed
  task.id = "other";
}
