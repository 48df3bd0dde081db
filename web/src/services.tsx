/** The services that every page uses: the client, the session, the tasks of this browser, and the models. */

import { createContext, useCallback, useContext, useEffect, useMemo, useState, useSyncExternalStore } from "react";
import type { ReactNode } from "react";
import { Client } from "./api/client";
import type { SessionState } from "./api/session";
import type { Model } from "./api/types";
import type { Entry } from "./tasks/entry";
import { forgetDraft } from "./studio/draft";
import { TaskStore } from "./tasks/store";

interface Services {
  client: Client;
  sessionState: SessionState;
  tasks: TaskStore;
  models: Model[] | null;
  modelsError: unknown;
  loadModels: () => void;
  /** Ends the session, and removes everything that this browser stored for its owner. */
  signOut: () => Promise<void>;
}

const Context = createContext<Services | null>(null);

const NONE: readonly Entry[] = [];

export function useServices(): Services {
  const services = useContext(Context);
  if (!services) throw new Error("there is no provider of services");
  return services;
}

/** The tasks that this browser has stored for the owner of the page. Empty while the owner is unknown. */
export function useTasks(): readonly Entry[] {
  const { tasks, sessionState, modelsError } = useServices();
  const entries = useSyncExternalStore(tasks.subscribe, tasks.snapshot);
  return sessionState.signInRequired === null && modelsError === null ? NONE : entries;
}

export function ServiceProvider({ children, client: given }: { children: ReactNode; client?: Client }) {
  const client = useMemo(() => given ?? new Client(), [given]);
  const tasks = useMemo(() => new TaskStore(client), [client]);
  const sessionState = useSyncExternalStore(client.session.subscribe, client.session.snapshot);
  const [modelsError, setError] = useState<unknown>(null);
  const loadModels = useCallback(() => {
    setError(null);
    client.session
      .begin()
      .then(({ session, sign_in_required: signIn }) => {
        // The session starts now, so that a wait for the rate limit is over, or shorter, when the user submits something.
        if (!session && !signIn) client.session.need().catch(() => undefined);
      })
      .catch(setError);
  }, [client]);
  useEffect(loadModels, [loadModels]);
  useEffect(() => client.session.watchOtherTabs(), [client]);
  const { owner, models } = sessionState;
  const known = sessionState.signInRequired !== null;
  useEffect(() => (known ? tasks.start(owner) : undefined), [tasks, known, owner]);
  const signOut = useCallback(async () => {
    await client.session.signOut();
    tasks.forgetOwner(owner);
    forgetDraft();
  }, [client, tasks, owner]);
  const value = useMemo(
    () => ({ client, sessionState, tasks, models, modelsError, loadModels, signOut }),
    [client, sessionState, tasks, models, modelsError, loadModels, signOut],
  );
  return <Context.Provider value={value}>{children}</Context.Provider>;
}
