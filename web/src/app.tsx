/** The frame around all pages: navigation, language, notices about waiting, and the page for the current address. */

import { Component, useEffect } from "react";
import type { ReactNode } from "react";
import { AdminPage } from "./admin/admin";
import { isSignedOut } from "./api/session";
import { GalleryPage } from "./gallery/gallery";
import { HistoryPage } from "./history/history";
import { errorTitle } from "./i18n/format";
import { LanguageProvider, dictionaries, languages, useLanguage, useText } from "./i18n/language";
import { Person } from "./person/person";
import { SignInPage } from "./person/sign_in";
import { useRoute } from "./router";
import { ServiceProvider, useServices, useTasks } from "./services";
import { StudioProvider } from "./studio/state";
import { StudioPage } from "./studio/studio";
import { isRunning, phaseOf } from "./tasks/entry";
import { Button } from "./ui/button";
import { Empty, PageTitle, useNow } from "./ui/common";
import { Icon } from "./ui/icon";
import type { IconName } from "./ui/icon";
import { NoticeProvider, useNotices } from "./ui/notices";

export function App() {
  return (
    <LanguageProvider>
      <ErrorBoundary>
        <ServiceProvider>
          <NoticeProvider>
            <StudioProvider>
              <Frame />
            </StudioProvider>
          </NoticeProvider>
        </ServiceProvider>
      </ErrorBoundary>
    </LanguageProvider>
  );
}

export function Frame() {
  const t = useText();
  const { path } = useRoute();
  const signedOut = isSignedOut(useServices().sessionState);
  useEndings();
  useEffect(() => {
    scrollTo(0, 0);
  }, [path]);
  return (
    <>
      <a className="skip" href="#main" onClick={skip}>
        {t.app.skip}
      </a>
      <header className="top">
        <a className="brand" href="#/" aria-label="MUST">
          <svg viewBox="0 0 32 32" width="26" height="26" aria-hidden="true">
            <rect width="32" height="32" rx="8" className="brand-ground" />
            <path d="M6 23V9h3.6l6.4 8 6.4-8H26v14h-4v-7.600l-6 7.4-6-7.400V23z" className="brand-mark" />
          </svg>
          <span>MUST</span>
        </a>
        <Navigation path={path} />
        <Person />
        <LanguageSwitch />
      </header>
      <Waiting />
      <main id="main" tabIndex={-1}>
        {signedOut && !path.startsWith("/admin") ? <SignInPage /> : <Page path={path} />}
      </main>
    </>
  );
}

/** The fragment is the page's address, so the link must not change it. */
function skip(event: React.MouseEvent) {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

function Page({ path }: { path: string }) {
  const t = useText();
  const [, first = ""] = path.split("/");
  switch (first) {
    case "":
      return <StudioPage />;
    case "gallery":
      return <GalleryPage />;
    case "history":
      return <HistoryPage />;
    case "admin":
      return <AdminPage />;
    default:
      return (
        <div className="page">
          <PageTitle hidden>{t.app.notFound}</PageTitle>
          <Empty icon="alert" title={t.app.notFound} text={t.app.notFoundText}>
            <a className="button plain" href="#/">
              {t.app.toStudio}
            </a>
          </Empty>
        </div>
      );
  }
}

function Navigation({ path }: { path: string }) {
  const t = useText();
  const running = useTasks().filter(isRunning).length;
  const pages: [string, string, IconName][] = [
    ["/", t.app.studio, "spark"],
    ["/gallery", t.app.gallery, "grid"],
    ["/history", t.app.history, "clock"],
    ["/admin", t.app.admin, "shield"],
  ];
  return (
    <nav className="navigation" aria-label={t.app.navigation}>
      {pages.map(([to, label, icon]) => {
        const current = to === "/" ? path === "/" : path.startsWith(to);
        return (
          <a key={to} href={`#${to}`} aria-current={current ? "page" : undefined}>
            <Icon name={icon} />
            <span>{label}</span>
            {to === "/history" && running > 0 && <span className="count">{running}</span>}
          </a>
        );
      })}
    </nav>
  );
}

function LanguageSwitch() {
  const { t, language, setLanguage } = useLanguage();
  return (
    <div className="languages" role="group" aria-label={t.app.language}>
      {languages.map((name) => (
        <button
          key={name}
          type="button"
          lang={name}
          aria-pressed={name === language}
          aria-label={dictionaries[name].name}
          onClick={() => setLanguage(name)}
        >
          {name.toUpperCase()}
        </button>
      ))}
    </div>
  );
}

/** Shows that a new session waits for the platform's limit. */
function Waiting() {
  const until = useServices().sessionState.waitingUntil;
  return until === null ? null : <Countdown until={until} />;
}

function Countdown({ until }: { until: number }) {
  const t = useText();
  const { signInRequired } = useServices().sessionState;
  const now = useNow(1000);
  return (
    <p className="waiting" role="status">
      <Icon name="clock" size={16} />
      {(signInRequired ? t.person.waiting : t.app.waiting)(Math.max(1, Math.ceil((until - now) / 1000)))}
    </p>
  );
}

/** Reads out the end of each task, on every page. */
function useEndings() {
  const t = useText();
  const { tasks } = useServices();
  const { announce } = useNotices();
  useEffect(
    () =>
      tasks.onEnd((entry) => {
        if (phaseOf(entry) === "done") announce(t.output.announceDone(entry.modelName));
        else announce(t.output.announceFailed(entry.modelName, errorTitle(t, entry.state?.error_code ?? "internal")));
      }),
    [tasks, t, announce],
  );
}

/** Shown instead of an empty page when a page throws an error. */
class ErrorBoundary extends Component<{ children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError() {
    return { failed: true };
  }

  override render() {
    return this.state.failed ? <Crashed /> : this.props.children;
  }
}

function Crashed() {
  const t = useText();
  return (
    <main className="page">
      <Empty icon="alert" title={t.app.crashed} text={t.app.crashedText}>
        <Button tone="primary" onClick={() => location.reload()}>
          {t.app.reload}
        </Button>
      </Empty>
    </main>
  );
}
