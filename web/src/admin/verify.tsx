/** Verification of the audit log: whether it is intact and, if not, the first bad event. */

import { useState } from "react";
import type { Verdict } from "../api/types";
import { useText } from "../i18n/language";
import { Button } from "../ui/button";
import { Icon } from "../ui/icon";
import { Problems } from "../ui/problem";
import { useAdmin } from "./session";

export function Verify() {
  const t = useText();
  const { call } = useAdmin();
  const [verdict, setVerdict] = useState<Verdict | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const verify = async () => {
    setBusy(true);
    setError(null);
    setVerdict(null);
    try {
      setVerdict(await call<Verdict>("/admin/audit/verify"));
    } catch (failure) {
      setError(failure);
    }
    setBusy(false);
  };
  return (
    <div className="verify">
      <Button tone="primary" icon="shield" busy={busy} onClick={() => void verify()}>
        {busy ? t.audit.verifying : t.audit.verify}
      </Button>
      <div role="status" aria-live="polite" className="verify-outcome">
        {verdict && <VerdictNote verdict={verdict} />}
        {error !== null && <Problems error={error} />}
      </div>
    </div>
  );
}

export function VerdictNote({ verdict }: { verdict: Verdict }) {
  const t = useText();
  const { fault } = verdict;
  return (
    <div className={`verdict ${verdict.ok ? "good" : "bad"}`}>
      <Icon name={verdict.ok ? "check" : "alert"} size={22} />
      <div>
        <strong>{verdict.ok || !fault ? t.audit.whole(verdict.size - verdict.min_index) : t.audit.broken(fault.seq)}</strong>
        {fault ? (
          <p>
            {t.audit.damage[fault.damage] ?? fault.damage} {fault.detail}
          </p>
        ) : (
          <p>
            {t.audit.wholeText(verdict.checkpoints, verdict.anchors)} {t.audit.root}: <code>{verdict.root.slice(0, 16)}…</code>
          </p>
        )}
      </div>
    </div>
  );
}
