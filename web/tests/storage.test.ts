/** Platforms at different paths of one host share the storage, and use different names in it. */

import { expect, test } from "vitest";
import { storageName, storage } from "../src/api/storage";

test("a platform stores its values under the path that it is served at", () => {
  expect(storageName("must.tasks", "/")).toBe("must.tasks");
  expect(storageName("must.tasks", "/index.html")).toBe("must.tasks");
  expect(storageName("must.tasks", "/one/")).toBe("/one/must.tasks");
  expect(storageName("must.tasks", "/one/index.html")).toBe("/one/must.tasks");
  expect(storageName("must.tasks", "/two/")).not.toBe(storageName("must.tasks", "/one/"));
});

test("pages at different paths do not share stored values", () => {
  history.replaceState(null, "", "/one/");
  storage("localStorage")?.setItem("must.admin", "open");
  expect(storage("localStorage")?.getItem("must.admin")).toBe("open");
  history.replaceState(null, "", "/two/");
  expect(storage("localStorage")?.getItem("must.admin")).toBeNull();
  history.replaceState(null, "", "/one/");
  storage("localStorage")?.removeItem("must.admin");
  expect(localStorage.length).toBe(0);
  history.replaceState(null, "", "/");
});
