/**
 * The administrator's session. It is opened with a key that is sent once and stored nowhere, and then held by a cookie that scripts
 * cannot read. If a call is refused because the session has ended, the page shows the sign-in again.
 */

import { createContext, useCallback, useContext, useEffect, useMemo, useState } from "react";
import type { ReactNode } from "react";
import type { CallOptions } from "../api/client";
import { ApiError } from "../api/errors";
import { storage } from "../api/storage";
import type { AdminSessionView } from "../api/types";
import { useServices } from "../services";

export type SignedIn = "unknown" | "out" | "expired" | "in";

interface Admin {
  signedIn: SignedIn;
  session: AdminSessionView | null;
  /** Why it is not known whether the administrator is signed in. `null` if it is known. */
  error: unknown;
  signIn: (key: string) => Promise<void>;
  signOut: () => Promise<void>;
  check: () => void;
  call: <T>(path: string, options?: CallOptions) => Promise<T>;
}

/** Name of a stored value that is set while an admin session may exist, so that a page without a session makes no call. */
const KEY = "must.admin";

const ENDED = new Set(["admin_session_required", "admin_session_expired"]);

const Context = createContext<Admin | null>(null);

export function useAdmin(): Admin {
  const admin = useContext(Context);
  if (!admin) throw new Error("there is no provider of the admin session");
  return admin;
}

export function AdminProvider({ children }: { children: ReactNode }) {
  const { client } = useServices();
  const [signedIn, setSignedIn] = useState<SignedIn>("unknown");
  const [session, setSession] = useState<AdminSessionView | null>(null);
  const [error, setError] = useState<unknown>(null);

  const call = useCallback(
    async <T,>(path: string, options: CallOptions = {}): Promise<T> => {
      try {
        const answer = await client.json<T>(path, { ...options, session: false });
        // Each call extends the session.
        setSession((before) => before && { ...before, last_activity_at: new Date().toISOString() });
        return answer;
      } catch (failure) {
        if (failure instanceof ApiError && ENDED.has(failure.code)) setSignedIn((before) => (before === "in" ? "expired" : before));
        throw failure;
      }
    },
    [client],
  );

  const check = useCallback(() => {
    setError(null);
    if (storage("localStorage")?.getItem(KEY) !== "open") return setSignedIn("out");
    client
      .json<AdminSessionView>("/admin/session", { session: false })
      .then((answer) => {
        setSession(answer);
        setSignedIn("in");
      })
      .catch((failure: unknown) => {
        if (failure instanceof ApiError && failure.status === 401) storage("localStorage")?.removeItem(KEY);
        if (failure instanceof ApiError && failure.code === "admin_session_expired") setSignedIn("expired");
        else if (failure instanceof ApiError && failure.status === 401) setSignedIn("out");
        else setError(failure);
      });
  }, [client]);
  useEffect(check, [check]);

  const signIn = useCallback(
    async (key: string) => {
      await client.call("/admin/session", { method: "POST", headers: { "X-Admin-Key": key }, session: false });
      storage("localStorage")?.setItem(KEY, "open");
      setSession(await client.json<AdminSessionView>("/admin/session", { session: false }));
      setSignedIn("in");
    },
    [client],
  );

  const signOut = useCallback(async () => {
    try {
      await client.call("/admin/session", { method: "DELETE", session: false });
    } catch (failure) {
      if (!(failure instanceof ApiError && failure.status === 401)) throw failure;
    }
    storage("localStorage")?.removeItem(KEY);
    setSession(null);
    setSignedIn("out");
  }, [client]);

  const value = useMemo(
    () => ({ signedIn, session, error, signIn, signOut, check, call }),
    [signedIn, session, error, signIn, signOut, check, call],
  );
  return <Context.Provider value={value}>{children}</Context.Provider>;
}
