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

const Context = createContext<Studio | null>(null);

export function useStudio(): Studio {
  const studio = useContext(Context);
  if (!studio) throw new Error("there is no provider of the studio");
  return studio;
}

export function StudioProvider({ children }: { children: ReactNode }) {
  const { models } = useServices();
  const [chosen, setChosen] = useState<Form | null>(null);
  const [shown, show] = useState<string | null>(null);
  const form = useMemo(() => chosen ?? (models ? firstForm(models) : null), [chosen, models]);
  const model = useMemo(() => models?.find(({ id }) => id === form?.model) ?? null, [models, form?.model]);

  useEffect(() => {
    if (chosen && model) remember(chosen, model);
  }, [chosen, model]);

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
function firstForm(models: Model[]): Form | null {
  const draft = recall();
  const drafted = models.find(({ id }) => id === draft?.model);
  if (draft && drafted) return reuse(initialForm(drafted), drafted, { mode: draft.mode, parameters: draft.values });
  const first = models.find(({ available }) => available) ?? models[0];
  return first ? initialForm(first) : null;
}

function remember(form: Form, model: Model): void {
  const plain: Values = {};
  for (const [name, value] of Object.entries(form.values)) {
    const parameter = model.parameters_schema[name];
    // Pictures are too large to be kept, and fixed values are the catalog's.
    if (parameter && fixedValue(parameter) === undefined && (typeof value === "string" || typeof value === "number")) plain[name] = value;
  }
  try {
    sessionStorage.setItem(KEY, JSON.stringify({ model: form.model, mode: form.mode, values: plain }));
  } catch {
    // The draft lasts as long as the page then.
  }
}

function recall(): Form | null {
  try {
    const draft = JSON.parse(sessionStorage.getItem(KEY) ?? "null") as Partial<Form> | null;
    return draft && typeof draft.model === "string" && typeof draft.mode === "string" && typeof draft.values === "object"
      ? (draft as Form)
      : null;
  } catch {
    return null;
  }
}
