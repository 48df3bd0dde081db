/** The audit log: filters, pages, and verification. */

import { useCallback, useEffect, useState } from "react";
import type { FormEvent } from "react";
import type { AuditEvent, AuditPage, Outcome } from "../api/types";
import { exactMoment } from "../i18n/format";
import { useText } from "../i18n/language";
import { Button } from "../ui/button";
import { Badge, Empty, useMedia } from "../ui/common";
import type { BadgeTone } from "../ui/common";
import { Problems } from "../ui/problem";
import { SectionSkeleton } from "./overview";
import { useAdmin } from "./session";
import { Verify } from "./verify";

const TONES: Record<Outcome, BadgeTone> = { success: "good", failure: "bad", denied: "wait" };
const PAGE = "50";

/** Converts a local time of the browser to the platform's milliseconds. */
const millisecondsOf = (local: string): string => (local === "" ? "" : String(new Date(local).getTime()));

export function AuditSection() {
  const t = useText();
  const { call } = useAdmin();
  const [filter, setFilter] = useState<Record<string, string>>({});
  const [events, setEvents] = useState<AuditEvent[] | null>(null);
  const [next, setNext] = useState<number | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);

  const load = useCallback(
    async (before: number | null) => {
      setBusy(true);
      const query = new URLSearchParams({ limit: PAGE, ...filter, ...(before === null ? {} : { before: String(before) }) });
      try {
        const page = await call<AuditPage>(`/admin/logs?${query}`);
        setEvents((known) => (before === null ? page.logs : [...(known ?? []), ...page.logs]));
        setNext(page.next ?? null);
        setError(null);
      } catch (failure) {
        setError(failure);
      }
      setBusy(false);
    },
    [call, filter],
  );
  useEffect(() => void load(null), [load]);

  return (
    <section className="audit" aria-label={t.audit.title}>
      <header className="section-head">
        <div>
          <h2 className="section-title">{t.audit.title}</h2>
          <p className="page-note">{t.audit.text}</p>
        </div>
      </header>
      <Verify />
      <Filters onApply={setFilter} />
      {error !== null && <Problems error={error} onRetry={() => void load(null)} />}
      {events === null ? (
        error === null && <SectionSkeleton />
      ) : events.length === 0 ? (
        <Empty icon="list" title={t.audit.empty} />
      ) : (
        <>
          <p className="page-note" role="status">
            {t.audit.shown(events.length)}
          </p>
          <ul className="events" aria-label={t.audit.title}>
            {events.map((event) => (
              <Event key={event.seq} event={event} />
            ))}
          </ul>
          {next !== null && (
            <div className="more">
              <Button icon="down" busy={busy} onClick={() => void load(next)}>
                {t.audit.more}
              </Button>
            </div>
          )}
        </>
      )}
    </section>
  );
}

/** The filters. They are open on wide screens, and behind one line on phones. */
function Filters({ onApply }: { onApply: (filter: Record<string, string>) => void }) {
  const t = useText();
  const wide = useMedia("(width >= 640px)");
  const apply = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? "").trim();
    const given = {
      actor: text("actor"),
      action: text("action"),
      outcome: text("outcome"),
      since: millisecondsOf(text("since")),
      until: millisecondsOf(text("until")),
    };
    onApply(Object.fromEntries(Object.entries(given).filter(([, value]) => value !== "")));
  };
  return (
    <details className="filters-box" open={wide}>
      <summary>{t.audit.filters}</summary>
      <form className="filters" onSubmit={apply} onReset={() => onApply({})}>
        <label>
          {t.audit.actor}
          <input name="actor" autoComplete="off" spellCheck={false} />
        </label>
        <label>
          {t.audit.action}
          <input name="action" autoComplete="off" spellCheck={false} />
        </label>
        <label>
          {t.audit.outcome}
          <select name="outcome" defaultValue="">
            <option value="">{t.audit.any}</option>
            {(Object.keys(TONES) as Outcome[]).map((outcome) => (
              <option key={outcome} value={outcome}>
                {t.audit.outcomes[outcome]}
              </option>
            ))}
          </select>
        </label>
        <label>
          {t.audit.since}
          <input name="since" type="datetime-local" />
        </label>
        <label>
          {t.audit.until}
          <input name="until" type="datetime-local" />
        </label>
        <div className="filters-actions">
          <Button type="submit">{t.audit.apply}</Button>
          <Button type="reset" tone="quiet">
            {t.audit.clear}
          </Button>
        </div>
      </form>
    </details>
  );
}

function Event({ event }: { event: AuditEvent }) {
  const t = useText();
  const rows: [string, string][] = [
    [t.audit.source, event.source],
    [t.audit.correlation, event.correlation_id],
    ...Object.entries(event.details),
  ];
  return (
    <li>
      <details className="event">
        <summary>
          <span className="event-seq figures">{event.seq}</span>
          <time className="event-time" dateTime={event.timestamp}>
            {exactMoment(t, event.timestamp)}
          </time>
          <span className="event-action">{event.action}</span>
          <span className="event-actor" title={t.audit.actor}>
            {event.actor}
          </span>
          <span className="event-target" title={t.audit.target}>
            {event.target}
          </span>
          <Badge tone={TONES[event.outcome]}>{t.audit.outcomes[event.outcome]}</Badge>
        </summary>
        <dl className="rows">
          <div>
            <dt>{t.audit.actor}</dt>
            <dd>{event.actor}</dd>
          </div>
          <div>
            <dt>{t.audit.target}</dt>
            <dd>{event.target}</dd>
          </div>
          {rows.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      </details>
    </li>
  );
}
