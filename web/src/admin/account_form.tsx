/** Adds or changes an account. Tokens and keys can be set but are never shown. In a change, a field that is left empty changes nothing. */

import { useId, useState } from "react";
import type { FormEvent } from "react";
import type { Account, AccountChange, NewAccount } from "../api/types";
import { useText } from "../i18n/language";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { Problems } from "../ui/problem";
import { useAdmin } from "./session";

interface Props {
  account: Account | null;
  onClose: () => void;
  onDone: (account: Account) => void;
}

/** The fields that were filled in. */
function filled(form: FormData): Partial<NewAccount> {
  const entries = [...form.entries()].map(([name, value]) => [name, String(value).trim()] as const);
  return Object.fromEntries(entries.filter(([, value]) => value !== ""));
}

export function AccountForm({ account, onClose, onDone }: Props) {
  const t = useText();
  const { call } = useAdmin();
  const id = useId();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [half, setHalf] = useState(false);

  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const given = filled(new FormData(event.currentTarget));
    if (Boolean(given.token_id) !== Boolean(given.token_secret)) return setHalf(true);
    setHalf(false);
    setBusy(true);
    setError(null);
    try {
      if (account) {
        const change: AccountChange = { ...given };
        if (change.label === account.label) delete change.label;
        if (change.address === account.address) delete change.address;
        onDone(await call<Account>(`/admin/accounts/${encodeURIComponent(account.id)}`, { method: "PATCH", json: change }));
      } else {
        onDone(await call<Account>("/admin/accounts", { method: "POST", json: given }));
      }
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };

  return (
    <Dialog
      title={account ? t.accounts.editTitle(account.label) : t.accounts.add}
      className="narrow"
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>{t.app.cancel}</Button>
          <Button type="submit" form={id} tone="primary" busy={busy}>
            {account ? t.accounts.save : t.accounts.create}
          </Button>
        </>
      }
    >
      <form id={id} className="form" onSubmit={(event) => void submit(event)}>
        <Line name="label" label={t.accounts.label} hint={t.accounts.labelHint} required value={account?.label} />
        {!account && <Line name="workspace" label={t.accounts.workspace} hint={t.accounts.workspaceHint} />}
        <Line name="address" label={t.accounts.address} hint={t.accounts.addressHint} value={account?.address} type="url" />
        <Line
          name="token_id"
          label={t.accounts.tokenId}
          hint={account ? t.accounts.keepHint : undefined}
          required={!account}
          secret
          bad={half}
        />
        <Line
          name="token_secret"
          label={t.accounts.tokenSecret}
          hint={account ? t.accounts.keepHint : undefined}
          required={!account}
          secret
          bad={half}
        />
        {half && (
          <p className="issue" role="alert">
            {t.accounts.tokensTogether}
          </p>
        )}
        <Line name="api_key" label={t.accounts.apiKey} hint={account ? t.accounts.keepHint : t.accounts.apiKeyHint} secret />
        {error !== null && <Problems error={error} />}
      </form>
    </Dialog>
  );
}

interface LineProps {
  name: string;
  label: string;
  hint?: string | undefined;
  value?: string | undefined;
  required?: boolean;
  secret?: boolean;
  bad?: boolean;
  type?: string;
}

function Line({ name, label, hint, value, required = false, secret = false, bad = false, type = "text" }: LineProps) {
  const t = useText();
  const id = useId();
  return (
    <div className="field">
      <div className="field-head">
        <label className="label" htmlFor={id}>
          {label}
        </label>
        {!required && <span className="hint">{t.studio.optional}</span>}
      </div>
      <input
        id={id}
        name={name}
        data-first={name === "label" ? "" : undefined}
        type={secret ? "password" : type}
        // "new-password" keeps a browser from filling in or saving a value that is not its user's.
        autoComplete={secret ? "new-password" : "off"}
        spellCheck={false}
        defaultValue={value}
        required={required}
        aria-invalid={bad || undefined}
        aria-describedby={hint ? `${id}-hint` : undefined}
      />
      {hint && (
        <p className="help" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  );
}
