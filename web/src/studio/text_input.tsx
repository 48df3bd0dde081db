/** A text box that grows with its text, and shows how many characters remain when few do. */

import { useLayoutEffect, useRef } from "react";
import { useText } from "../i18n/language";
import type { ControlProps } from "./field";

export function TextInput({ id, parameter, value, onChange, invalid, describedBy }: ControlProps) {
  const t = useText();
  const box = useRef<HTMLTextAreaElement>(null);
  const text = typeof value === "string" ? value : "";
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    element.style.height = "auto";
    element.style.height = `${element.scrollHeight + 2}px`;
  }, [text]);
  const left = parameter.max_length === undefined ? Infinity : parameter.max_length - [...text].length;
  const counted = parameter.max_length !== undefined && left < parameter.max_length / 5;
  return (
    <div className="text-input">
      <textarea
        ref={box}
        id={id}
        rows={parameter.required ? 4 : 2}
        value={text}
        required={parameter.required}
        placeholder={parameter.required ? t.studio.promptHint : t.studio.negativeHint}
        aria-invalid={invalid || undefined}
        aria-describedby={describedBy}
        onChange={(event) => onChange(event.target.value)}
      />
      {counted && left >= 0 && <span className="counter">{t.studio.characters(left)}</span>}
    </div>
  );
}
