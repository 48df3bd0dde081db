/** Worker accounts: their states, and every action on them. The result of each action is shown and read out. */

import { useCallback, useEffect, useRef, useState } from "react";
import { problemOf } from "../api/errors";
import type { Account } from "../api/types";
import { errorAction, errorTitle } from "../i18n/format";
import { useText } from "../i18n/language";
import { Button, IconButton } from "../ui/button";
import { Empty } from "../ui/common";
import { Confirm } from "../ui/dialog";
import { Icon } from "../ui/icon";
import { Problems } from "../ui/problem";
import { AccountCard } from "./account_card";
import type { AccountAction } from "./account_card";
import { AccountForm } from "./account_form";
import { SectionSkeleton } from "./overview";
import { useAdmin } from "./session";
import { useLoad } from "./use_load";

const REFRESH_MILLISECONDS = 10_000;
const CHECKING_MILLISECONDS = 2_000;

interface Feedback {
  text: string;
  tone: "good" | "bad" | "plain";
}

type Open = { kind: "add" } | { kind: "edit" | "remove"; account: Account } | { kind: "deploy_all" } | null;

export function AccountsSection() {
  const t = useText();
  const { call } = useAdmin();
  const [pace, setPace] = useState(REFRESH_MILLISECONDS);
  const { value, error, load } = useLoad<{ accounts: Account[] }>("/admin/accounts", pace);
  const [open, setOpen] = useState<Open>(null);
  const [busy, setBusy] = useState<Record<string, AccountAction>>({});
  const [feedback, setFeedback] = useState<Feedback | null>(null);
  const accounts = value?.accounts ?? [];
  const say = useCallback((text: string, tone: Feedback["tone"] = "good") => setFeedback({ text, tone }), []);

  // Accounts that are being checked are loaded more often, and the result of the check is reported.
  const checking = accounts.some(({ status }) => status === "checking");
  useEffect(() => setPace(checking ? CHECKING_MILLISECONDS : REFRESH_MILLISECONDS), [checking]);
  const before = useRef(new Map<string, Account>());
  useEffect(() => {
    for (const account of accounts) {
      const was = before.current.get(account.id);
      if (was?.status === "checking" && account.status !== "checking" && !busy[account.id]) {
        say(t.accounts.did.settled(account.label, t.accounts.status[account.status]), account.status === "ready" ? "good" : "bad");
      }
    }
    before.current = new Map(accounts.map((account) => [account.id, account]));
  }, [accounts, busy, say, t]);

  const act = async (account: Account, action: AccountAction) => {
    if (action === "edit" || action === "remove") return setOpen({ kind: action, account });
    setBusy((all) => ({ ...all, [account.id]: action }));
    try {
      const after = await call<Account>(`/admin/accounts/${encodeURIComponent(account.id)}/${action}`, { method: "POST" });
      const status = t.accounts.status[after.status];
      const tone = after.status === "failed" ? "bad" : "good";
      if (action === "disable") say(t.accounts.did.disabled(account.label));
      else if (action === "deploy") say(t.accounts.did.deploying(account.label), "plain");
      else say(action === "enable" ? t.accounts.did.enabled(account.label, status) : t.accounts.did.checked(account.label, status), tone);
    } catch (failure) {
      const problem = problemOf(failure);
      const reason = [errorTitle(t, problem.code), problem.detail, errorAction(t, problem)].filter(Boolean).join(". ");
      say(t.accounts.did.failed(account.label, reason), "bad");
    }
    await load();
    setBusy((all) => Object.fromEntries(Object.entries(all).filter(([id]) => id !== account.id)));
  };

  const close = () => setOpen(null);
  return (
    <section aria-label={t.accounts.title}>
      <header className="section-head">
        <div>
          <h2 className="section-title">{t.accounts.title}</h2>
          <p className="page-note">{t.accounts.text}</p>
        </div>
        <div className="toolbar">
          <IconButton icon="refresh" tone="plain" label={t.app.refresh} onClick={() => void load()} />
          <Button icon="rocket" disabled={accounts.length === 0} onClick={() => setOpen({ kind: "deploy_all" })}>
            {t.accounts.deployAll}
          </Button>
          <Button tone="primary" icon="plus" onClick={() => setOpen({ kind: "add" })}>
            {t.accounts.add}
          </Button>
        </div>
      </header>
      <div className="feedback-place" role="status" aria-live="polite">
        {feedback && (
          <p className={`feedback ${feedback.tone}`}>
            <Icon name={feedback.tone === "bad" ? "alert" : "check"} size={16} />
            <span>{feedback.text}</span>
            <IconButton icon="close" className="tiny" label={t.app.dismiss} onClick={() => setFeedback(null)} />
          </p>
        )}
      </div>
      {error !== null && <Problems error={error} onRetry={() => void load()} />}
      {!value && error === null ? (
        <SectionSkeleton />
      ) : accounts.length === 0 ? (
        error === null && <Empty icon="users" title={t.accounts.emptyTitle} text={t.accounts.emptyText} />
      ) : (
        <ul className="accounts">
          {accounts.map((account) => (
            <AccountCard
              key={account.id}
              account={account}
              busy={busy[account.id] ?? null}
              onAction={(action) => void act(account, action)}
            />
          ))}
        </ul>
      )}
      {(open?.kind === "add" || open?.kind === "edit") && (
        <AccountForm
          account={open.kind === "edit" ? open.account : null}
          onClose={close}
          onDone={(account) => {
            say(open.kind === "edit" ? t.accounts.did.edited(account.label) : t.accounts.did.added(account.label));
            close();
            void load();
          }}
        />
      )}
      {open?.kind === "remove" && (
        <Confirm
          title={t.accounts.removeTitle(open.account.label)}
          text={t.accounts.removeText}
          action={t.accounts.remove}
          onClose={close}
          onConfirm={async () => {
            await call(`/admin/accounts/${encodeURIComponent(open.account.id)}`, { method: "DELETE" });
            say(t.accounts.did.removed(open.account.label));
            void load();
          }}
        />
      )}
      {open?.kind === "deploy_all" && (
        <Confirm
          title={t.accounts.deployAllTitle}
          text={t.accounts.deployAllText}
          action={t.accounts.deployAll}
          tone="primary"
          onClose={close}
          onConfirm={async () => {
            const begun = await call<{ accounts: Account[] }>("/admin/deploy-all", { method: "POST" });
            say(t.accounts.did.deployingAll(begun.accounts.length), "plain");
            void load();
          }}
        />
      )}
    </section>
  );
}
