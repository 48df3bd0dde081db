/** What the HTTP API answers with, as docs/openapi.json describes it. */

import type { Schema } from "../catalog/schema";

export type MediaType = "image" | "video";
export type Status = "pending" | "processing" | "done" | "failed";

export interface Model {
  id: string;
  aliases: string[];
  name: string;
  type: MediaType;
  category: string;
  family: string;
  description: string;
  modes: string[];
  default_mode: string;
  fixed_parameters: Record<string, unknown>;
  recommended_parameters: Record<string, unknown>;
  parameters_schema: Schema;
  available: boolean;
  /** What the files of the model on this machine are. */
  files?: string;
  unavailable_reason?: string;
  user_action?: string;
}

export interface Failure {
  code: string;
  detail: string;
  user_action: string;
}

/** A good session that the browser has. */
export interface StudioSession {
  expires_at: string;
  /** Name of the access key that it was started with; empty when it was started without one. */
  name: string;
  /** Whose results it shows; null where everybody sees all. */
  owner: string | null;
}

/** How a page may begin. */
export interface Studio {
  sign_in_required: boolean;
  session: StudioSession | null;
  /** Null before signing in where that is required. */
  models: Model[] | null;
}

export interface NewSession {
  active: boolean;
  session_status: string;
  expires_at: string | null;
}

export interface Submitted {
  task_id: string;
  status: Status;
}

export interface TaskState {
  task_id: string;
  status: Status;
  progress: number;
  stage: string;
  stage_detail: string;
  result_url: string | null;
  preview_url: string | null;
  error: string | null;
  error_code: string | null;
  seed: number;
  created_at: string;
  updated_at: string;
}

export interface GalleryItem {
  id: string;
  workspace: string | null;
  model: string;
  type: MediaType;
  mode: string;
  prompt: string;
  negative_prompt: string;
  parameters: Record<string, unknown>;
  seed: number;
  width: number;
  height: number;
  result_url: string;
  preview_url: string;
  created_at: string;
  finished_at: string | null;
}

export interface GalleryPage {
  items: GalleryItem[];
  total: number;
  page: number;
  per_page: number;
  has_more: boolean;
}

/** A task of anybody's, as administrators see it. */
export interface OwnedTask {
  id: string;
  owner: string | null;
  owner_name: string | null;
  workspace: string | null;
  model: string;
  type: MediaType;
  mode: string;
  prompt: string;
  seed: number;
  width: number;
  height: number;
  status: Status;
  progress: number;
  error: string | null;
  error_code: string | null;
  result_url: string | null;
  preview_url: string | null;
  created_at: string;
  updated_at: string;
  finished_at: string | null;
}

export interface AllTasks {
  items: OwnedTask[];
  total: number;
  page: number;
  per_page: number;
  has_more: boolean;
}

export interface AdminSession {
  active: boolean;
  idle_timeout_seconds: number;
  last_activity_at: string;
}

export interface Readiness {
  ok: boolean;
  detail: string | null;
}

export interface Lane {
  model: string | null;
  loaded: string[];
  memory_bytes: number;
  hits: number;
  misses: number;
  loads: number;
  evictions: number;
}

export interface AdminHealth {
  ok: boolean;
  storage: Readiness;
  secrets: Readiness;
  audit: Readiness;
  accounts: Partial<Record<AccountStatus, number>>;
  lanes: Lane[];
  waiting: number;
}

export type AccountStatus = "pending" | "checking" | "ready" | "failed" | "disabled";

export interface Account {
  id: string;
  label: string;
  workspace: string;
  address: string;
  status: AccountStatus;
  error: { code: string; detail: string } | null;
  models: string[] | null;
  active: number;
  dispatched: number;
  created_at: string;
  updated_at: string;
  checked_at: string | null;
  used_at: string | null;
  deployment: { started_at: string; finished_at: string | null; ok: boolean; output: string } | null;
}

export interface AccountRequest {
  label: string;
  workspace?: string;
  address?: string;
  token_id: string;
  token_secret: string;
  api_key?: string;
}

export type AccountPatch = Partial<Omit<AccountRequest, "workspace">>;

export type SecretState = "valid" | "overlapping" | "expired" | "revoked";

export interface Secret {
  name: string;
  kind: string;
  id: string;
  state: SecretState;
  issued_at: string;
  rotate_by: string;
  overlap_until: string | null;
  revoked_at: string | null;
}

export type Outcome = "success" | "failure" | "denied";

export interface AuditEvent {
  seq: number;
  timestamp: string;
  actor: string;
  source: string;
  action: string;
  target: string;
  outcome: Outcome;
  correlation_id: string;
  details: Record<string, string>;
}

export interface AuditPage {
  logs: AuditEvent[];
  next: number | null;
}

export interface Verdict {
  ok: boolean;
  origin: string;
  min_index: number;
  size: number;
  root: string;
  checkpoints: number;
  anchors: number;
  fault: { seq: number; damage: string; detail: string } | null;
}
