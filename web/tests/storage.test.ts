/** Platforms under paths of one host have one storage between them, and names of their own in it. */

import { expect, test } from "vitest";
import { keptName, storage } from "../src/api/storage";

test("a platform keeps its things under the path that it is served at", () => {
  expect(keptName("must.tasks", "/")).toBe("must.tasks");
  expect(keptName("must.tasks", "/index.html")).toBe("must.tasks");
  expect(keptName("must.tasks", "/one/")).toBe("/one/must.tasks");
  expect(keptName("must.tasks", "/one/index.html")).toBe("/one/must.tasks");
  expect(keptName("must.tasks", "/two/")).not.toBe(keptName("must.tasks", "/one/"));
});

test("what one page keeps is not there for the page of another path", () => {
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
