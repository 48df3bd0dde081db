/** A task in this browser's memory: its request, and its last known state. */

import type { Problem } from "../api/errors";
import type { MediaType, StatusView } from "../api/types";

export interface Entry {
  id: string;
  model: string;
  modelName: string;
  type: MediaType;
  mode: string;
  /** The settings of the request with the model's fixed values, without pictures. */
  request: Record<string, unknown>;
  /** When this browser submitted it, in milliseconds since 1970. */
  submittedAt: number;
  state: StatusView | null;
  /** Whether the platform no longer has the task. */
  gone: boolean;
  /** Whether the last attempt to reach the platform failed. */
  trouble?: boolean;
}

export type Phase = "pending" | "processing" | "done" | "failed" | "cancelled" | "gone";

/** A cancelled task is a failed one with the code for cancelling. The page shows the two separately. */
export function phaseOf(entry: Entry): Phase {
  if (entry.gone) return "gone";
  return entry.state ? phaseOfState(entry.state) : "pending";
}

export const phaseOfState = (state: Pick<StatusView, "status" | "error_code">): Phase =>
  state.status === "failed" && state.error_code === "cancelled" ? "cancelled" : state.status;

export const isRunning = (entry: Entry): boolean => ["pending", "processing"].includes(phaseOf(entry));

export const promptOf = (entry: Entry): string => (typeof entry.request["prompt"] === "string" ? entry.request["prompt"] : "");

export const problemOfTask = (state: StatusView): Problem => ({
  code: state.error_code ?? "internal",
  detail: state.error ?? "",
  userAction: "",
});

/** Milliseconds from the submission of a task that has ended to its end. */
export const tookOf = (state: StatusView): number => new Date(state.updated_at).getTime() - new Date(state.created_at).getTime();

/** Reads the stored entries. Anything in the storage that is not an entry is left out. */
export function readEntries(text: string | null): Entry[] {
  try {
    const list: unknown = JSON.parse(text ?? "[]");
    return Array.isArray(list) ? list.filter(isEntry) : [];
  } catch {
    return [];
  }
}

function isEntry(value: unknown): value is Entry {
  if (typeof value !== "object" || value === null) return false;
  const entry = value as Partial<Entry>;
  return (
    typeof entry.id === "string" &&
    typeof entry.model === "string" &&
    typeof entry.mode === "string" &&
    typeof entry.submittedAt === "number" &&
    typeof entry.request === "object" &&
    entry.request !== null &&
    (entry.state === null || typeof entry.state === "object")
  );
}
