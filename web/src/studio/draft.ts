/** What is written in the studio, kept over a reload in the tab that it is written in, for whoever wrote it. */

import type { Model } from "../api/types";
import type { Form } from "../catalog/form";
import { fixedValue } from "../catalog/rules";
import type { Values } from "../catalog/schema";

const KEY = "must.draft";

interface Draft {
  model: string;
  mode: string;
  values: Values;
  /** Whose it is, where people sign in. */
  owner: string | null;
}

export function remember(form: Form, model: Model, owner: string | null): void {
  const plain: Values = {};
  for (const [name, value] of Object.entries(form.values)) {
    const parameter = model.parameters_schema[name];
    // Pictures are too large to be kept, and fixed values are the catalog's.
    if (parameter && fixedValue(parameter) === undefined && (typeof value === "string" || typeof value === "number")) plain[name] = value;
  }
  try {
    const draft: Draft = { model: form.model, mode: form.mode, values: plain, owner };
    sessionStorage.setItem(KEY, JSON.stringify(draft));
  } catch {
    // The draft lasts as long as the page then.
  }
}

export function recall(owner: string | null): Draft | null {
  try {
    const draft = JSON.parse(sessionStorage.getItem(KEY) ?? "null") as Partial<Draft> | null;
    const isDraft = draft && typeof draft.model === "string" && typeof draft.mode === "string" && typeof draft.values === "object";
    return isDraft && (draft.owner ?? null) === owner ? (draft as Draft) : null;
  } catch {
    return null;
  }
}

/** Takes the draft off this browser. */
export function forgetDraft(): void {
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // There is none then.
  }
}
