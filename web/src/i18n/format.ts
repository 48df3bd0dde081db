/** Formats times, durations, sizes, catalog names and failures in the language of a dictionary. */

import type { Problem } from "../api/errors";
import type { Model } from "../api/types";
import type { Issue } from "../catalog/validate";
import type { Choice, Parameter } from "../catalog/schema";
import type { Dictionary } from "./en";

export const moment = (t: Dictionary, when: string | number): string =>
  new Date(when).toLocaleString(t.locale, { dateStyle: "medium", timeStyle: "short" });

export const exactMoment = (t: Dictionary, when: string | number): string =>
  new Date(when).toLocaleString(t.locale, { dateStyle: "short", timeStyle: "medium" });

export const day = (t: Dictionary, when: string | number): string => new Date(when).toLocaleDateString(t.locale, { dateStyle: "medium" });

export const clock = (t: Dictionary, when: string | number): string => new Date(when).toLocaleTimeString(t.locale, { timeStyle: "medium" });

const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
];

/** "5 minutes ago", "in 12 hours". */
export function relative(t: Dictionary, when: string | number, now: number = Date.now()): string {
  const seconds = (new Date(when).getTime() - now) / 1000;
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? ["second", 1];
  return new Intl.RelativeTimeFormat(t.locale, { numeric: "auto" }).format(Math.trunc(seconds / size), unit);
}

export function duration(t: Dictionary, milliseconds: number): string {
  const seconds = Math.max(0, milliseconds / 1000);
  const unit = (value: number, unit: string, digits: number) =>
    value.toLocaleString(t.locale, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: digits });
  if (seconds < 60) return unit(seconds, "second", seconds < 10 ? 1 : 0);
  return `${unit(Math.floor(seconds / 60), "minute", 0)} ${unit(Math.floor(seconds % 60), "second", 0)}`;
}

export function bytes(t: Dictionary, size: number): string {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
  const power = size > 0 ? Math.min(units.length - 1, Math.floor(Math.log10(size) / 3)) : 0;
  const options = { style: "unit", unit: units[power], unitDisplay: "short", maximumFractionDigits: 1 } as const;
  return (size / 1000 ** power).toLocaleString(t.locale, options as Intl.NumberFormatOptions);
}

export const number = (t: Dictionary, value: number, digits?: number): string =>
  value.toLocaleString(
    t.locale,
    digits === undefined ? { maximumFractionDigits: 10 } : { minimumFractionDigits: digits, maximumFractionDigits: digits },
  );

export const labelOf = (t: Dictionary, name: string, parameter?: Parameter): string =>
  t.catalog.parameters[name]?.label ?? parameter?.label ?? name;

export const helpOf = (t: Dictionary, name: string, parameter?: Parameter): string =>
  t.catalog.parameters[name]?.help ?? parameter?.help ?? "";

export const descriptionOf = (t: Dictionary, model: Model): string => t.catalog.descriptions[model.id] ?? model.description;

/** A name from the catalog as words, for modes and categories that no dictionary has. */
const words = (name: string): string => {
  const text = name.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
};

export const modeName = (t: Dictionary, mode: string): string => t.catalog.modes[mode] ?? words(mode);
export const categoryName = (t: Dictionary, category: string): string => t.catalog.categories[category] ?? words(category);
export const choiceName = (t: Dictionary, choice: Choice): string =>
  typeof choice === "number" ? number(t, choice) : (t.catalog.choices[choice] ?? choice);

export function stageName(t: Dictionary, stage: string): string {
  return t.output.stages[stage] ?? words(stage);
}

/** Translates "step 8 of 20" from the platform. Other texts are returned unchanged. */
export function stageDetail(t: Dictionary, detail: string): string {
  const step = /^step (\d+) of (\d+)$/.exec(detail);
  return step?.[1] && step[2] ? t.output.stepOf(step[1], step[2]) : detail;
}

const errorOf = (t: Dictionary, code: string): { title: string; action: string } | undefined =>
  (t.errors as Record<string, { title: string; action: string }>)[code];

export const errorTitle = (t: Dictionary, code: string): string => errorOf(t, code)?.title ?? code;

/** The platform's own advice, which is specific to the failure, or the dictionary's if it gave none. */
export const errorAction = (t: Dictionary, problem: Problem): string => problem.userAction || (errorOf(t, problem.code)?.action ?? "");

export function issueText(t: Dictionary, issue: Issue, model: Model): string {
  const words = t.studio.issues;
  const n = (value: number) => number(t, value);
  switch (issue.kind) {
    case "too_short":
      return words.too_short(issue.least);
    case "too_long":
      return words.too_long(issue.most, issue.length);
    case "too_small":
      return words.too_small(n(issue.least));
    case "too_large":
      return words.too_large(n(issue.most));
    case "off_step":
      return words.off_step(n(issue.step), n(issue.below), n(issue.above));
    case "too_few":
      return words.too_few(issue.least);
    case "not_below":
      return words.not_below(labelOf(t, issue.parameter, model.parameters_schema[issue.parameter]), n(issue.most));
    case "server":
      return [issue.detail, issue.userAction].filter(Boolean).join(" ");
    default:
      return words[issue.kind];
  }
}
