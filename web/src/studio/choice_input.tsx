/** A choice from a list: all entries at once if they are few and short, otherwise in a menu. */

import type { Choice } from "../catalog/schema";
import { choiceName } from "../i18n/format";
import { useText } from "../i18n/language";
import type { ControlProps } from "./field";

const FEW = 4;
const SHORT = 26;

export function ChoiceInput({ id, parameter, value, onChange, invalid, describedBy, label }: ControlProps) {
  const t = useText();
  const choices = parameter.choices ?? [];
  const names = choices.map((choice) => choiceName(t, choice));
  if (choices.length <= FEW && names.join("").length <= SHORT) {
    return (
      <div className="segments" role="radiogroup" aria-label={label} aria-describedby={describedBy}>
        {choices.map((choice, index) => (
          <label key={String(choice)} className="segment">
            <input
              type="radio"
              // The field's label refers to the selected entry.
              id={choice === value ? id : undefined}
              name={id}
              checked={choice === value}
              aria-invalid={invalid || undefined}
              onChange={() => onChange(choice)}
            />
            <span>{names[index]}</span>
          </label>
        ))}
      </div>
    );
  }
  const at = choices.findIndex((choice) => choice === value);
  return (
    <select
      id={id}
      value={at}
      aria-invalid={invalid || undefined}
      aria-describedby={describedBy}
      onChange={(event) => onChange(choices[Number(event.target.value)] as Choice)}
    >
      {at < 0 && <option value={-1}>{typeof value === "string" || typeof value === "number" ? value : ""}</option>}
      {choices.map((choice, index) => (
        <option key={String(choice)} value={index}>
          {names[index]}
        </option>
      ))}
    </select>
  );
}
