/** Tasks of all owners: filtered by owner and state, viewed, cancelled and deleted. */

import { useState } from "react";
import type { FormEvent } from "react";
import type { AllTasks, OwnedTask, Status } from "../api/types";
import { errorTitle, exactMoment, relative } from "../i18n/format";
import { useText } from "../i18n/language";
import { useServices } from "../services";
import { phaseOfState } from "../tasks/entry";
import { Button, IconButton } from "../ui/button";
import { Empty, PhaseBadge } from "../ui/common";
import { Confirm, Dialog } from "../ui/dialog";
import { Icon } from "../ui/icon";
import { Problems } from "../ui/problem";
import { SectionSkeleton } from "./overview";
import { useAdmin } from "./session";
import { useLoad } from "./use_load";

type Whose = "all" | "one" | "nobody";

interface Filter {
  whose: Whose;
  owner: string;
  status: Status | "";
}

const STATUSES: readonly Status[] = ["pending", "processing", "done", "failed"];
const PER_PAGE = "20";
const ALL: Filter = { whose: "all", owner: "", status: "" };

function pathOf({ whose, owner, status }: Filter, page: number): string {
  const query = new URLSearchParams({ page: String(page), per_page: PER_PAGE });
  if (whose === "nobody") query.set("owner", "");
  if (whose === "one" && owner) query.set("owner", owner);
  if (status) query.set("status", status);
  return `/admin/tasks?${query}`;
}

const hasEnded = ({ status }: OwnedTask): boolean => status === "done" || status === "failed";

export function ResultsSection() {
  const t = useText();
  const { call } = useAdmin();
  const [filter, setFilter] = useState<Filter>(ALL);
  const [page, setPage] = useState(1);
  const { value, error, load } = useLoad<AllTasks>(pathOf(filter, page));
  const [shown, setShown] = useState<OwnedTask | null>(null);
  const [ending, setEnding] = useState<OwnedTask | null>(null);
  const [feedback, setFeedback] = useState<string | null>(null);
  const items = value?.items ?? [];
  const ownerOf = (task: OwnedTask): string => task.owner_name ?? task.owner ?? t.results.nobody;
  const apply = (next: Filter) => {
    setFilter(next);
    setPage(1);
  };
  return (
    <section aria-label={t.results.title}>
      <header className="section-head">
        <div>
          <h2 className="section-title">{t.results.title}</h2>
          <p className="page-note">{t.results.text}</p>
        </div>
        <IconButton icon="refresh" tone="plain" label={t.app.refresh} onClick={() => void load()} />
      </header>
      <div className="feedback-place" role="status" aria-live="polite">
        {feedback && (
          <p className="feedback good">
            <Icon name="check" size={16} />
            <span>{feedback}</span>
            <IconButton icon="close" className="tiny" label={t.app.dismiss} onClick={() => setFeedback(null)} />
          </p>
        )}
      </div>
      <Filters key={`${filter.whose}/${filter.owner}/${filter.status}`} filter={filter} onApply={apply} />
      {error !== null && <Problems error={error} onRetry={() => void load()} />}
      {!value ? (
        error === null && <SectionSkeleton />
      ) : items.length === 0 ? (
        <Empty icon="grid" title={t.results.empty} />
      ) : (
        <>
          <p className="page-note" role="status">
            {t.results.found(value.total)}
          </p>
          <div className="table-scroll" tabIndex={0} role="region" aria-label={t.results.title}>
            <table className="stacking">
              <thead>
                <tr>
                  <th scope="col">{t.results.task}</th>
                  <th scope="col">{t.results.owner}</th>
                  <th scope="col">{t.results.state}</th>
                  <th scope="col">{t.results.submitted}</th>
                  <th scope="col">
                    <span className="visually-hidden">{t.gallery.delete}</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {items.map((task) => (
                  <tr key={task.id} data-id={task.id}>
                    <th scope="row">
                      <button
                        type="button"
                        className="link task-prompt"
                        aria-label={t.results.look(task.prompt)}
                        onClick={() => setShown(task)}
                      >
                        {task.prompt}
                      </button>
                      <small className="page-note">{task.model}</small>
                    </th>
                    <td data-label={t.results.owner}>
                      {task.owner === null ? (
                        t.results.nobody
                      ) : (
                        <button
                          type="button"
                          className="link"
                          title={task.owner}
                          aria-label={t.results.onlyOf(ownerOf(task))}
                          onClick={() => apply({ ...filter, whose: "one", owner: task.owner ?? "" })}
                        >
                          {ownerOf(task)}
                        </button>
                      )}
                    </td>
                    <td data-label={t.results.state}>
                      <PhaseBadge phase={phaseOfState(task)} />
                    </td>
                    <td data-label={t.results.submitted} title={exactMoment(t, task.created_at)}>
                      {relative(t, task.created_at)}
                    </td>
                    <td className="row-actions">
                      <Button
                        tone={hasEnded(task) ? "danger" : "plain"}
                        icon={hasEnded(task) ? "trash" : "close"}
                        onClick={() => setEnding(task)}
                      >
                        {hasEnded(task) ? t.gallery.delete : t.output.cancel}
                      </Button>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          {(page > 1 || value.has_more) && (
            <div className="more">
              <Button icon="left" disabled={page <= 1} onClick={() => setPage(page - 1)}>
                {t.results.newer}
              </Button>
              <Button icon="right" disabled={!value.has_more} onClick={() => setPage(page + 1)}>
                {t.results.older}
              </Button>
            </div>
          )}
        </>
      )}
      {shown && <ResultDialog task={shown} owner={ownerOf(shown)} onClose={() => setShown(null)} />}
      {ending && (
        <Confirm
          title={hasEnded(ending) ? t.results.deleteTitle : t.results.cancelTitle}
          text={(hasEnded(ending) ? t.results.deleteText : t.results.cancelText)(ownerOf(ending))}
          action={hasEnded(ending) ? t.gallery.delete : t.results.cancel}
          onClose={() => setEnding(null)}
          onConfirm={async () => {
            const path = `/admin/tasks/${encodeURIComponent(ending.id)}`;
            if (hasEnded(ending)) await call(path, { method: "DELETE" });
            else await call(`${path}/cancel`, { method: "POST" });
            setFeedback(hasEnded(ending) ? t.results.deleted : t.results.cancelled);
            await load();
          }}
        />
      )}
    </section>
  );
}

function Filters({ filter, onApply }: { filter: Filter; onApply: (filter: Filter) => void }) {
  const t = useText();
  const [whose, setWhose] = useState<Whose>(filter.whose);
  const apply = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? "").trim();
    onApply({ whose, owner: whose === "one" ? text("owner") : "", status: text("status") as Filter["status"] });
  };
  return (
    <form className="filters results-filters" onSubmit={apply} onReset={() => onApply(ALL)}>
      <label>
        {t.results.whose}
        <select name="whose" value={whose} onChange={(event) => setWhose(event.target.value as Whose)}>
          <option value="all">{t.results.everybody}</option>
          <option value="one">{t.results.ones}</option>
          <option value="nobody">{t.results.nobodys}</option>
        </select>
      </label>
      {whose === "one" && (
        <label>
          {t.results.owner}
          <input
            name="owner"
            defaultValue={filter.owner}
            placeholder={t.results.ownerHint}
            autoComplete="off"
            spellCheck={false}
            required
          />
        </label>
      )}
      <label>
        {t.results.state}
        <select name="status" defaultValue={filter.status}>
          <option value="">{t.audit.any}</option>
          {STATUSES.map((status) => (
            <option key={status} value={status}>
              {t.status[status]}
            </option>
          ))}
        </select>
      </label>
      <div className="filters-actions">
        <Button type="submit">{t.audit.apply}</Button>
        <Button type="reset" tone="quiet">
          {t.audit.clear}
        </Button>
      </div>
    </form>
  );
}

/** One task: its result, loaded with the admin session's cookie, or the reason why there is none. */
function ResultDialog({ task, owner, onClose }: { task: OwnedTask; owner: string; onClose: () => void }) {
  const t = useText();
  const { client } = useServices();
  const [failed, setFailed] = useState(false);
  const source = task.result_url === null ? null : client.url(task.result_url);
  return (
    <Dialog title={t.gallery.detail} className="detail" onClose={onClose}>
      <div className="detail-media">
        {source === null || failed ? (
          <Empty
            icon="alert"
            title={task.error_code ? errorTitle(t, task.error_code) : failed ? t.output.notShown : t.results.none}
            text={task.error ?? ""}
          />
        ) : task.type === "video" ? (
          <video
            className="media"
            src={source}
            aria-label={t.output.videoLabel(task.prompt)}
            controls
            loop
            muted
            playsInline
            onError={() => setFailed(true)}
          />
        ) : (
          <img className="media loaded" src={source} alt={t.output.imageAlt(task.prompt)} onError={() => setFailed(true)} />
        )}
      </div>
      <div className="detail-words">
        <h3>{t.gallery.prompt}</h3>
        <p className="prompt">{task.prompt}</p>
        <dl className="rows">
          {[
            [t.results.owner, owner],
            [t.studio.model, task.model],
            [t.output.seed, String(task.seed)],
            [t.output.size, `${task.width} × ${task.height}`],
            [t.gallery.identifier, task.id],
          ].map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      </div>
    </Dialog>
  );
}
