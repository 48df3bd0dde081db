/** Administration: the sign-in, or the dashboard with its sections. */

import { clock, relative } from "../i18n/format";
import { useText } from "../i18n/language";
import { useRoute } from "../router";
import { Button } from "../ui/button";
import { PageTitle, useNow } from "../ui/common";
import { Icon } from "../ui/icon";
import type { IconName } from "../ui/icon";
import { useNotices } from "../ui/notices";
import { Problems } from "../ui/problem";
import { AccountsSection } from "./accounts";
import { AuditSection } from "./audit";
import { Login } from "./login";
import { OverviewSection } from "./overview";
import { ResultsSection } from "./results";
import { SecretsSection } from "./secrets";
import { AdminProvider, useAdmin } from "./session";

export function AdminPage() {
  return (
    <AdminProvider>
      <Admin />
    </AdminProvider>
  );
}

function Admin() {
  const t = useText();
  const { signedIn, error, check } = useAdmin();
  if (signedIn === "in") return <Dashboard />;
  return (
    <div className="page admin">
      <PageTitle hidden>{t.admin.title}</PageTitle>
      {error !== null ? (
        <Problems error={error} onRetry={check} />
      ) : signedIn === "unknown" ? (
        <p className="page-note" role="status">
          {t.app.loading}
        </p>
      ) : (
        <Login expired={signedIn === "expired"} />
      )}
    </div>
  );
}

function Dashboard() {
  const t = useText();
  const [, , section = ""] = useRoute().path.split("/");
  const sections: [string, string, IconName][] = [
    ["", t.admin.overview, "pulse"],
    ["results", t.admin.results, "grid"],
    ["accounts", t.admin.accounts, "users"],
    ["secrets", t.admin.secrets, "key"],
    ["audit", t.admin.audit, "list"],
  ];
  return (
    <div className="page admin">
      <header className="page-head">
        <div>
          <PageTitle>{t.admin.title}</PageTitle>
          <SessionNote />
        </div>
        <SignOut />
      </header>
      <nav className="subnavigation" aria-label={t.admin.sections}>
        {sections.map(([name, label, icon]) => (
          <a key={name} href={`#/admin${name && `/${name}`}`} aria-current={name === section ? "page" : undefined}>
            <Icon name={icon} size={16} />
            {label}
          </a>
        ))}
      </nav>
      {section === "results" ? (
        <ResultsSection />
      ) : section === "accounts" ? (
        <AccountsSection />
      ) : section === "secrets" ? (
        <SecretsSection />
      ) : section === "audit" ? (
        <AuditSection />
      ) : (
        <OverviewSection />
      )}
    </div>
  );
}

function SessionNote() {
  const t = useText();
  const { session } = useAdmin();
  const now = useNow(30_000);
  if (!session) return null;
  const ends = new Date(session.last_activity_at).getTime() + session.idle_timeout_seconds * 1000;
  return (
    <p className="page-note" title={clock(t, ends)}>
      {t.admin.sessionText(relative(t, ends, now))}
    </p>
  );
}

function SignOut() {
  const t = useText();
  const { signOut } = useAdmin();
  const { notify } = useNotices();
  const leave = () =>
    signOut().then(
      () => notify(t.admin.signedOut),
      () => notify(t.errors.network.title, "bad"),
    );
  return (
    <Button icon="exit" onClick={() => void leave()}>
      {t.admin.signOut}
    </Button>
  );
}
