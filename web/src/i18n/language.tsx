/** The language of the page: the one that the user chose, otherwise the first of the browser's languages that has a dictionary. */

import { createContext, useCallback, useContext, useEffect, useMemo, useState } from "react";
import type { ReactNode } from "react";
import { en } from "./en";
import type { Dictionary } from "./en";
import { ru } from "./ru";

export const dictionaries = { en, ru } satisfies Record<string, Dictionary>;
export type Language = keyof typeof dictionaries;
export const languages = Object.keys(dictionaries) as Language[];

const KEY = "must.language";

const isLanguage = (name: string | null | undefined): name is Language => languages.includes(name as Language);

/** Returns the language that the user chose earlier. `null` if there is none, or if the browser forbids storage. */
export function remembered(): Language | null {
  try {
    const name = localStorage.getItem(KEY);
    return isLanguage(name) ? name : null;
  } catch {
    return null;
  }
}

export function preferred(wanted: readonly string[] = navigator.languages): Language {
  return wanted.map((tag) => tag.toLowerCase().split("-")[0]).find(isLanguage) ?? "en";
}

interface LanguageValue {
  t: Dictionary;
  language: Language;
  setLanguage: (language: Language) => void;
}

const Context = createContext<LanguageValue>({ t: en, language: "en", setLanguage: () => undefined });

export function LanguageProvider({ children, initial }: { children: ReactNode; initial?: Language }) {
  const [language, choose] = useState<Language>(() => initial ?? remembered() ?? preferred());
  const setLanguage = useCallback((next: Language) => {
    choose(next);
    try {
      localStorage.setItem(KEY, next);
    } catch {
      // The browser forbids storage. The choice then lasts as long as the page.
    }
  }, []);
  useEffect(() => {
    document.documentElement.lang = language;
  }, [language]);
  const value = useMemo(() => ({ t: dictionaries[language], language, setLanguage }), [language, setLanguage]);
  return <Context.Provider value={value}>{children}</Context.Provider>;
}

export const useLanguage = (): LanguageValue => useContext(Context);
export const useText = (): Dictionary => useContext(Context).t;
