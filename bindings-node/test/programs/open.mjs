// Opens a folder and says what came of it.

import { Platform } from "must";

try {
  const platform = await Platform.open({ dataDir: process.argv[2], device: "cpu" });
  await platform.close();
  console.log(JSON.stringify({ opened: true }));
} catch ({ code, detail, userAction }) {
  console.log(JSON.stringify({ code, detail, userAction }));
}
