/** Shows who is signed in, and the sign-out. Shows nothing if nobody is signed in. */

import { useState } from "react";
import { problemOf } from "../api/errors";
import { errorTitle } from "../i18n/format";
import { useText } from "../i18n/language";
import { useServices } from "../services";
import { IconButton } from "../ui/button";
import { Icon } from "../ui/icon";
import { useNotices } from "../ui/notices";

export function Person() {
  const t = useText();
  const { sessionState, signOut } = useServices();
  const { notify } = useNotices();
  const [busy, setBusy] = useState(false);
  const { session } = sessionState;
  if (!sessionState.signInRequired || !session) return null;
  const leave = async () => {
    setBusy(true);
    try {
      await signOut();
      notify(t.person.signedOut);
    } catch (error) {
      notify(errorTitle(t, problemOf(error).code), "bad");
    }
    setBusy(false);
  };
  return (
    <div className="person">
      <span className="person-name" title={t.person.signedIn(session.name)}>
        <Icon name="key" size={16} />
        <span className="visually-hidden">{t.person.signedIn(session.name)}</span>
        <span aria-hidden="true">{session.name}</span>
      </span>
      <IconButton icon="exit" label={`${t.person.signOut}: ${session.name}`} busy={busy} onClick={() => void leave()} />
    </div>
  );
}
