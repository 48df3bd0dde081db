// Opens a folder and prints the outcome. With "as-nobody" it first gives up the rights of root, which may write anywhere.

import { Platform } from "must";

if (process.argv[3] === "as-nobody" && process.getuid() === 0) {
  process.setgroups([]);
  process.setgid(65534);
  process.setuid(65534);
}

try {
  const platform = await Platform.open({ dataDir: process.argv[2], device: "cpu" });
  await platform.close();
  console.log(JSON.stringify({ opened: true }));
} catch ({ code, detail, userAction }) {
  console.log(JSON.stringify({ code, detail, userAction }));
}
