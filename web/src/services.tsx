/** What every page works with: the client, how the page stands, the tasks of this browser, and the models. */

import { createContext, useCallback, useContext, useEffect, useMemo, useState, useSyncExternalStore } from "react";
import type { ReactNode } from "react";
import { Client } from "./api/client";
import type { Standing } from "./api/session";
import type { Model } from "./api/types";
import type { Entry } from "./tasks/entry";
import { forgetDraft } from "./studio/draft";
import { TaskStore } from "./tasks/store";

interface Services {
  client: Client;
  standing: Standing;
  tasks: TaskStore;
  models: Model[] | null;
  modelsError: unknown;
  loadModels: () => void;
  /** Ends the session, and takes what this browser remembers of its owner away. */
  signOut: () => Promise<void>;
}

const Context = createContext<Services | null>(null);

const NONE: readonly Entry[] = [];

export function useServices(): Services {
  const services = useContext(Context);
  if (!services) throw new Error("there is no provider of services");
  return services;
}

/** The tasks that this browser remembers of whose page it is; none while that is not known. */
export function useTasks(): readonly Entry[] {
  const { tasks, standing, modelsError } = useServices();
  const entries = useSyncExternalStore(tasks.subscribe, tasks.snapshot);
  return standing.signInRequired === null && modelsError === null ? NONE : entries;
}

export function ServiceProvider({ children, client: given }: { children: ReactNode; client?: Client }) {
  const client = useMemo(() => given ?? new Client(), [given]);
  const tasks = useMemo(() => new TaskStore(client), [client]);
  const standing = useSyncExternalStore(client.session.subscribe, client.session.standing);
  const [modelsError, setError] = useState<unknown>(null);
  const loadModels = useCallback(() => {
    setError(null);
    client.session
      .begin()
      .then(({ session, sign_in_required: signIn }) => {
        // Begun at once, so that a wait for the limit is over by the time that something is to be handed in.
        if (!session && !signIn) client.session.need().catch(() => undefined);
      })
      .catch(setError);
  }, [client]);
  useEffect(loadModels, [loadModels]);
  useEffect(() => client.session.heed(), [client]);
  const { owner, models } = standing;
  const known = standing.signInRequired !== null;
  useEffect(() => (known ? tasks.start(owner) : undefined), [tasks, known, owner]);
  const signOut = useCallback(async () => {
    await client.session.signOut();
    tasks.forgetOwner(owner);
    forgetDraft();
  }, [client, tasks, owner]);
  const value = useMemo(
    () => ({ client, standing, tasks, models, modelsError, loadModels, signOut }),
    [client, standing, tasks, models, modelsError, loadModels, signOut],
  );
  return <Context.Provider value={value}>{children}</Context.Provider>;
}
