/** A small drawing of the result's shape, with a button that swaps its sides. */

import type { Model } from "../api/types";
import type { Form } from "../catalog/form";
import { fixedValue } from "../catalog/rules";
import type { Value } from "../catalog/schema";
import { check } from "../catalog/validate";
import { useText } from "../i18n/language";
import { IconButton } from "../ui/button";

const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b));

export function SizeSwap({ form, model, onChange }: { form: Form; model: Model; onChange: (name: string, value: Value) => void }) {
  const t = useText();
  const { width: across, height: down } = model.parameters_schema;
  const { width, height } = form.values;
  if (!across || !down || fixedValue(across) !== undefined || fixedValue(down) !== undefined) return null;
  if (typeof width !== "number" || typeof height !== "number" || width <= 0 || height <= 0) return null;
  const common = divisor(width, height) || 1;
  const swappable = check(across, height, true) === null && check(down, width, true) === null;
  const longer = Math.max(width, height);
  return (
    <div className="size">
      <span className="size-box" aria-hidden="true">
        <span style={{ width: `${(width / longer) * 100}%`, height: `${(height / longer) * 100}%` }} />
      </span>
      <span className="size-ratio">
        {width / common}:{height / common}
      </span>
      <IconButton
        icon="swap"
        label={t.studio.swap}
        disabled={!swappable || width === height}
        onClick={() => {
          onChange("width", height);
          onChange("height", width);
        }}
      />
    </div>
  );
}
