/** Parameters that the model fixes. They are shown but cannot be changed. */

import type { Model } from "../api/types";
import { digitsOf, fixedValue, isNumeric } from "../catalog/rules";
import { choiceName, helpOf, labelOf, number } from "../i18n/format";
import { useText } from "../i18n/language";
import { Icon } from "../ui/icon";

export function Fixed({ names, model }: { names: string[]; model: Model }) {
  const t = useText();
  return (
    <section className="section fixed" aria-label={t.studio.sections.fixed}>
      <h3 className="legend">{t.studio.sections.fixed}</h3>
      <dl className="locks">
        {names.map((name) => {
          const parameter = model.parameters_schema[name];
          const value = parameter && fixedValue(parameter);
          if (!parameter || value === undefined) return null;
          const text = typeof value === "number" && isNumeric(parameter) ? number(t, value, digitsOf(parameter)) : choiceName(t, value);
          return (
            <div key={name} className="lock" title={helpOf(t, name, parameter)}>
              <dt>{labelOf(t, name, parameter)}</dt>
              <dd>
                {text}
                <Icon name="lock" size={13} />
                <span className="visually-hidden">{t.studio.locked}</span>
              </dd>
            </div>
          );
        })}
      </dl>
    </section>
  );
}
