// An Express app with its own routes, which the platform's access control protects.
//
//     npm install && ADMIN_KEY=... node app.mjs

import { pathToFileURL } from "node:url";
import express from "express";
import { errorCodes, MustError, Platform, requestFacts } from "must";

/** Returns the app, which uses an open platform. */
export function createApp(platform) {
  const app = express();
  // The routes below run only when the platform authorizes the request. This is checked before the body is read.
  app.use(async (request, response, next) => {
    response.locals.principal = await platform.auth.authorize(requestFacts("generation", request));
    next();
  });
  app.use(express.json());
  app.post("/generate", async (request, response) => {
    const { model, prompt, parameters = {} } = request.body ?? {};
    // Values from callers must not choose files of this machine.
    const task = await platform.submit({ ...parameters, model, prompt }, { imagePaths: false });
    response.status(202).json({ id: task.id, for: response.locals.principal.actor });
  });
  app.get("/status/:id", async (request, response) => {
    const { id, status, progress } = await platform.task(request.params.id).status();
    response.json({ id, status, progress });
  });
  app.use((error, _request, response, next) => {
    if (!(error instanceof MustError)) return next(error);
    const { code, detail, userAction } = error;
    response.status(errorCodes[code].httpStatus).json({ code, detail, user_action: userAction });
  });
  return app;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const platform = await Platform.open({ dataDir: process.env.DATA_DIR ?? "data", device: "cpu", adminKey: process.env.ADMIN_KEY });
  const server = createApp(platform).listen(8000, "127.0.0.1", () => console.log("http://127.0.0.1:8000"));
  process.once("SIGINT", () => server.close(() => platform.close()));
}
