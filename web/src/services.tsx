/** What every page works with: the client, the tasks of this browser, and the models. */

import { createContext, useCallback, useContext, useEffect, useMemo, useState, useSyncExternalStore } from "react";
import type { ReactNode } from "react";
import { Client } from "./api/client";
import type { Model } from "./api/types";
import type { Entry } from "./tasks/entry";
import { TaskStore } from "./tasks/store";

interface Services {
  client: Client;
  tasks: TaskStore;
  models: Model[] | null;
  modelsError: unknown;
  loadModels: () => void;
}

const Context = createContext<Services | null>(null);

export function useServices(): Services {
  const services = useContext(Context);
  if (!services) throw new Error("there is no provider of services");
  return services;
}

export function useTasks(): readonly Entry[] {
  const { tasks } = useServices();
  return useSyncExternalStore(tasks.subscribe, tasks.snapshot);
}

export function ServiceProvider({ children, client: given }: { children: ReactNode; client?: Client }) {
  const client = useMemo(() => given ?? new Client(), [given]);
  const tasks = useMemo(() => new TaskStore(client), [client]);
  const [models, setModels] = useState<Model[] | null>(null);
  const [modelsError, setError] = useState<unknown>(null);
  const loadModels = useCallback(() => {
    setError(null);
    client
      .json<{ models: Model[] }>("/models")
      .then((answer) => setModels(answer.models))
      .catch(setError);
  }, [client]);
  useEffect(loadModels, [loadModels]);
  useEffect(() => tasks.start(), [tasks]);
  const value = useMemo(() => ({ client, tasks, models, modelsError, loadModels }), [client, tasks, models, modelsError, loadModels]);
  return <Context.Provider value={value}>{children}</Context.Provider>;
}
