// A generation service.
//
//     node service.mjs DATA_FOLDER ADDRESS

import { Platform } from "must";

const [dataDir, address] = process.argv.slice(2);

// The server's threads do not keep the process alive.
const alive = setInterval(() => {}, 60_000);
const stopped = new Promise((stop) => ["SIGINT", "SIGTERM"].forEach((signal) => process.once(signal, stop)));

const log = ({ time, level, message }) => console.error(time, level, message);
const adminKey = process.env.ADMIN_KEY;
const platform = await Platform.open({ dataDir, log, queueDepth: 100, imageLimitSeconds: 60, adminKey });

const operator = { actor: "operator", source: "service" };
const keys = await platform.auth.keys();
if (!keys.some((key) => key.status === "active")) {
  const { secret } = await platform.auth.issueKey("first", { caller: operator });
  console.log("key", secret);
}

const server = await platform.serve(address);
console.log("serving", server.url);
await stopped;

clearInterval(alive);
await server.stop();
const { logs } = await platform.audit.list({ limit: 5 }, { caller: operator });
for (const { timestamp, actor, action, target } of logs) console.log(timestamp, actor, action, target);
const { ok } = await platform.audit.verify();
console.log("audit log intact:", ok);
await platform.close();
