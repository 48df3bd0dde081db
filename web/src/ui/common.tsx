/** Small components that several pages share. */

import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from "react";
import type { ReactNode } from "react";
import { useText } from "../i18n/language";
import type { Phase } from "../tasks/entry";
import { IconButton } from "./button";
import { Icon } from "./icon";
import type { IconName } from "./icon";
import { useNotices } from "./notices";

export function Empty({ icon, title, text, children }: { icon: IconName; title: string; text?: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <span className="empty-mark">
        <Icon name={icon} size={28} />
      </span>
      <h2>{title}</h2>
      {text && <p>{text}</p>}
      {children}
    </div>
  );
}

export type BadgeTone = "good" | "bad" | "busy" | "wait" | "off";

export function Badge({ tone, children }: { tone: BadgeTone; children: ReactNode }) {
  return (
    <span className={`badge ${tone}`}>
      <span className="badge-dot" aria-hidden="true" />
      {children}
    </span>
  );
}

const PHASE_TONES: Record<Phase, BadgeTone> = {
  pending: "wait",
  processing: "busy",
  done: "good",
  failed: "bad",
  cancelled: "off",
  gone: "off",
};

export function PhaseBadge({ phase }: { phase: Phase }) {
  const t = useText();
  return <Badge tone={PHASE_TONES[phase]}>{t.status[phase]}</Badge>;
}

export function Progress({ value, label }: { value: number; label: string }) {
  return (
    <div className="progress" role="progressbar" aria-label={label} aria-valuenow={value} aria-valuemin={0} aria-valuemax={100}>
      <div className="progress-bar" style={{ transform: `scaleX(${value / 100})` }} />
    </div>
  );
}

interface Option<T extends string> {
  value: T;
  label: string;
}

/** A choice between few options, all of them visible. */
export function Segments<T extends string>(props: {
  label: string;
  options: Option<T>[];
  value: T;
  onChange: (value: T) => void;
  name: string;
}) {
  return (
    <fieldset className="segments">
      <legend className="visually-hidden">{props.label}</legend>
      {props.options.map(({ value, label }) => (
        <label key={value} className="segment">
          <input type="radio" name={props.name} value={value} checked={value === props.value} onChange={() => props.onChange(value)} />
          <span>{label}</span>
        </label>
      ))}
    </fieldset>
  );
}

export function CopyButton({ text }: { text: string }) {
  const t = useText();
  const { announce } = useNotices();
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return undefined;
    const timer = setTimeout(() => setDone(false), 1500);
    return () => clearTimeout(timer);
  }, [done]);
  // Browsers let a page copy only on HTTPS and localhost.
  if (!("clipboard" in navigator)) return null;
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setDone(true);
    announce(t.app.copied);
  };
  return (
    <IconButton icon={done ? "check" : "copy"} label={done ? t.app.copied : t.app.copy} className="tiny" onClick={() => void copy()} />
  );
}

/** The heading of a page. It takes the focus when the user goes to its page, so that screen readers begin there. */
export function PageTitle({ children, hidden = false }: { children: string; hidden?: boolean }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${children} · MUST`;
  }, [children]);
  useEffect(() => {
    if (document.documentElement.dataset["moved"]) heading.current?.focus({ preventScroll: true });
    document.documentElement.dataset["moved"] = "yes";
  }, []);
  return (
    <h1 ref={heading} tabIndex={-1} className={hidden ? "visually-hidden" : "page-title"}>
      {children}
    </h1>
  );
}

/** The current time, updated at intervals, for relative times. */
export function useNow(milliseconds: number): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), milliseconds);
    return () => clearInterval(timer);
  }, [milliseconds]);
  return now;
}

/** Whether the media query matches. Updates when that changes. */
export function useMedia(query: string): boolean {
  const subscribe = useCallback(
    (listener: () => void) => {
      const media = matchMedia(query);
      media.addEventListener("change", listener);
      return () => media.removeEventListener("change", listener);
    },
    [query],
  );
  return useSyncExternalStore(subscribe, () => matchMedia(query).matches);
}
