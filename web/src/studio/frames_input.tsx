/** A list of given frames, with the fields that the catalog defines. Entries can be added and removed. */

import { useRef } from "react";
import type { Model } from "../api/types";
import { nextFrame } from "../catalog/form";
import type { Form } from "../catalog/form";
import { isPicture } from "../catalog/schema";
import type { Frame, Item, Value } from "../catalog/schema";
import type { Issues } from "../catalog/validate";
import { issueText, labelOf } from "../i18n/format";
import { useText } from "../i18n/language";
import { Button, IconButton } from "../ui/button";
import { ChoiceInput } from "./choice_input";
import type { ControlProps } from "./field";
import { NumberInput } from "./number_input";
import { PictureInput } from "./picture_input";

interface Props extends ControlProps {
  form: Form;
  model: Model;
  issues: Issues;
}

export function FramesInput({ id, name, parameter, value, onChange, invalid, describedBy, form, model, issues }: Props) {
  const t = useText();
  const add = useRef<HTMLButtonElement>(null);
  const frames: Frame[] = Array.isArray(value) ? value : [];
  const set = (key: string, field: string, next: Value) =>
    onChange(frames.map((frame) => (frame.key === key ? { ...frame, values: { ...frame.values, [field]: next } } : frame)));
  // Pictures come first, then the numbers.
  const fields = Object.entries(parameter.item ?? {}).sort(([, a], [, b]) => Number(b.type === "image") - Number(a.type === "image"));
  return (
    <div className="frame-list" role="group" aria-labelledby={`${id}-label`} aria-describedby={describedBy}>
      {frames.length === 0 && <p className="hint">{t.studio.frames.empty}</p>}
      <ol>
        {frames.map((frame, index) => (
          <li key={frame.key} className="frame-entry" aria-label={t.studio.frames.entry(index + 1)}>
            {fields.map(([field, item]) => (
              <FrameField
                key={field}
                id={`${id}-${frame.key}-${field}`}
                field={field}
                item={item}
                limit={item.below === undefined ? undefined : form.values[item.below]}
                value={frame.values[field] ?? null}
                issue={issues[`${name}[${index}].${field}`]}
                model={model}
                onChange={(next) => set(frame.key, field, next)}
              />
            ))}
            <IconButton
              icon="trash"
              className="frame-remove"
              label={t.studio.frames.remove(index + 1)}
              onClick={() => {
                onChange(frames.filter(({ key }) => key !== frame.key));
                add.current?.focus();
              }}
            />
          </li>
        ))}
      </ol>
      <Button
        ref={add}
        id={id}
        icon="plus"
        aria-invalid={invalid || undefined}
        onClick={() => onChange([...frames, nextFrame(parameter, frames, form.values)])}
      >
        {t.studio.frames.add}
      </Button>
    </div>
  );
}

interface FieldProps {
  id: string;
  field: string;
  item: Item;
  /** The value must stay below this one. */
  limit: Value | undefined;
  value: Value;
  issue: Issues[string] | undefined;
  model: Model;
  onChange: (value: Value) => void;
}

function FrameField({ id, field, item, limit, value, issue, model, onChange }: FieldProps) {
  const t = useText();
  const label = labelOf(t, field, item);
  const most = typeof limit === "number" ? Math.min(item.maximum ?? Infinity, limit - 1) : item.maximum;
  const parameter = most === undefined ? item : { ...item, maximum: most };
  const control = {
    id,
    name: field,
    parameter,
    label,
    onChange,
    invalid: issue !== undefined,
    describedBy: issue ? `${id}-issue` : undefined,
  };
  return (
    <div className={`frame-field ${item.type}`}>
      {item.type !== "image" && (
        <label className="label" htmlFor={id}>
          {label}
        </label>
      )}
      {item.type === "image" ? (
        <PictureInput {...control} value={isPicture(value) ? value : null} compact />
      ) : item.type === "choice" ? (
        <ChoiceInput {...control} value={value} />
      ) : (
        <NumberInput {...control} value={value} />
      )}
      {issue && (
        <p className="issue" id={`${id}-issue`}>
          {issueText(t, issue, model)}
        </p>
      )}
    </div>
  );
}
