// Answers requests with `platform.handle`. Each line of input and of output is a JSON object; bodies are in base64. The argument has the
// settings.

import { createInterface } from "node:readline";
import { Platform } from "../../bindings-node/dist/index.js";

const platform = await Platform.open(JSON.parse(process.argv[2]));
for await (const line of createInterface({ input: process.stdin })) {
  const { body, ...asked } = JSON.parse(line);
  const answer = await platform.handle({ ...asked, body: Buffer.from(body, "base64") });
  const chunks = [];
  for await (const chunk of answer) chunks.push(chunk);
  const whole = Buffer.concat(chunks).toString("base64");
  process.stdout.write(`${JSON.stringify({ status: answer.status, headers: answer.headers, body: whole })}\n`);
}
await platform.close();
