/** The unsent form of the studio, without pictures. It survives a reload of its tab, and only its own owner gets it back. */

import type { Model } from "../api/types";
import type { Form } from "../catalog/form";
import { fixedValue } from "../catalog/rules";
import type { Values } from "../catalog/schema";

const KEY = "must.draft";

interface Draft {
  model: string;
  mode: string;
  values: Values;
  /** The owner of the draft. `null` if people do not sign in. */
  owner: string | null;
}

export function remember(form: Form, model: Model, owner: string | null): void {
  const plain: Values = {};
  for (const [name, value] of Object.entries(form.values)) {
    const parameter = model.parameters_schema[name];
    // Pictures are too large to store, and fixed values come from the catalog.
    if (parameter && fixedValue(parameter) === undefined && (typeof value === "string" || typeof value === "number")) plain[name] = value;
  }
  try {
    const draft: Draft = { model: form.model, mode: form.mode, values: plain, owner };
    sessionStorage.setItem(KEY, JSON.stringify(draft));
  } catch {
    // The browser forbids storage, or it is full. The draft then lasts as long as the page.
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

/** Removes the draft from this browser. */
export function forgetDraft(): void {
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // The browser forbids storage, so there is no draft.
  }
}
