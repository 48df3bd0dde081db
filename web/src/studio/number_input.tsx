/** Number controls: a slider if it can reach all values, with a box to type in. The seed is random unless it is typed. */

import { useEffect, useState } from "react";
import { hasSlider, nearest, stepOf } from "../catalog/rules";
import type { Parameter, Value } from "../catalog/schema";
import { number } from "../i18n/format";
import { useText } from "../i18n/language";
import { IconButton } from "../ui/button";
import type { ControlProps } from "./field";

/** Reads typed text as a number if it is one. Many people type a comma as the decimal point. */
export function read(text: string): Value {
  const trimmed = text.trim().replace(",", ".");
  if (trimmed === "") return null;
  const value = Number(trimmed);
  return Number.isFinite(value) ? value : text;
}

const shown = (value: Value): string => (typeof value === "number" || typeof value === "string" ? String(value) : "");

export function NumberInput(props: ControlProps) {
  const t = useText();
  const { id, parameter, value, onChange, label } = props;
  const { minimum, maximum } = parameter;
  if (!hasSlider(parameter) || minimum === undefined || maximum === undefined) return <NumberBox {...props} />;
  const at = typeof value === "number" ? Math.min(maximum, Math.max(minimum, value)) : minimum;
  const part = maximum > minimum ? (at - minimum) / (maximum - minimum) : 0;
  return (
    <div className="slider">
      <input
        type="range"
        min={minimum}
        max={maximum}
        // A step would move a value that the catalog allows between two steps.
        step="any"
        value={at}
        aria-label={label}
        aria-valuetext={number(t, at)}
        style={{ "--part": part } as React.CSSProperties}
        onChange={(event) => onChange(nearest(parameter, Number(event.target.value)))}
        onKeyDown={(event) => {
          const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10 }[event.key];
          if (by === undefined) return;
          event.preventDefault();
          onChange(stepped(parameter, at, by));
        }}
      />
      <NumberBox {...props} id={id} />
    </div>
  );
}

/** Moves the value by some steps. From between two steps it moves to the next one in that direction. */
export function stepped(parameter: Parameter, value: number, by: number): number {
  const step = stepOf(parameter);
  const from = parameter.minimum ?? 0;
  const steps = (value - from) / step;
  const whole = by > 0 ? Math.floor(steps + 1e-6) : Math.ceil(steps - 1e-6);
  return nearest(parameter, from + (whole + by) * step);
}

function NumberBox({ id, parameter, value, onChange, invalid, describedBy }: ControlProps) {
  const [text, setText] = useState(shown(value));
  // A value that changed elsewhere is shown. Text that is being typed is left alone.
  useEffect(() => {
    setText((typed) => (read(typed) === value ? typed : shown(value)));
  }, [value]);
  return (
    <input
      id={id}
      className="number-box"
      type="text"
      inputMode={parameter.type === "integer" && (parameter.minimum ?? 0) >= 0 ? "numeric" : "decimal"}
      autoComplete="off"
      value={text}
      aria-invalid={invalid || undefined}
      aria-describedby={describedBy}
      onChange={(event) => {
        setText(event.target.value);
        onChange(read(event.target.value));
      }}
      onKeyDown={(event) => {
        const by = { ArrowUp: 1, ArrowDown: -1 }[event.key];
        if (by === undefined || typeof value !== "number") return;
        event.preventDefault();
        onChange(stepped(parameter, value, by));
      }}
    />
  );
}

/** Draws a whole number that the parameter allows, except the default, which means "random". */
export function drawSeed(parameter: Parameter): number {
  const least = Math.max(0, parameter.minimum ?? 0);
  const most = parameter.maximum ?? Number.MAX_SAFE_INTEGER;
  const drawn = crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
  return least + Math.floor((drawn / 2 ** 32) * (most - least + 1));
}

export function SeedInput(props: ControlProps) {
  const t = useText();
  const { id, parameter, value, onChange } = props;
  const random = value === parameter.default;
  return (
    <div className="seed" role="group" aria-labelledby={`${id}-label`}>
      <button
        type="button"
        className="chip"
        aria-pressed={random}
        onClick={() => onChange(random ? drawSeed(parameter) : (parameter.default as number))}
      >
        {t.studio.seed.random}
      </button>
      {random ? (
        <span className="seed-hint">{t.studio.seed.hint}</span>
      ) : (
        <>
          <label htmlFor={id} className="visually-hidden">
            {props.label}
          </label>
          <NumberBox {...props} />
        </>
      )}
      <IconButton icon="dice" size={20} tone="plain" label={t.studio.seed.draw} onClick={() => onChange(drawSeed(parameter))} />
    </div>
  );
}
