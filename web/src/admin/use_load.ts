/** Loads data for an administrator, reloads it on request or at intervals, and reports failures. */

import { useCallback, useEffect, useRef, useState } from "react";
import { useAdmin } from "./session";

/** The page stops reloading this long after the last user activity, so that it does not keep a session alive by itself. */
const PRESENT_MILLISECONDS = 5 * 60_000;

let lastSign = Date.now();
for (const sign of ["pointerdown", "keydown", "wheel"]) addEventListener(sign, () => (lastSign = Date.now()), { passive: true });

export function useLoad<T>(path: string, every: number | null = null) {
  const { call } = useAdmin();
  const [value, setValue] = useState<T | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [at, setAt] = useState<number | null>(null);
  const asked = useRef(0);

  const load = useCallback(async () => {
    const mine = (asked.current += 1);
    try {
      const answer = await call<T>(path);
      // Ignore an answer that a later request has replaced.
      if (mine !== asked.current) return;
      setValue(answer);
      setError(null);
      setAt(Date.now());
    } catch (failure) {
      if (mine === asked.current) setError(failure);
    }
  }, [call, path]);

  useEffect(() => {
    void load();
  }, [load]);

  useEffect(() => {
    if (every === null) return undefined;
    const timer = setInterval(() => {
      if (document.visibilityState === "visible" && Date.now() - lastSign < PRESENT_MILLISECONDS) void load();
    }, every);
    return () => clearInterval(timer);
  }, [load, every]);

  return { value, setValue, error, at, load };
}
