/** The output panel: the selected task in its current state, and recent tasks to select. */

import { useEffect } from "react";
import { useText } from "../i18n/language";
import { useServices, useTasks } from "../services";
import { isRunning, phaseOf, promptOf } from "../tasks/entry";
import type { Entry } from "../tasks/entry";
import { Empty, PhaseBadge } from "../ui/common";
import { Icon } from "../ui/icon";
import { Picture } from "../ui/media";
import { Ended } from "./ended";
import { Result } from "./result";
import { Running } from "./running";
import { useStudio } from "./state";

const RECENT = 12;

export function Output() {
  const t = useText();
  const entries = useTasks();
  const { shown, show } = useStudio();
  const entry = entries.find(({ id }) => id === shown) ?? entries[0] ?? null;
  useEffect(() => {
    if (shown !== null && !entries.some(({ id }) => id === shown)) show(null);
  }, [shown, entries, show]);
  return (
    <section className="output" id="output" aria-label={t.output.title}>
      {entry ? (
        <Shown key={entry.id} entry={entry} />
      ) : (
        <div className="stage idle">
          <Empty icon="image" title={t.output.emptyTitle} text={t.output.emptyText} />
        </div>
      )}
      {entries.length > 1 && <Strip entries={entries.slice(0, RECENT)} current={entry?.id ?? null} />}
    </section>
  );
}

function Shown({ entry }: { entry: Entry }) {
  const { models } = useServices();
  const model = models?.find(({ id }) => id === entry.model);
  return (
    <article className="shown">
      <header className="shown-head">
        <PhaseBadge phase={phaseOf(entry)} />
        <span className="shown-model">{model?.name ?? entry.modelName}</span>
        <p className="shown-prompt" title={promptOf(entry)}>
          {promptOf(entry)}
        </p>
      </header>
      {isRunning(entry) ? <Running entry={entry} /> : phaseOf(entry) === "done" ? <Result entry={entry} /> : <Ended entry={entry} />}
    </article>
  );
}

function Strip({ entries, current }: { entries: readonly Entry[]; current: string | null }) {
  const t = useText();
  const { show } = useStudio();
  return (
    <nav className="strip" aria-label={t.output.recent}>
      {entries.map((entry) => {
        const phase = phaseOf(entry);
        return (
          <button
            key={entry.id}
            type="button"
            className={`thumb ${phase}`}
            aria-current={entry.id === current}
            aria-label={t.output.recentItem(t.status[phase], promptOf(entry))}
            title={promptOf(entry)}
            onClick={() => show(entry.id)}
          >
            <Thumbnail entry={entry} />
          </button>
        );
      })}
    </nav>
  );
}

/** A small view of a task: its preview, its progress, or how it ended. */
export function Thumbnail({ entry }: { entry: Entry }) {
  const phase = phaseOf(entry);
  if (phase === "done" && entry.state?.preview_url) {
    return (
      <>
        <Picture path={entry.state.preview_url} alt="" lazy />
        {entry.type === "video" && (
          <span className="thumb-kind">
            <Icon name="play" size={12} />
          </span>
        )}
      </>
    );
  }
  if (isRunning(entry)) return <Ring value={entry.state?.progress ?? 0} />;
  if (phase === "done") return <Icon name={entry.type === "video" ? "film" : "image"} />;
  return <Icon name={phase === "failed" ? "alert" : phase === "gone" ? "trash" : "close"} />;
}

export function Ring({ value, size = 30 }: { value: number; size?: number }) {
  const around = 2 * Math.PI * 10;
  return (
    <svg className="ring" width={size} height={size} viewBox="0 0 24 24" aria-hidden="true">
      <circle cx="12" cy="12" r="10" className="ring-ground" />
      <circle cx="12" cy="12" r="10" className="ring-part" strokeDasharray={around} strokeDashoffset={around * (1 - value / 100)} />
    </svg>
  );
}
