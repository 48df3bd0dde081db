// Makes a clip in a data folder, follows it, saves it, and cleans up.
//
// npm install && node main.mjs DATA_DIR CLIP.mp4

import { writeFile } from "node:fs/promises";
import { Platform } from "must";

async function main(dataDir, clip) {
  const platform = await Platform.open({ dataDir });
  try {
    for (const model of await platform.models()) {
      console.error(`${model.id}: ${model.available ? "available" : "not available"}`);
    }

    const task = await platform.submit({ model: "tiny-video", prompt: "a red circle moving left", seed: 7 });
    for await (const { status, progress, stage, stage_detail } of task) {
      console.error(`${status} ${progress}% ${stage} ${stage_detail}`);
    }
    const done = await task.wait(); // Throws the task's error if it failed.
    await task.save(clip);
    await writeFile(clip.replace(/(\.\w+)?$/, ".preview.jpg"), await task.preview());

    const stop = new AbortController();
    const second = await platform.submit({ model: "tiny-video", prompt: "a blue square moving up" }, { signal: stop.signal });
    stop.abort(); // Or: await second.cancel()
    await second.wait().catch((error) => console.error(`second: ${error.code}`));

    for (const { id, prompt } of (await platform.gallery()).items) {
      console.error(`in the gallery: ${id} ${prompt}`);
    }
    await platform.delete(second.id);

    try {
      await platform.submit({ model: "tiny-video", prompt: " " });
    } catch ({ code, detail, userAction }) {
      console.error(`refused: ${code}: ${detail}. ${userAction}`);
    }

    const { length: bytes } = await task.result();
    console.log(JSON.stringify({ status: done.status, model: done.model, seed: done.seed, bytes }));
  } finally {
    await platform.close();
  }
}

const [dataDir, clip] = process.argv.slice(2);
if (clip === undefined) {
  console.error("node main.mjs DATA_DIR CLIP.mp4");
  process.exitCode = 2;
} else {
  await main(dataDir, clip);
}
