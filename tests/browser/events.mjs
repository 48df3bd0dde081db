// A page of the server itself follows a task with the browser's EventSource, and does nothing when the task has ended. The browser itself
// has to stop connecting.
//
//   node events.mjs SERVER_URL
//
// Prints the results as one line of JSON.

import { launch } from "../web/devtools.mjs";

const [server] = process.argv.slice(2);

const browser = await launch();
try {
  const page = await browser.open();
  // Not the web UI, because it makes calls itself.
  await page.goto(`${server}/health`);
  const seen = await page.evaluate(async () => {
    const session = (await fetch("/auth/session", { method: "POST" })).status;
    const request = { model: "tiny-image", prompt: "a red circle" };
    const body = JSON.stringify(request);
    const submitted = await fetch("/generate", { method: "POST", headers: { "Content-Type": "application/json" }, body });
    const { task_id: task } = await submitted.json();
    const source = new EventSource(`/events/${task}`);
    const states = [];
    let opened = 0;
    source.addEventListener("open", () => {
      opened += 1;
    });
    source.addEventListener("status", ({ data }) => states.push(JSON.parse(data).status));
    const until = Date.now() + 60_000;
    while (source.readyState !== EventSource.CLOSED && Date.now() < until) await new Promise((wait) => setTimeout(wait, 50));
    // Longer than the pause between two connections.
    await new Promise((wait) => setTimeout(wait, 5_000));
    return { states, opened, closed: source.readyState === EventSource.CLOSED, session };
  });
  console.log(JSON.stringify(seen));
} finally {
  await browser.close();
}
