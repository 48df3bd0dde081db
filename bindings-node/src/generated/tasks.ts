// Made from types in core/src by `cargo xtask regen`. Do not edit.

// Tasks: their state, and which of them to list.

import type { ErrorCode } from "./codes";

/**
 * A picture or a clip.
 * - `image`: One frame.
 * - `video`: Several frames.
 */
export type MediaType = "image" | "video";

/**
 * The status of a task: `pending -> processing -> done | failed`, never backwards.
 * - `pending`: Durable and waiting for a lane.
 * - `processing`: Running.
 * - `done`: Ended with a result.
 * - `failed`: Ended with an error.
 */
export type Status = "pending" | "processing" | "done" | "failed";

/** Why a task failed. */
export interface TaskFailure {
  /** Name of an error code, such as `cancelled`. */
  code: ErrorCode;
  /** What happened. */
  detail: string;
}

/**
 * A task as it was at the time of the call. The calls of `docs/calls.md` return its JSON form. Times are in UTC, in JSON as RFC
 * 3339.
 */
export interface TaskState {
  /** Stable id. */
  id: string;
  /** Workspace of the worker that it was sent to. Null if it runs on this platform. */
  workspace: string | null;
  /** The owner. Null if the task has no owner. */
  owner: string | null;
  /** Catalog id of the model. */
  model: string;
  /** Picture or clip. */
  type: MediaType;
  /** Mode of the model. */
  mode: string;
  /** Description of the result. */
  prompt: string;
  /** Description of what the result should not show. */
  negative_prompt: string;
  /** All other parameters in the catalog's order, with defaults filled in. Images appear by name, without their content. */
  parameters: Record<string, unknown>;
  /** The seed that is used. It is random if the request had -1. */
  seed: number;
  /** Width in pixels. */
  width: number;
  /** Height in pixels. */
  height: number;
  /** The status. */
  status: Status;
  /** Progress in percent, from 0 to 100. It never falls. */
  progress: number;
  /** Name of the current stage. */
  stage: string;
  /** More about the stage, such as `step 3 of 20`. */
  stage_detail: string;
  /** File of the result, relative to the data folder, or `remote:/results/ID` if it is at a worker. Present exactly when done. */
  result_path: string | null;
  /** File of the preview, relative to the data folder, or `remote:/preview/ID` if it is at a worker. Present exactly when done. */
  preview_path: string | null;
  /** Why it failed. Present exactly when failed. */
  error: TaskFailure | null;
  /** When it was submitted. */
  created_at: string;
  /** When the task last changed. */
  updated_at: string;
  /** When it began to run. */
  started_at: string | null;
  /** When it ended. */
  finished_at: string | null;
}

/** One page of tasks. */
export interface TaskPage {
  /** The tasks of this page. */
  items: TaskState[];
  /** Number of all tasks that match the query, including those that come before `after`. */
  total: number;
  /** Number of this page. The first page is 1. */
  page: number;
  /** The largest number of items on a page. */
  per_page: number;
  /** Whether another page follows. */
  has_more: boolean;
}

/**
 * Order of a listing.
 * - `newest`: Newest first.
 * - `oldest`: Oldest first.
 */
export type Sort = "newest" | "oldest";

/** Which tasks to list. */
export interface TaskQuery {
  /** Only tasks with this status. */
  status?: Status | undefined;
  /** Only tasks of this model (id or alias). */
  model?: string | undefined;
  /** Only pictures or only clips. */
  type?: MediaType | undefined;
  /** Only tasks of this owner. The empty text selects tasks without an owner. */
  owner?: string | undefined;
  /** Only tasks that come after this task in the order. Pages are counted from there. */
  after?: string | undefined;
  /** Order of the tasks. The default is newest first. */
  sort?: Sort | undefined;
  /** Number of the page, from 1. 0 means 1. */
  page?: number | undefined;
  /** Tasks on a page, 1 to 100. 0 means 20. */
  per_page?: number | undefined;
}
