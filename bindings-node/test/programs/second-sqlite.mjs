// Submits tasks and prints their ids, while node:sqlite opens, reads, copies and closes the database; then kills itself.

import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import * as sqlite from "node:sqlite";
import { Platform } from "must";

const [dataDir] = process.argv.slice(2);
const platform = await Platform.open({ dataDir, device: "cpu", paused: true, queueDepth: 1000 });
for (let turn = 0; turn < 40; turn += 1) {
  const task = await platform.submit({ model: "tiny-image", prompt: `a red circle, ${turn}` });
  process.stdout.write(`${task.id}\n`);
  if (turn % 8 === 3) {
    const other = new DatabaseSync(join(dataDir, "must.db"));
    const { count } = other.prepare("SELECT count(*) AS count FROM task").get();
    if (count !== turn + 1) throw new Error(`${count} tasks are seen`);
    if (sqlite.backup) await sqlite.backup(other, join(dataDir, "..", `copy-${turn}.db`));
    other.close();
  }
}
process.kill(process.pid, "SIGKILL");
