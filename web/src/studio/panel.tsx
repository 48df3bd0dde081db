/** The control panel. It is built from the catalog alone, in sections, and shows each error beside its field. */

import { useEffect, useId, useMemo, useRef, useState } from "react";
import type { FormEvent } from "react";
import { problemOf } from "../api/errors";
import type { Problem } from "../api/errors";
import type { Model } from "../api/types";
import { setValue, visibleNames } from "../catalog/form";
import type { Form } from "../catalog/form";
import { fixedValue } from "../catalog/rules";
import type { Value } from "../catalog/schema";
import { SECTIONS, sectionOf } from "../catalog/sections";
import type { Section } from "../catalog/sections";
import { pathOf, validate } from "../catalog/validate";
import type { Issues } from "../catalog/validate";
import { useText } from "../i18n/language";
import { useServices } from "../services";
import { Button, IconButton } from "../ui/button";
import { useNotices } from "../ui/notices";
import { ProblemCard } from "../ui/problem";
import { Field } from "./field";
import { Fixed } from "./fixed";
import { ModeTabs } from "./mode_tabs";
import { ModelPicker, Unavailable } from "./model_picker";
import { SizeSwap } from "./size";
import { useStudio } from "./state";

interface Props {
  form: Form;
  model: Model;
  models: Model[];
}

export function Panel({ form, model, models }: Props) {
  const t = useText();
  const { tasks } = useServices();
  const { announce } = useNotices();
  const { setForm, resetForm, show } = useStudio();
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState<Issues>({});
  const [problem, setProblem] = useState<Problem | null>(null);
  const element = useRef<HTMLFormElement>(null);
  const panel = useId();

  const found = useMemo(() => validate(form, model), [form, model]);
  const issues: Issues = { ...refused, ...(tried ? found : {}) };
  const count = Object.keys(issues).length;

  // Refusals belong to the request that was sent. Another model or mode makes another request.
  useEffect(() => {
    setRefused({});
    setProblem(null);
    setTried(false);
  }, [form.model, form.mode]);

  const change = (name: string, value: Value) => {
    setForm((before) => setValue(before, name, value));
    setProblem(null);
    setRefused((before) => Object.fromEntries(Object.entries(before).filter(([path]) => path.replace(/\[.*/, "") !== name)));
  };

  const focusFirst = () =>
    requestAnimationFrame(() => {
      const bad = element.current?.querySelector<HTMLElement>("[aria-invalid=true]");
      bad?.focus();
      bad?.scrollIntoView({ block: "center", behavior: "smooth" });
    });

  const submit = async () => {
    if (busy || !model.available) return;
    setTried(true);
    setProblem(null);
    setRefused({});
    if (Object.keys(found).length > 0) {
      announce(t.studio.issues.summary(Object.keys(found).length));
      return void focusFirst();
    }
    setBusy(true);
    try {
      const entry = await tasks.submit(form, model);
      setTried(false);
      show(entry.id);
      announce(t.output.announceSubmitted);
      document.getElementById("output")?.scrollIntoView({ block: "nearest", behavior: "smooth" });
    } catch (error) {
      const failure = problemOf(error);
      const path = failure.code === "validation_error" ? pathOf(failure.detail, model.parameters_schema) : null;
      if (path !== null && visibleNames(form, model).includes(path.replace(/\[.*/, ""))) {
        setRefused({ [path]: { kind: "server", detail: failure.detail, userAction: failure.userAction } });
        focusFirst();
      } else {
        setProblem(failure);
      }
    } finally {
      setBusy(false);
    }
  };

  const latest = useRef(submit);
  latest.current = submit;
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !document.querySelector("dialog[open]")) {
        event.preventDefault();
        void latest.current();
      }
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);

  const sections = useMemo(() => {
    const parts: Record<Section, string[]> = { prompt: [], pictures: [], frame: [], sampling: [], fixed: [] };
    for (const name of visibleNames(form, model)) {
      const parameter = model.parameters_schema[name];
      if (parameter) parts[sectionOf(name, parameter, fixedValue(parameter) !== undefined)].push(name);
    }
    // A picture comes before its strength.
    const isNumber = (name: string) => Number(!["image", "frames"].includes(model.parameters_schema[name]?.type ?? ""));
    parts.pictures.sort((a, b) => isNumber(a) - isNumber(b));
    return parts;
  }, [form, model]);

  return (
    <form
      ref={element}
      className="panel-form"
      noValidate
      onSubmit={(event: FormEvent) => {
        event.preventDefault();
        void submit();
      }}
    >
      <div className="panel-scroll">
        <ModelPicker model={model} models={models} />
        {!model.available && <Unavailable model={model} />}
        {model.modes.length > 1 && <ModeTabs model={model} mode={form.mode} panel={panel} />}
        <div
          id={panel}
          role={model.modes.length > 1 ? "tabpanel" : undefined}
          aria-labelledby={model.modes.length > 1 ? `${panel}-${form.mode}` : undefined}
        >
          {SECTIONS.filter((section) => sections[section].length > 0).map((section) =>
            section === "fixed" ? (
              <Fixed key={section} names={sections.fixed} model={model} />
            ) : (
              <fieldset key={section} className={`section ${section}`}>
                <legend className={section === "prompt" ? "visually-hidden" : undefined}>{t.studio.sections[section]}</legend>
                {section === "frame" && <SizeSwap form={form} model={model} onChange={change} />}
                {sections[section].map((name) => {
                  const parameter = model.parameters_schema[name];
                  return parameter ? (
                    <Field
                      key={`${model.id}.${name}`}
                      name={name}
                      parameter={parameter}
                      form={form}
                      model={model}
                      issues={issues}
                      onChange={change}
                    />
                  ) : null;
                })}
              </fieldset>
            ),
          )}
        </div>
      </div>
      <div className="panel-foot">
        {problem && <ProblemCard problem={problem} />}
        {count > 0 && <p className="issue-summary">{t.studio.issues.summary(count)}</p>}
        <div className="panel-actions">
          <Button
            type="submit"
            tone="primary"
            icon="spark"
            className="generate"
            busy={busy}
            disabled={!model.available}
            aria-keyshortcuts="Control+Enter"
          >
            {busy ? t.studio.submitting : t.studio.generate}
          </Button>
          <IconButton icon="refresh" label={t.studio.reset} tone="plain" onClick={resetForm} />
        </div>
      </div>
    </form>
  );
}
