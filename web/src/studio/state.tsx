/**
 * The studio's form and the task in its output. Both survive a visit to another page. After a reload the form comes from the draft, without
 * pictures, and the newest task is shown.
 */

import { createContext, useCallback, useContext, useEffect, useMemo, useState } from "react";
import type { ReactNode } from "react";
import type { Model } from "../api/types";
import { initialForm, reuse, setModel } from "../catalog/form";
import type { Form } from "../catalog/form";
import { useServices } from "../services";
import { recall, remember } from "./draft";

interface Studio {
  form: Form | null;
  model: Model | null;
  setForm: (change: (form: Form) => Form) => void;
  chooseModel: (model: Model) => void;
  resetForm: () => void;
  /** Applies the settings of a task. Returns false if its model is not in the catalog. */
  reuseSettings: (task: { model: string; mode: string; parameters: Record<string, unknown>; seed?: number | null }) => boolean;
  /** Id of the task in the output. `null` shows the newest task. */
  shown: string | null;
  show: (task: string | null) => void;
}

const Context = createContext<Studio | null>(null);

export function useStudio(): Studio {
  const studio = useContext(Context);
  if (!studio) throw new Error("there is no provider of the studio");
  return studio;
}

/** Each person starts with a form of their own. */
export function StudioProvider({ children }: { children: ReactNode }) {
  const { owner } = useServices().sessionState;
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
    (change: (form: Form) => Form) => setChosen((before) => ((before ?? form) ? change((before ?? form) as Form) : before)),
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

/** The draft from before a reload, otherwise the first model that can be used. */
function firstForm(models: Model[], owner: string | null): Form | null {
  const draft = recall(owner);
  const drafted = models.find(({ id }) => id === draft?.model);
  if (draft && drafted) return reuse(initialForm(drafted), drafted, { mode: draft.mode, parameters: draft.values });
  const first = models.find(({ available }) => available) ?? models[0];
  return first ? initialForm(first) : null;
}
