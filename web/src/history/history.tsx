/** The tasks of this browser in all states. Running tasks are still followed. */

import { useState } from "react";
import { problemOf } from "../api/errors";
import { duration, errorTitle, exactMoment, modeName, relative, stageDetail, stageName } from "../i18n/format";
import { useText } from "../i18n/language";
import { navigate } from "../router";
import { useServices, useTasks } from "../services";
import { Thumbnail } from "../studio/output";
import { useReuse } from "../studio/reuse";
import { useStudio } from "../studio/state";
import { isRunning, phaseOf, promptOf, tookOf } from "../tasks/entry";
import type { Entry } from "../tasks/entry";
import { Button, IconButton } from "../ui/button";
import { Empty, PageTitle, PhaseBadge, Progress, Segments, useNow } from "../ui/common";
import { Confirm } from "../ui/dialog";
import { useNotices } from "../ui/notices";

type Filter = "all" | "running" | "done" | "ended";

const fits = (entry: Entry, filter: Filter): boolean => {
  const phase = phaseOf(entry);
  if (filter === "running") return isRunning(entry);
  if (filter === "done") return phase === "done";
  return filter === "all" || (!isRunning(entry) && phase !== "done");
};

export function HistoryPage() {
  const t = useText();
  const { tasks } = useServices();
  const entries = useTasks();
  const [filter, setFilter] = useState<Filter>("all");
  const [asking, setAsking] = useState(false);
  const now = useNow(5_000);
  const shown = entries.filter((entry) => fits(entry, filter));
  return (
    <div className="page history">
      <header className="page-head">
        <div>
          <PageTitle>{t.history.title}</PageTitle>
          <p className="page-note">
            {t.history.text} {entries.length > 0 && t.history.count(entries.length)}
          </p>
        </div>
        {entries.length > 0 && (
          <div className="toolbar">
            <Segments
              name="state"
              label={t.history.filter}
              value={filter}
              options={(["all", "running", "done", "ended"] as const).map((value) => ({ value, label: t.history[value] }))}
              onChange={setFilter}
            />
            <Button icon="trash" disabled={entries.every(isRunning)} onClick={() => setAsking(true)}>
              {t.history.clear}
            </Button>
          </div>
        )}
      </header>
      {entries.length === 0 ? (
        <Empty icon="clock" title={t.history.emptyTitle} text={t.history.emptyText}>
          <a className="button primary" href="#/">
            {t.app.toStudio}
          </a>
        </Empty>
      ) : shown.length === 0 ? (
        <Empty icon="list" title={t.history.emptyFilter} />
      ) : (
        <ul className="entries" aria-label={t.history.title}>
          {shown.map((entry) => (
            <Row key={entry.id} entry={entry} now={now} />
          ))}
        </ul>
      )}
      {asking && (
        <Confirm
          title={t.history.clearTitle}
          text={t.history.clearText}
          action={t.history.clear}
          onClose={() => setAsking(false)}
          onConfirm={async () => tasks.forgetEnded()}
        />
      )}
    </div>
  );
}

function Row({ entry, now }: { entry: Entry; now: number }) {
  const t = useText();
  const { tasks } = useServices();
  const { show } = useStudio();
  const { settings } = useReuse();
  const { notify } = useNotices();
  const [cancelling, setCancelling] = useState(false);
  const phase = phaseOf(entry);
  const state = entry.state;
  const running = isRunning(entry);
  const open = () => {
    show(entry.id);
    navigate("#/");
  };
  const cancel = async () => {
    setCancelling(true);
    try {
      await tasks.cancel(entry.id);
    } catch (error) {
      notify(errorTitle(t, problemOf(error).code), "bad");
      setCancelling(false);
    }
  };
  return (
    <li className={`entry ${phase}`} data-id={entry.id}>
      <button type="button" className={`thumb ${phase}`} aria-label={t.history.open} onClick={open}>
        <Thumbnail entry={entry} />
      </button>
      <div className="entry-words">
        <p className="entry-prompt">{promptOf(entry)}</p>
        <p className="entry-note">
          {entry.modelName} · {modeName(t, entry.mode)} ·{" "}
          <time dateTime={new Date(entry.submittedAt).toISOString()} title={exactMoment(t, entry.submittedAt)}>
            {relative(t, entry.submittedAt, now)}
          </time>
          {phase === "done" && state && ` · ${duration(t, tookOf(state))}`}
        </p>
        {phase === "failed" && state && (
          <p className="entry-error">
            {errorTitle(t, state.error_code ?? "internal")}
            {state.error && <span> {state.error}</span>}
          </p>
        )}
        {running && (
          <div className="entry-progress">
            <Progress value={state?.progress ?? 0} label={t.output.progress} />
            <span>
              {stageName(t, state?.stage || "queued")} {state?.stage_detail && stageDetail(t, state.stage_detail)}
            </span>
          </div>
        )}
      </div>
      <PhaseBadge phase={phase} />
      <div className="entry-actions">
        {running ? (
          <Button icon="close" busy={cancelling} onClick={() => void cancel()}>
            {cancelling ? t.output.cancelling : t.output.cancel}
          </Button>
        ) : (
          <>
            <IconButton
              icon="sliders"
              tone="plain"
              label={t.output.reuse}
              onClick={() => settings({ ...entry, parameters: entry.request, seed: phase === "done" ? (state?.seed ?? null) : null })}
            />
            <IconButton icon="close" label={t.history.forget} onClick={() => tasks.forget(entry.id)} />
          </>
        )}
      </div>
    </li>
  );
}
