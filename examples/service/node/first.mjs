// The first picture, in circle.png.

import { Platform } from "must";

const platform = await Platform.open({ dataDir: "data" });
const task = await platform.submit({ model: "tiny-image", prompt: "a red circle", seed: 7 });
await task.wait();
await task.save("circle.png");
await platform.close();
