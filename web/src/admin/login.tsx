/** The sign-in of administrators. */

import { useText } from "../i18n/language";
import { KeyForm } from "../ui/key_form";
import { useAdmin } from "./session";

export function Login({ expired }: { expired: boolean }) {
  const t = useText();
  const { signIn } = useAdmin();
  return (
    <KeyForm
      id="admin-key"
      icon="shield"
      title={t.admin.title}
      text={expired ? t.admin.expired : t.admin.signInText}
      label={t.admin.key}
      onSubmit={signIn}
    />
  );
}
