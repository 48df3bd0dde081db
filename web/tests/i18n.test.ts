import { expect, test } from "vitest";
import page from "../../docs/errors.md?raw";
import { bytes, duration, errorAction, issueText, relative, stageDetail, stageName } from "../src/i18n/format";
import { dictionaries, preferred, remembered } from "../src/i18n/language";
import { plural } from "../src/i18n/plural";
import { models } from "./models";

const { en, ru } = dictionaries;

type Tree = Record<string, unknown>;

function leaves(tree: Tree, path = ""): [string, unknown][] {
  return Object.entries(tree).flatMap(([key, value]): [string, unknown][] =>
    typeof value === "object" && value !== null ? leaves(value as Tree, `${path}.${key}`) : [[`${path}.${key}`, value]],
  );
}

const spoken = (value: unknown): string =>
  typeof value === "function" ? String((value as (...given: unknown[]) => unknown)(...Array(value.length).fill(2))) : String(value);

test("every dictionary has every key, and none is empty", () => {
  // Labels of the catalog are translated; in English they are the catalog's own.
  const outside = ([path]: [string, unknown]) => !path.startsWith(".catalog.parameters") && !path.startsWith(".catalog.descriptions");
  const [english, russian] = [leaves(en).filter(outside), leaves(ru).filter(outside)];
  expect(russian.map(([path]) => path)).toEqual(english.map(([path]) => path));
  for (const [path, value] of [...english, ...russian]) expect(spoken(value).trim(), path).not.toBe("");
});

test("Russian texts are written in Russian", () => {
  const same = new Set([
    ".locale",
    ".studio.shortcut",
    ".output.percent",
    ".output.recentItem",
    ".output.announceFailed",
    ".output.announceStage",
    ".accounts.did.settled",
    ".accounts.did.failed",
    ".gallery.range",
  ]);
  for (const [path, value] of leaves(ru)) {
    if (same.has(path) || path.startsWith(".catalog") || path.endsWith(".help")) continue;
    expect(spoken(value), path).toMatch(/[а-яё№]/i);
  }
});

test("every name of the catalog has a Russian text", () => {
  for (const model of models) {
    expect(ru.catalog.descriptions[model.id], model.id).toBeTruthy();
    expect(ru.catalog.categories[model.category], model.category).toBeTruthy();
    for (const mode of model.modes) expect(ru.catalog.modes[mode] && en.catalog.modes[mode], mode).toBeTruthy();
    for (const [name, parameter] of Object.entries(model.parameters_schema)) {
      expect(ru.catalog.parameters[name]?.label, name).toBeTruthy();
      for (const field of Object.keys(parameter.item ?? {})) expect(ru.catalog.parameters[field]?.label, field).toBeTruthy();
    }
  }
});

test("every code of the platform has a text", () => {
  const codes = [...page.matchAll(/^\| \d+ \| `([a-z_]+)` \|/gm)].map(([, code]) => code ?? "");
  expect(codes.length).toBeGreaterThan(25);
  for (const code of codes) {
    expect((en.errors as Tree)[code], code).toBeDefined();
    expect((ru.errors as Tree)[code], code).toBeDefined();
  }
});

test("numbers take the form of their language", () => {
  expect([1, 2, 5, 11, 21, 22, 25].map((n) => ru.gallery.count(n))).toEqual([
    "1 результат",
    "2 результата",
    "5 результатов",
    "11 результатов",
    "21 результат",
    "22 результата",
    "25 результатов",
  ]);
  expect([0, 1, 2].map((n) => en.gallery.count(n))).toEqual(["0 results", "1 result", "2 results"]);
  expect(plural("ru", 3, { other: "else" })).toBe("else");
});

test("the language is the chosen one, else the browser's, else English", () => {
  expect(preferred(["ru-RU", "en"])).toBe("ru");
  expect(preferred(["de", "ru"])).toBe("ru");
  expect(preferred(["de"])).toBe("en");
  expect(remembered()).toBeNull();
  localStorage.setItem("must.language", "ru");
  expect(remembered()).toBe("ru");
  localStorage.setItem("must.language", "xx");
  expect(remembered()).toBeNull();
});

test("times, durations and sizes are formatted", () => {
  const now = Date.parse("2026-01-31T12:00:00Z");
  expect(relative(en, now - 90_000, now)).toBe("1 minute ago");
  expect(relative(ru, now + 12 * 3_600_000, now)).toBe("через 12 часов");
  expect(duration(en, 2_600)).toBe("2.6 sec");
  expect(duration(en, 125_000)).toBe("2 min 5 sec");
  expect(bytes(en, 36_500_000)).toBe("36.5 MB");
  expect(bytes(en, 0)).toBe("0 byte");
});

test("stages are translated, and unknown ones are shown unchanged", () => {
  expect(stageName(ru, "denoising")).toBe("Очистка от шума");
  expect(stageName(ru, "polishing_twice")).toBe("Polishing twice");
  expect(stageDetail(ru, "step 8 of 20")).toBe("шаг 8 из 20");
  expect(stageDetail(ru, "something else")).toBe("something else");
});

test("the platform's advice comes before the dictionary's", () => {
  expect(errorAction(ru, { code: "no_workers", detail: "", userAction: "Do this." })).toBe("Do this.");
  expect(errorAction(ru, { code: "no_workers", detail: "", userAction: "" })).toBe(ru.errors.no_workers.action);
  const [model] = models;
  if (model) expect(issueText(en, { kind: "off_step", step: 64, below: 640, above: 704 }, model)).toBe("In steps of 64: 640 or 704.");
});
