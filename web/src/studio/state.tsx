/** The studio's form and the task that its output shows; they outlive a visit to another page, and a reload. */

import { createContext, useCallback, useContext, useEffect, useMemo, useState } from "react";
import type { ReactNode } from "react";
import type { Model } from "../api/types";
import { initialForm, reuse, setModel } from "../catalog/form";
import type { Form } from "../catalog/form";
import { fixedValue } from "../catalog/rules";
import type { Values } from "../catalog/schema";
import { useServices } from "../services";

interface Studio {
  form: Form | null;
  model: Model | null;
  setForm: (change: (form: Form) => Form) => void;
  chooseModel: (model: Model) => void;
  resetForm: () => void;
  /** Takes over what made a task; false where its model is not in the catalog. */
  reuseSettings: (task: { model: string; mode: string; parameters: Record<string, unknown>; seed?: number | null }) => boolean;
  shown: string | null;
  show: (task: string | null) => void;
}

const KEY = "must.draft";

/** What is kept of a form over a reload, and whose it is. */
interface Draft {
  model: string;
  mode: string;
  values: Values;
  owner: string | null;
}

const Context = createContext<Studio | null>(null);

export function useStudio(): Studio {
  const studio = useContext(Context);
  if (!studio) throw new Error("there is no provider of the studio");
  return studio;
}

/** Another person begins with a form of their own. */
export function StudioProvider({ children }: { children: ReactNode }) {
  const { owner } = useServices().standing;
  return (
    <OwnStudio key={owner} owner={owner}>
      {children}
    </OwnStudio>
  );
}

function OwnStudio({ children, owner }: { children: ReactNode; owner: string | null }) {
  const { models } = useServices();
  const [chosen, setChosen] = useState<Form | null>(null);
  const [shown, show] = useState<string | null>(null);
  const form = useMemo(() => chosen ?? (models ? firstForm(models, owner) : null), [chosen, models, owner]);
  const model = useMemo(() => models?.find(({ id }) => id === form?.model) ?? null, [models, form?.model]);

  useEffect(() => {
    if (chosen && model) remember(chosen, model, owner);
  }, [chosen, model, owner]);

  const setForm = useCallback(
    (change: (form: Form) => Form) => setChosen((before) => (before ?? form ? change((before ?? form) as Form) : before)),
    [form],
  );
  const chooseModel = useCallback((next: Model) => setForm((before) => setModel(before, model ?? undefined, next)), [model, setForm]);
  const resetForm = useCallback(() => {
    if (model) setForm((before) => ({ ...initialForm(model), mode: before.mode }));
  }, [model, setForm]);
  const reuseSettings = useCallback<Studio["reuseSettings"]>(
    (task) => {
      const next = models?.find(({ id }) => id === task.model);
      if (!next) return false;
      setForm((before) => reuse(before, next, task));
      return true;
    },
    [models, setForm],
  );
  const value = useMemo(
    () => ({ form, model, setForm, chooseModel, resetForm, reuseSettings, shown, show }),
    [form, model, setForm, chooseModel, resetForm, reuseSettings, shown],
  );
  return <Context.Provider value={value}>{children}</Context.Provider>;
}

/** The draft of before a reload; else the first model that can be used. */
function firstForm(models: Model[], owner: string | null): Form | null {
  const draft = recall(owner);
  const drafted = models.find(({ id }) => id === draft?.model);
  if (draft && drafted) return reuse(initialForm(drafted), drafted, { mode: draft.mode, parameters: draft.values });
  const first = models.find(({ available }) => available) ?? models[0];
  return first ? initialForm(first) : null;
}

function remember(form: Form, model: Model, owner: string | null): void {
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

function recall(owner: string | null): Draft | null {
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
