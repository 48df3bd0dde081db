/** The page that replaces every page except administration until somebody has signed in with an access key. */

import { useText } from "../i18n/language";
import { useServices } from "../services";
import { PageTitle } from "../ui/common";
import { KeyForm } from "../ui/key_form";
import { useNotices } from "../ui/notices";

export function SignInPage() {
  const t = useText();
  const { client, sessionState } = useServices();
  const { announce } = useNotices();
  const signIn = async (key: string) => {
    await client.session.signIn(key);
    announce(t.person.signedIn(client.session.snapshot().session?.name ?? ""));
  };
  return (
    <div className="page">
      <PageTitle hidden>{t.person.title}</PageTitle>
      <KeyForm
        id="access-key"
        icon="key"
        title={t.person.title}
        text={sessionState.expired ? t.person.expired : t.person.text}
        label={t.person.key}
        onSubmit={signIn}
      />
    </div>
  );
}
