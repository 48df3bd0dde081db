/** One parameter: its label, a control for its kind, its help, and its error. */

import { useId } from "react";
import type { ReactNode } from "react";
import type { Model } from "../api/types";
import type { Form } from "../catalog/form";
import { hasSlider, initialValue, isNumeric, isRequired } from "../catalog/rules";
import { isPicture } from "../catalog/schema";
import type { Parameter, Value } from "../catalog/schema";
import type { Issues } from "../catalog/validate";
import { choiceName, helpOf, issueText, labelOf, number } from "../i18n/format";
import { useText } from "../i18n/language";
import { IconButton } from "../ui/button";
import { ChoiceInput } from "./choice_input";
import { FramesInput } from "./frames_input";
import { NumberInput, SeedInput } from "./number_input";
import { PictureInput } from "./picture_input";
import { TextInput } from "./text_input";

export interface ControlProps {
  id: string;
  name: string;
  parameter: Parameter;
  value: Value;
  onChange: (value: Value) => void;
  label: string;
  invalid: boolean;
  describedBy: string | undefined;
}

interface Props {
  name: string;
  parameter: Parameter;
  form: Form;
  model: Model;
  issues: Issues;
  onChange: (name: string, value: Value) => void;
}

export function Field({ name, parameter, form, model, issues, onChange }: Props) {
  const t = useText();
  const id = useId();
  const value = form.values[name] ?? null;
  const label = labelOf(t, name, parameter);
  const help = helpOf(t, name, parameter);
  const issue = issues[name];
  const required = isRequired(parameter, form.mode, form.values);
  const set = (next: Value) => onChange(name, next);
  const seed = name === "seed" && isNumeric(parameter);
  const first = initialValue(parameter);
  const resettable = !seed && !["string", "image", "frames"].includes(parameter.type) && first !== null && value !== first;
  const describedBy = [issue && `${id}-issue`, help && `${id}-help`].filter(Boolean).join(" ") || undefined;
  const control: ControlProps = { id, name, parameter, value, onChange: set, label, invalid: issue !== undefined, describedBy };
  return (
    <div
      className={`field ${parameter.type} ${isNumeric(parameter) && hasSlider(parameter) ? "sliding" : ""} ${issue ? "bad" : ""}`}
      data-field={name}
    >
      <div className="field-head">
        {parameter.type === "frames" || seed ? (
          <span className="label" id={`${id}-label`}>
            {label}
          </span>
        ) : (
          <label className="label" htmlFor={id} id={`${id}-label`}>
            {label}
          </label>
        )}
        {!required && parameter.type === "string" && <span className="hint">{t.studio.optional}</span>}
        {resettable && <IconButton icon="refresh" className="tiny" label={t.studio.resetField(label)} onClick={() => set(first)} />}
        <Recommended parameter={parameter} value={value} onUse={set} />
      </div>
      <Control {...control} seed={seed} form={form} model={model} issues={issues} />
      {help && (
        <p className="help" id={`${id}-help`}>
          {help}
        </p>
      )}
      {issue && (
        <p className="issue" id={`${id}-issue`}>
          {issueText(t, issue, model)}
        </p>
      )}
    </div>
  );
}

function Control({
  seed,
  form,
  model,
  issues,
  ...control
}: ControlProps & { seed: boolean; form: Form; model: Model; issues: Issues }): ReactNode {
  switch (control.parameter.type) {
    case "string":
      return <TextInput {...control} />;
    case "integer":
    case "number":
      return seed ? <SeedInput {...control} /> : <NumberInput {...control} />;
    case "choice":
      return <ChoiceInput {...control} />;
    case "image":
      return <PictureInput {...control} value={isPicture(control.value) ? control.value : null} />;
    case "frames":
      return <FramesInput {...control} form={form} model={model} issues={issues} />;
    default:
      return null;
  }
}

function Recommended({ parameter, value, onUse }: { parameter: Parameter; value: Value; onUse: (value: Value) => void }) {
  const t = useText();
  const { recommended } = parameter;
  if ((typeof recommended !== "number" && typeof recommended !== "string") || recommended === value) return null;
  const text = typeof recommended === "number" ? number(t, recommended) : choiceName(t, recommended);
  return (
    <button type="button" className="recommended" aria-label={t.studio.useRecommended(text)} onClick={() => onUse(recommended)}>
      {t.studio.recommended(text)}
    </button>
  );
}
