/** A form for a key. The key is only in the field and in one request. */

import { useEffect, useRef, useState } from "react";
import type { FormEvent } from "react";
import { ApiError } from "../api/errors";
import { useText } from "../i18n/language";
import { Button, IconButton } from "./button";
import { useNow } from "./common";
import { Icon } from "./icon";
import type { IconName } from "./icon";
import { Problems } from "./problem";

interface Props {
  id: string;
  icon: IconName;
  title: string;
  text: string;
  label: string;
  onSubmit: (key: string) => Promise<void>;
}

export function KeyForm({ id, icon, title, text, label, onSubmit }: Props) {
  const t = useText();
  const field = useRef<HTMLInputElement>(null);
  const [seen, setSeen] = useState(false);
  const [empty, setEmpty] = useState(true);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [until, setUntil] = useState(0);
  const now = useNow(1000);
  const wait = Math.max(0, Math.ceil((until - now) / 1000));

  useEffect(() => field.current?.focus(), []);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const key = field.current?.value.trim() ?? "";
    if (key === "" || busy || wait > 0) return;
    setBusy(true);
    setError(null);
    try {
      await onSubmit(key);
    } catch (failure) {
      setError(failure);
      if (failure instanceof ApiError && failure.retryAfter !== null) setUntil(Date.now() + failure.retryAfter * 1000);
      setBusy(false);
      field.current?.select();
    }
  };
  return (
    <form className="login" onSubmit={(event) => void submit(event)}>
      <span className="empty-mark">
        <Icon name={icon} size={28} />
      </span>
      <h2>{title}</h2>
      <p>{text}</p>
      <label className="label" htmlFor={id}>
        {label}
      </label>
      <div className="secret-field">
        {/* This input is uncontrolled, so that no state of the page holds the key. */}
        <input
          ref={field}
          id={id}
          type={seen ? "text" : "password"}
          autoComplete="off"
          autoCapitalize="off"
          spellCheck={false}
          aria-invalid={error !== null || undefined}
          onChange={(event) => setEmpty(event.target.value.trim() === "")}
        />
        <IconButton icon="eye" label={seen ? t.admin.hide : t.admin.show} aria-pressed={seen} onClick={() => setSeen(!seen)} />
      </div>
      {error !== null && <Problems error={error} />}
      <Button type="submit" tone="primary" busy={busy} disabled={empty || wait > 0}>
        {wait > 0 ? t.admin.waitSeconds(wait) : busy ? t.admin.signingIn : t.admin.signIn}
      </Button>
    </form>
  );
}
