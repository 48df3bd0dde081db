/** The modes of a model as tabs. Arrow keys move between them. */

import { useRef } from "react";
import type { KeyboardEvent } from "react";
import type { Model } from "../api/types";
import { setMode } from "../catalog/form";
import { modeName } from "../i18n/format";
import { useText } from "../i18n/language";
import { useStudio } from "./state";

export function ModeTabs({ model, mode, panel }: { model: Model; mode: string; panel: string }) {
  const t = useText();
  const { setForm } = useStudio();
  const list = useRef<HTMLDivElement>(null);
  const choose = (next: string) => setForm((form) => setMode(form, next));
  const moved = (event: KeyboardEvent) => {
    const at = model.modes.indexOf(mode);
    const last = model.modes.length - 1;
    const to = { ArrowRight: at === last ? 0 : at + 1, ArrowLeft: at === 0 ? last : at - 1, Home: 0, End: last }[event.key];
    const next = to === undefined ? undefined : model.modes[to];
    if (next === undefined) return;
    event.preventDefault();
    choose(next);
    list.current?.querySelectorAll("button")[to ?? 0]?.focus();
  };
  return (
    <div ref={list} className="tabs" role="tablist" aria-label={t.studio.mode} onKeyDown={moved}>
      {model.modes.map((name) => (
        <button
          key={name}
          type="button"
          role="tab"
          id={`${panel}-${name}`}
          aria-selected={name === mode}
          aria-controls={panel}
          tabIndex={name === mode ? 0 : -1}
          onClick={() => choose(name)}
        >
          {modeName(t, name)}
        </button>
      ))}
    </div>
  );
}
