/** One account: its state with the reason, what it has done, and the actions that its state allows. */

import type { Account, AccountStatus } from "../api/types";
import { errorTitle, exactMoment, relative } from "../i18n/format";
import { useText } from "../i18n/language";
import { Button, IconButton } from "../ui/button";
import { Badge } from "../ui/common";
import type { BadgeTone } from "../ui/common";

export type AccountAction = "health" | "enable" | "disable" | "deploy" | "edit" | "remove";

export const ACCOUNT_TONES: Record<AccountStatus, BadgeTone> = {
  pending: "wait",
  checking: "busy",
  ready: "good",
  failed: "bad",
  disabled: "off",
};

interface Props {
  account: Account;
  busy: AccountAction | null;
  onAction: (action: AccountAction) => void;
}

export function AccountCard({ account, busy, onAction }: Props) {
  const t = useText();
  const { status, deployment } = account;
  const off = status === "disabled";
  const held = busy !== null || status === "checking";
  const when = (moment: string | null) =>
    moment === null ? (
      t.accounts.never
    ) : (
      <time dateTime={moment} title={exactMoment(t, moment)}>
        {relative(t, moment)}
      </time>
    );
  return (
    <li className={`account ${status}`} data-workspace={account.workspace}>
      <div className="account-head">
        <div className="account-name">
          <h3>{account.label}</h3>
          <p className="page-note">
            <code>{account.workspace}</code> · {account.address}
          </p>
        </div>
        <Badge tone={ACCOUNT_TONES[status]}>{t.accounts.status[status]}</Badge>
      </div>
      {account.error && (
        <p className="issue">
          {errorTitle(t, account.error.code)}: {account.error.detail}
        </p>
      )}
      <dl className="facts">
        <div>
          <dt>{t.accounts.load}</dt>
          <dd>{t.accounts.loadText(account.active, account.dispatched)}</dd>
        </div>
        <div>
          <dt>{t.accounts.models}</dt>
          <dd>{account.models ? account.models.join(", ") || t.app.none : t.accounts.modelsUnknown}</dd>
        </div>
        <div>
          <dt>{t.accounts.checked}</dt>
          <dd>{when(account.checked_at)}</dd>
        </div>
        <div>
          <dt>{t.accounts.used}</dt>
          <dd>{when(account.used_at)}</dd>
        </div>
      </dl>
      {deployment && (
        <details className="deployment">
          <summary>
            {t.accounts.deployment}:{" "}
            {deployment.finished_at === null
              ? t.accounts.deploymentRuns
              : deployment.ok
                ? t.accounts.deploymentOk
                : t.accounts.deploymentFailed}
            {" · "}
            {relative(t, deployment.finished_at ?? deployment.started_at)}
          </summary>
          <pre tabIndex={0}>{deployment.output || "–"}</pre>
        </details>
      )}
      <div className="account-actions" role="group" aria-label={t.accounts.actions(account.label)}>
        {off ? (
          <Button icon="power" busy={busy === "enable"} disabled={held} onClick={() => onAction("enable")}>
            {t.accounts.enable}
          </Button>
        ) : (
          <>
            <Button icon="pulse" busy={busy === "health"} disabled={held} onClick={() => onAction("health")}>
              {t.accounts.health}
            </Button>
            <Button icon="power" busy={busy === "disable"} disabled={busy !== null} onClick={() => onAction("disable")}>
              {t.accounts.disable}
            </Button>
            <Button icon="rocket" busy={busy === "deploy"} disabled={held} onClick={() => onAction("deploy")}>
              {t.accounts.deploy}
            </Button>
          </>
        )}
        <span className="grow" />
        <IconButton icon="edit" label={t.accounts.edit} disabled={busy !== null} onClick={() => onAction("edit")} />
        <IconButton icon="trash" label={t.accounts.remove} disabled={busy !== null} onClick={() => onAction("remove")} />
      </div>
    </li>
  );
}
