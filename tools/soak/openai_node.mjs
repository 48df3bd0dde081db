// A program with OpenAI's own Node client: the client's retries, pictures, streams, edits with files, clips.
//
//   node openai_node.mjs '{"servers": {"first": URL, ...}, "key": KEY, "pause": SECONDS}'
//
// Prints acknowledged tasks and failures, one JSON value on each line. Ends when its standard input ends.

import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";

const require = createRequire(new URL("../../tests/http/openai_node/", import.meta.url));
const { default: OpenAI, toFile } = require("openai");

const PATIENCE = 240_000;
const { servers, key, pause } = JSON.parse(process.argv[2]);
const now = () => Date.now() / 1000;
const tell = (kind, server, more) => console.log(JSON.stringify({ kind, server, ...more }));

let stopped = false;
process.stdin.resume().on("end", () => {
  stopped = true;
});

/** The status and the code of an error of the client; null for other errors. */
const shown = (error) => (error instanceof OpenAI.APIError ? `${error.status ?? error.constructor.name} ${error.code ?? ""}`.trim() : null);

function program(server, url) {
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, timeout: 60_000 });
  const png = (text) => Buffer.from(text, "base64").subarray(1, 4).toString() === "PNG";
  const check = (good, what) => {
    if (!good) throw new Error(what);
  };
  let picture = null;
  const clips = [];

  async function finish(id) {
    tell("task", server, { id, model: "tiny-video" });
    const until = Date.now() + PATIENCE;
    for (;;) {
      const began = now();
      try {
        const video = await client.videos.retrieve(id);
        if (video.status === "failed")
          return tell("fault", server, { what: "a clip failed", detail: `${id}: ${JSON.stringify(video.error)}` });
        if (video.status === "completed") break;
      } catch (error) {
        if (shown(error) === null) throw error;
        tell("failed", server, { what: "videos.retrieve", began, ended: now(), seen: shown(error) });
      }
      if (Date.now() > until) return tell("fault", server, { what: "a task did not end", detail: id });
      await sleep(500);
    }
    tell("ended", server, { id, state: "done" });
    const content = Buffer.from(await (await client.videos.downloadContent(id)).arrayBuffer());
    check(content.subarray(4, 8).toString() === "ftyp", "a clip is not an MP4 file");
    tell("result", server, { id, sha256: createHash("sha256").update(content).digest("hex") });
    clips.push(id);
  }

  const turns = {
    async models() {
      const ids = [];
      for await (const model of client.models.list()) ids.push(model.id);
      check(ids.join() === "tiny-image,tiny-video", ids.join());
    },
    async picture() {
      const made = await client.images.generate({
        prompt: "a red circle",
        model: "tiny-image",
        n: 2,
        size: "64x64",
        response_format: "b64_json",
        steps: 4,
      });
      check(made.data.length === 2 && made.data.every((image) => png(image.b64_json)), "a picture is not a PNG file");
      picture = Buffer.from(made.data[0].b64_json, "base64");
    },
    async address() {
      const [{ url: place }] = (
        await client.images.generate({ prompt: "a red circle", response_format: "url", output_format: "webp", steps: 4 })
      ).data;
      check(place.startsWith(`${url}/results/`), place);
      tell("task", server, { id: place.split("/results/")[1].split("?")[0] });
      const began = now();
      const fetched = await fetch(place);
      if (fetched.headers.get("content-type") !== "image/webp")
        tell("failed", server, { what: "GET address", began, ended: now(), seen: String(fetched.status) });
    },
    async stream() {
      const began = now();
      let completed = 0;
      try {
        for await (const event of await client.images.generate({
          prompt: "a green circle",
          n: 2,
          stream: true,
          partial_images: 2,
          steps: 4,
        })) {
          if (event.type === "image_generation.completed") completed += 1;
        }
      } catch (error) {
        if (completed === 0) throw error;
        return tell("stream", server, { began, how: `${error.constructor.name} after ${completed} of 2` });
      }
      tell("stream", server, { began, how: completed === 2 ? "task" : `after ${completed} of 2` });
    },
    async edit() {
      if (!picture) return;
      const file = (name) => toFile(picture, name, { type: "image/png" });
      const image = clips.length % 2 ? [await file("a.png"), await file("b.png")] : await file("a.png");
      const [edited] = (await client.images.edit({ image, prompt: "a blue circle", steps: 4 })).data;
      check(png(edited.b64_json), "an edited picture is not a PNG file");
    },
    async clip() {
      const reference = picture && clips.length % 2 ? { input_reference: await toFile(picture, "a.png", { type: "image/png" }) } : {};
      await finish(
        (await client.videos.create({ prompt: "a red circle moving left", model: "tiny-video", seconds: "2", ...reference })).id,
      );
    },
    async list() {
      const ids = [];
      for await (const { id } of client.videos.list({ limit: 10 })) if (ids.push(id) >= 30) break;
      check(new Set(ids).size === ids.length, "a page repeats what another one has");
    },
    async remove() {
      if (clips.length < 4) return;
      const id = clips.shift();
      tell("deleted", server, { id });
      check((await client.videos.delete(id)).deleted, id);
    },
  };

  return async () => {
    for (let turn = 0; !stopped; turn += 1) {
      const [name, work] = Object.entries(turns)[turn % Object.keys(turns).length];
      const began = now();
      try {
        await work();
        tell("call", server, { what: name });
      } catch (error) {
        // When a connection breaks while an answer is read, the error is not one of the client's classes.
        const seen = shown(error) ?? (error instanceof TypeError ? `${error.message} ${error.cause?.code ?? ""}` : null);
        if (seen === null) tell("fault", server, { what: "a caller failed", detail: `${name}: ${error.stack}` });
        else tell("failed", server, { what: name, began, ended: now(), seen });
      }
      for (let rest = 0; rest < pause * (0.5 + Math.random()) && !stopped; rest += 0.2) await sleep(200);
    }
  };
}

await Promise.all(Object.entries(servers).map(([server, url]) => program(server, url)()));
process.exit(0);
