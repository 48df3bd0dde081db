/** The state of each secret, with replacing and revoking. Values can be set and are never shown. */

import { useId, useState } from "react";
import type { FormEvent } from "react";
import type { SecretState, SecretStatus } from "../api/types";
import { day, exactMoment, relative } from "../i18n/format";
import { useText } from "../i18n/language";
import { Button, IconButton } from "../ui/button";
import { Badge, Empty } from "../ui/common";
import type { BadgeTone } from "../ui/common";
import { Confirm, Dialog } from "../ui/dialog";
import { Icon } from "../ui/icon";
import { Problems } from "../ui/problem";
import { SectionSkeleton } from "./overview";
import { useAdmin } from "./session";
import { useLoad } from "./use_load";

const TONES: Record<SecretState, BadgeTone> = { valid: "good", overlapping: "wait", expired: "bad", revoked: "off" };

/** Kinds whose new value the platform generates. */
const RANDOM = new Set(["master_key", "pepper", "audit_key"]);
const isOfAccount = ({ name }: SecretStatus): boolean => name.startsWith("account-");
const isSetting = ({ name }: SecretStatus): boolean => name === "admin_key" || name === "api_key";
const rotatable = (secret: SecretStatus): boolean =>
  !isSetting(secret) && !isOfAccount(secret) && secret.kind !== "api_key" && secret.state !== "revoked";
const revocable = (secret: SecretStatus): boolean =>
  !isSetting(secret) && !isOfAccount(secret) && !["audit_key", "master_key"].includes(secret.kind) && secret.state !== "revoked";

export function SecretsSection() {
  const t = useText();
  const { call } = useAdmin();
  const { value, error, load } = useLoad<{ secrets: SecretStatus[] }>("/admin/secrets");
  const [rotating, setRotating] = useState<SecretStatus | null>(null);
  const [revoking, setRevoking] = useState<SecretStatus | null>(null);
  const [feedback, setFeedback] = useState<string | null>(null);
  const secrets = value?.secrets ?? [];
  return (
    <section aria-label={t.secrets.title}>
      <header className="section-head">
        <div>
          <h2 className="section-title">{t.secrets.title}</h2>
          <p className="page-note">{t.secrets.text}</p>
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
      {error !== null && <Problems error={error} onRetry={() => void load()} />}
      {!value && error === null ? (
        <SectionSkeleton />
      ) : secrets.length === 0 ? (
        error === null && <Empty icon="key" title={t.secrets.emptyText} />
      ) : (
        <div className="table-scroll" tabIndex={0} role="region" aria-label={t.secrets.title}>
          <table className="stacking">
            <thead>
              <tr>
                <th scope="col">{t.secrets.name}</th>
                <th scope="col">{t.secrets.kind}</th>
                <th scope="col">{t.secrets.state}</th>
                <th scope="col">{t.secrets.issued}</th>
                <th scope="col">{t.secrets.rotateBy}</th>
                <th scope="col">
                  <span className="visually-hidden">{t.secrets.rotate}</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {secrets.map((secret) => (
                <tr key={`${secret.name}/${secret.id}`}>
                  <th scope="row">
                    <code title={secret.id}>{secret.name}</code>
                  </th>
                  <td data-label={t.secrets.kind}>{t.secrets.kinds[secret.kind] ?? secret.kind}</td>
                  <td data-label={t.secrets.state}>
                    <Badge tone={TONES[secret.state]}>{t.secrets.states[secret.state]}</Badge>
                  </td>
                  <td data-label={t.secrets.issued} title={exactMoment(t, secret.issued_at)}>
                    {day(t, secret.issued_at)}
                  </td>
                  <td
                    data-label={secret.overlap_until ? t.secrets.overlapUntil : t.secrets.rotateBy}
                    title={exactMoment(t, secret.overlap_until ?? secret.rotate_by)}
                  >
                    {day(t, secret.overlap_until ?? secret.rotate_by)}{" "}
                    <small className="page-note">{relative(t, secret.overlap_until ?? secret.rotate_by)}</small>
                  </td>
                  <td className="row-actions">
                    {isSetting(secret) && <small className="page-note">{t.secrets.setting}</small>}
                    {isOfAccount(secret) && (
                      <a className="page-note" href="#/admin/accounts">
                        {t.secrets.ofAccount}
                      </a>
                    )}
                    {rotatable(secret) && (
                      <Button icon="repeat" onClick={() => setRotating(secret)}>
                        {t.secrets.rotate}
                      </Button>
                    )}
                    {revocable(secret) && (
                      <Button tone="danger" onClick={() => setRevoking(secret)}>
                        {t.secrets.revoke}
                      </Button>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {rotating && (
        <Rotate
          secret={rotating}
          onClose={() => setRotating(null)}
          onDone={() => {
            setFeedback(t.secrets.rotated(rotating.name));
            setRotating(null);
            void load();
          }}
        />
      )}
      {revoking && (
        <Confirm
          title={t.secrets.revokeTitle(revoking.name)}
          text={revoking.kind === "pepper" ? t.secrets.revokePepperText : t.secrets.revokeText}
          action={t.secrets.revoke}
          {...(revoking.kind === "pepper" && { typed: { value: revoking.name, label: t.secrets.typeToConfirm(revoking.name) } })}
          onClose={() => setRevoking(null)}
          onConfirm={async () => {
            await call(`/admin/secrets/${encodeURIComponent(revoking.name)}/revoke`, { method: "POST", json: { confirm: revoking.name } });
            setFeedback(t.secrets.revoked(revoking.name));
            void load();
          }}
        />
      )}
    </section>
  );
}

function Rotate({ secret, onClose, onDone }: { secret: SecretStatus; onClose: () => void; onDone: () => void }) {
  const t = useText();
  const { call } = useAdmin();
  const id = useId();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const random = RANDOM.has(secret.kind);

  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const value = String(form.get("value") ?? "");
    const hours = String(form.get("overlap") ?? "").trim();
    const rotation = { ...(value ? { value } : {}), ...(hours ? { overlap_seconds: Number(hours) * 3600 } : {}) };
    setBusy(true);
    setError(null);
    try {
      await call(`/admin/secrets/${encodeURIComponent(secret.name)}/rotate`, { method: "POST", json: rotation });
      onDone();
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };
  return (
    <Dialog
      title={t.secrets.rotateTitle(secret.name)}
      className="narrow"
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>{t.app.cancel}</Button>
          <Button type="submit" form={id} tone="primary" busy={busy}>
            {t.secrets.rotate}
          </Button>
        </>
      }
    >
      <form id={id} className="form" onSubmit={(event) => void submit(event)}>
        <p>{random ? t.secrets.rotateRandomText : t.secrets.rotateText}</p>
        {!random && (
          <>
            <div className="field">
              <label className="label" htmlFor={`${id}-value`}>
                {t.secrets.value}
              </label>
              <input id={`${id}-value`} name="value" data-first="" type="password" autoComplete="new-password" required />
            </div>
            <div className="field">
              <label className="label" htmlFor={`${id}-overlap`}>
                {t.secrets.overlap}
              </label>
              <input id={`${id}-overlap`} name="overlap" type="number" min="0" step="any" aria-describedby={`${id}-hint`} />
              <p className="help" id={`${id}-hint`}>
                {t.secrets.overlapHint}
              </p>
            </div>
          </>
        )}
        {error !== null && <Problems error={error} />}
      </form>
    </Dialog>
  );
}
