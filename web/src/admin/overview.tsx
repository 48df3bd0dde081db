/** The state of the platform's parts: storage, secrets, audit, accounts, lanes. */

import type { AccountStatus, AdminHealth, Readiness } from "../api/types";
import { bytes, clock, number } from "../i18n/format";
import { useText } from "../i18n/language";
import { useServices } from "../services";
import { IconButton } from "../ui/button";
import { Badge } from "../ui/common";
import { Icon } from "../ui/icon";
import type { IconName } from "../ui/icon";
import { Problems } from "../ui/problem";
import { ACCOUNT_TONES } from "./account_card";
import { useLoad } from "./use_load";

const REFRESH_MILLISECONDS = 10_000;

export function OverviewSection() {
  const t = useText();
  const { value: health, error, at, load } = useLoad<AdminHealth>("/admin/health", REFRESH_MILLISECONDS);
  const { models } = useServices();
  if (error !== null && !health) return <Problems error={error} onRetry={() => void load()} />;
  if (!health) return <SectionSkeleton />;
  const parts: [string, Readiness, IconName][] = [
    [t.overview.storage, health.storage, "database"],
    [t.overview.secrets, health.secrets, "key"],
    [t.overview.audit, health.audit, "list"],
  ];
  const states = (Object.entries(health.accounts) as [AccountStatus, number][]).filter(([, n]) => n > 0);
  return (
    <section className="overview" aria-label={t.admin.overview}>
      <div className={`verdict ${health.ok ? "good" : "bad"}`} role="status">
        <Icon name={health.ok ? "check" : "alert"} size={22} />
        <strong>{health.ok ? t.overview.healthy : t.overview.unhealthy}</strong>
        <span className="grow" />
        {at !== null && <span className="page-note as-of">{t.admin.updated(clock(t, at))}</span>}
        <IconButton icon="refresh" tone="plain" label={t.app.refresh} onClick={() => void load()} />
      </div>
      {error !== null && <Problems error={error} onRetry={() => void load()} />}
      <div className="tiles">
        {parts.map(([name, part, icon]) => (
          <div key={name} className="tile">
            <h3>
              <Icon name={icon} size={16} /> {name}
            </h3>
            <Badge tone={part.ok ? "good" : "bad"}>{part.ok ? t.overview.ok : t.overview.bad}</Badge>
            {part.detail && <p className="issue">{part.detail}</p>}
          </div>
        ))}
        <div className="tile">
          <h3>
            <Icon name="clock" size={16} /> {t.overview.waiting}
          </h3>
          <p className="tile-number">{number(t, health.waiting)}</p>
          <p className="page-note">{t.overview.waitingText(health.waiting)}</p>
        </div>
        <div className="tile wide">
          <h3>
            <Icon name="users" size={16} /> {t.overview.accounts}
          </h3>
          {states.length === 0 ? (
            <p className="page-note">{t.overview.accountsNone}</p>
          ) : (
            <ul className="counts">
              {states.map(([status, n]) => (
                <li key={status}>
                  <span className="tile-number">{number(t, n)}</span>
                  <Badge tone={ACCOUNT_TONES[status]}>{t.accounts.status[status]}</Badge>
                </li>
              ))}
            </ul>
          )}
        </div>
      </div>
      <h2 className="section-title">{t.overview.lanes}</h2>
      {health.lanes.length === 0 ? (
        <p className="page-note">{t.overview.lanesNone}</p>
      ) : (
        <div className="table-scroll" tabIndex={0} role="region" aria-label={t.overview.lanes}>
          <table>
            <thead>
              <tr>
                <th scope="col">{t.overview.lane}</th>
                <th scope="col">{t.overview.loaded}</th>
                <th scope="col" className="right">
                  {t.overview.memory}
                </th>
                <th scope="col" className="right">
                  {t.overview.hits}
                </th>
                <th scope="col" className="right">
                  {t.overview.misses}
                </th>
                <th scope="col" className="right">
                  {t.overview.loads}
                </th>
                <th scope="col" className="right">
                  {t.overview.evictions}
                </th>
              </tr>
            </thead>
            <tbody>
              {health.lanes.map((lane, index) => (
                <tr key={lane.model ?? `shared-${index}`}>
                  <th scope="row">{lane.model ? (models?.find(({ id }) => id === lane.model)?.name ?? lane.model) : t.overview.shared}</th>
                  <td>{lane.loaded.length > 0 ? lane.loaded.join(", ") : t.overview.nothing}</td>
                  <td className="right figures">{bytes(t, lane.memory_bytes)}</td>
                  <td className="right figures">{number(t, lane.hits)}</td>
                  <td className="right figures">{number(t, lane.misses)}</td>
                  <td className="right figures">{number(t, lane.loads)}</td>
                  <td className="right figures">{number(t, lane.evictions)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

export function SectionSkeleton() {
  const t = useText();
  return (
    <div className="section-skeleton" role="status" aria-label={t.app.loading}>
      <div className="skeleton short" />
      <div className="skeleton tall" />
      <div className="skeleton tall" />
    </div>
  );
}
