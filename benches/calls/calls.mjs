// The Node caller of `must-benches overhead`; see `benches/src/calls.rs` for what it does. It awaits one call at a time.
//
// MUST_NODE_DIST=bindings-node/dist node calls.mjs DATA_DIR BATCHES STATUSES SUBMITS

import { createRequire } from "node:module";
import { resolve } from "node:path";

const require = createRequire(import.meta.url);
const { Platform } = require(resolve(process.env.MUST_NODE_DIST ?? "bindings-node/dist", "index.js"));
const [dataDir, ...counts] = process.argv.slice(2);
const [batches, statuses, submits] = counts.map(Number);
const PROMPT = "a red circle on a white background";
const QUEUE_DEPTH = 10_000_000;

/** Nanoseconds a call, one figure a batch; the first batch is not counted. */
async function timed(calls, call) {
  const times = [];
  for (let batch = 0; batch <= batches; batch++) {
    const began = process.hrtime.bigint();
    for (let n = 0; n < calls; n++) await call(n);
    if (batch > 0) times.push(Number(process.hrtime.bigint() - began) / calls);
  }
  return times;
}

const platform = await Platform.open({ dataDir, paused: true, queueDepth: QUEUE_DEPTH });
const make = (seed) => platform.submit({ model: "tiny-image", prompt: PROMPT, seed });
const submit = await timed(submits, make);
const pending = await make(0);
const ended = await make(0);
await ended.cancel();
const status = await timed(statuses, async () => (await pending.status()).status);
const status_ended = await timed(statuses, async () => (await ended.status()).status);
await platform.close();
console.log(JSON.stringify({ version: `Node ${process.version}`, submit, status, status_ended }));
