/** Notices of the page. They are shown for a while, and read out by screen readers. */

import { createContext, useCallback, useContext, useMemo, useRef, useState } from "react";
import type { ReactNode } from "react";
import { useText } from "../i18n/language";
import { IconButton } from "./button";
import { Icon } from "./icon";

type Tone = "good" | "bad" | "plain";

interface Notice {
  key: number;
  text: string;
  tone: Tone;
}

interface Notices {
  /** Shows a text and has it read out. */
  notify: (text: string, tone?: Tone) => void;
  /** Only has a text read out. */
  announce: (text: string) => void;
}

const SHOWN_MILLISECONDS = 6_000;

const Context = createContext<Notices>({ notify: () => undefined, announce: () => undefined });

export const useNotices = (): Notices => useContext(Context);

export function NoticeProvider({ children }: { children: ReactNode }) {
  const t = useText();
  const [notices, setNotices] = useState<Notice[]>([]);
  const [spoken, setSpoken] = useState("");
  const next = useRef(0);
  const remove = useCallback((key: number) => setNotices((all) => all.filter((notice) => notice.key !== key)), []);
  const notify = useCallback(
    (text: string, tone: Tone = "plain") => {
      const key = (next.current += 1);
      setNotices((all) => [...all.slice(-2), { key, text, tone }]);
      setTimeout(() => remove(key), SHOWN_MILLISECONDS);
    },
    [remove],
  );
  const value = useMemo(() => ({ notify, announce: setSpoken }), [notify]);
  return (
    <Context.Provider value={value}>
      {children}
      <div className="visually-hidden" aria-live="polite">
        {spoken}
      </div>
      <div className="notices" role="status" aria-live="polite">
        {notices.map(({ key, text, tone }) => (
          <div key={key} className={`notice ${tone}`}>
            <Icon name={tone === "bad" ? "alert" : "check"} size={16} />
            <span>{text}</span>
            <IconButton icon="close" label={t.app.dismiss} onClick={() => remove(key)} />
          </div>
        ))}
      </div>
    </Context.Provider>
  );
}
