// Made from the schemas of docs/openapi.json by `cargo xtask regen`. Do not edit.

/** An account, without its tokens. */
export interface Account {
  /** Stable id. */
  id: string;
  /** What people call it. */
  label: string;
  /** Its workspace: what ids of its tasks begin with. */
  workspace: string;
  /** Where the workspace is reached. */
  address: string;
  /** Where it stands. */
  status: AccountStatus;
  /** Why it failed; only while it is `failed`. */
  error: AccountFailure | null;
  /** Ids of the models that the worker offers; none while that is unknown. */
  models: string[] | null;
  /** Tasks that have not ended there. */
  active: number;
  /** Tasks that were ever accepted there. */
  dispatched: number;
  /** When it was registered. */
  created_at: string;
  /** When anything last changed. */
  updated_at: string;
  /** When its health was last asked for. */
  checked_at: string | null;
  /** When a task was last sent to it. */
  used_at: string | null;
  /** Its last deployment. */
  deployment: Deployment | null;
}

/** What is to be changed about an account; the rest stays. */
export interface AccountChange {
  /** Where the workspace is reached, a base URL. */
  address?: string;
  /** The API key that the worker asks for. */
  api_key?: string;
  /** What people call it: 1 to 64 characters. */
  label?: string;
  /** Id of the provider's token; together with `token_secret`. */
  token_id?: string;
  /** The provider's token; together with `token_id`. */
  token_secret?: string;
}

/** Why an account failed. */
export interface AccountFailure {
  /** Name of an error code, such as `remote_failed`. */
  code: string;
  /** What happened. */
  detail: string;
}

/** Where an account stands. */
export type AccountStatus = "pending" | "checking" | "ready" | "failed" | "disabled";

/** Every account. */
export interface Accounts {
  accounts: Account[];
}

/** How the parts of the platform stand. */
export interface AdminHealth {
  ok: boolean;
  storage: Readiness;
  secrets: Readiness;
  audit: Readiness;
  /** Accounts of workers by state. */
  accounts: Record<string, number>;
  lanes: LaneStatus[];
  /** Tasks that wait for a lane. */
  waiting: number;
}

/** The admin session of the cookie. */
export interface AdminSessionView {
  active: boolean;
  idle_timeout_seconds: number;
  last_activity_at: string;
}

/** A page of tasks. */
export interface AllTasks {
  items: OwnedTask[];
  total: number;
  page: number;
  per_page: number;
  has_more: boolean;
}

/** One event of the log. Its JSON form, compact and in this order, is the leaf whose hash the tree holds. Events that were written in version 1 are shown in this form too, and hashed in their own. */
export interface AuditEvent {
  /** Version of the form that is hashed. */
  v: number;
  /** Number of the event, from 0, without gaps. */
  seq: number;
  /** When, in UTC. */
  timestamp: string;
  /** Who. */
  actor: string;
  /** From where. */
  source: string;
  /** What was done. */
  action: string;
  /** To what. */
  target: string;
  /** How it went. */
  outcome: Outcome;
  /** What ties it to a request. */
  correlation_id: string;
  /** More about it. */
  details: Record<string, string>;
  /** Leaf hash of the event before, in hexadecimal; zeros for the first. */
  prev: string;
  /** How many events the newest checkpoint was over when this one was written: a checkpoint that is gone is missed by it. None in version 1. */
  signed: number | null;
}

/** Some events, newest first. */
export interface AuditPage {
  /** The events. */
  logs: AuditEvent[];
  /** What to give as `before` for the next page; none on the last. */
  next: number | null;
}

/** What came of asking a task to end. */
export interface Cancelling {
  task_id: string;
  status: string;
}

/** How the log was found to be damaged. */
export type Damage = "missing" | "altered" | "broken_chain" | "time_reversed" | "tree" | "checkpoint" | "truncated" | "rewritten" | "storage";

/** That a finished task and its files are gone. */
export interface Deleted {
  deleted: boolean;
  id: string;
}

/** The last deployment of a workspace. */
export interface Deployment {
  /** When it began. */
  started_at: string;
  /** When the command ended; none while it runs. */
  finished_at: string | null;
  /** Whether the command succeeded. */
  ok: boolean;
  /** The end of what it wrote, without the account's tokens. */
  output: string;
}

/** Every failure. */
export interface Failure {
  /** Stable name to branch on. */
  code: string;
  /** What happened, in one line. */
  detail: string;
  /** What a person can do about it, in one line. */
  user_action: string;
}

/** The first thing that is wrong with a log. */
export interface Fault {
  /** Number of the event at fault. Where only a range is known to hold it, the first of the range; of a checkpoint, the last event that it is over. */
  seq: number;
  /** What kind of damage it is. */
  damage: Damage;
  /** What was found. */
  detail: string;
}

/** A finished task. */
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

/** A page of finished tasks. */
export interface GalleryPage {
  items: GalleryItem[];
  total: number;
  page: number;
  per_page: number;
  has_more: boolean;
}

/** That the platform is there. */
export interface Health {
  ok: boolean;
  status: string;
  version: string;
  app: string;
}

/** What a lane's memory of loaded pipelines went through since the platform was opened. */
export interface LaneStatus {
  /** The model that the lane belongs to; none for the shared lane. */
  model: string | null;
  /** Ids of the models whose weights are loaded, in the order of their last use. */
  loaded: string[];
  /** Bytes that they hold. */
  memory_bytes: number;
  /** Tasks that found their pipeline loaded. */
  hits: number;
  /** Tasks that did not. */
  misses: number;
  /** Pipelines that were loaded. */
  loads: number;
  /** Pipelines that were let go, for room, for idleness or after an error. */
  evictions: number;
}

/** A picture or a clip. */
export type MediaType = "image" | "video";

/** A model as callers see it. Serialised, it is an object of `GET /models` and of the lists of models in every language. */
export interface Model {
  /** Stable id. */
  id: string;
  /** Other names that are accepted for it. */
  aliases: string[];
  /** A name for people. */
  name: string;
  /** Picture or clip. */
  type: MediaType;
  /** `anime` or `realistic`. */
  category: string;
  /** Architecture: `sdxl`, `flux`, `wan`. */
  family: string;
  /** A sentence for people. */
  description: string;
  /** What it can start from. */
  modes: string[];
  /** The mode when none is asked for. */
  default_mode: string;
  /** Values that every request has and none can change. */
  fixed_parameters: Record<string, unknown>;
  /** Values that work best. */
  recommended_parameters: Record<string, unknown>;
  /** Its parameters, in the order in which people should see them. */
  parameters_schema: Record<string, Parameter>;
  /** Whether it can run here. */
  available: boolean;
  /** What its files are, where it has some of its own and can run. */
  files?: string;
  /** Why it cannot run here, when it cannot. */
  unavailable_reason?: string;
  /** What would make it run here, when it cannot. */
  user_action?: string;
}

/** The catalog. */
export interface Models {
  models: Model[];
}

/** An account to be registered. */
export interface NewAccount {
  /** What people call it: 1 to 64 characters. */
  label: string;
  /** Id of the provider's token. */
  token_id: string;
  /** The provider's token. */
  token_secret: string;
  /** Where the workspace is reached, a base URL; made by the template of the settings when left out. */
  address?: string;
  /** The API key that the worker asks for; the one of the settings when left out. */
  api_key?: string;
  /** What ids of its tasks begin with: 3 to 64 of `a-z 0-9 -`. When left out it is the label, which then must be such a name. */
  workspace?: string;
}

/** A new generation session; its token is in the cookie. */
export interface NewSession {
  active: boolean;
  session_status: string;
  expires_at: string | null;
}

/** How what an event tells of went. */
export type Outcome = "success" | "failure" | "denied";

/** A task and whose it is. */
export interface OwnedTask {
  id: string;
  /** None when it is nobody's in particular. */
  owner: string | null;
  /** Name of the API key that the owner is known by. */
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

/** The rules of one parameter. */
export interface Parameter {
  /** What sort of value it takes. */
  type: ParameterKind;
  /** A short name for people. */
  label: string;
  /** The allowed values of a choice. */
  choices?: (string | number)[];
  /** What stands in when it is left out. */
  default?: unknown;
  /** A sentence for people. */
  help?: string;
  /** The fields of an entry of a list. */
  item?: Record<string, ParameterItem>;
  /** Whether any value but the default is refused. */
  locked?: boolean;
  /** Most characters. */
  max_length?: number;
  /** Greatest value. */
  maximum?: number;
  /** Fewest entries of a list. */
  min_items?: number;
  /** Fewest characters, and then not blank. */
  min_length?: number;
  /** Least value. */
  minimum?: number;
  /** The value that works best. */
  recommended?: unknown;
  /** Whether every request must give it. */
  required?: boolean;
  /** When it must be given. */
  required_if?: Record<string, unknown[]>;
  /** Distance between allowed values, counted from `minimum`. */
  step?: number;
  /** When it may be given; always when absent. */
  visible_if?: Record<string, unknown[]>;
}

/** One field of an entry of a list. */
export interface ParameterItem {
  /** What sort of value it takes. */
  type: ParameterKind;
  /** A short name for people. */
  label: string;
  /** The field's value must be below the value of this parameter. */
  below?: string;
  /** The allowed values of a choice. */
  choices?: (string | number)[];
  /** What stands in when it is left out. */
  default?: unknown;
  /** A sentence for people. */
  help?: string;
  /** The fields of an entry of a list. */
  item?: Record<string, ParameterItem>;
  /** Whether any value but the default is refused. */
  locked?: boolean;
  /** Most characters. */
  max_length?: number;
  /** Greatest value. */
  maximum?: number;
  /** Fewest entries of a list. */
  min_items?: number;
  /** Fewest characters, and then not blank. */
  min_length?: number;
  /** Least value. */
  minimum?: number;
  /** The value that works best. */
  recommended?: unknown;
  /** Whether every request must give it. */
  required?: boolean;
  /** When it must be given. */
  required_if?: Record<string, unknown[]>;
  /** Distance between allowed values, counted from `minimum`. */
  step?: number;
  /** When it may be given; always when absent. */
  visible_if?: Record<string, unknown[]>;
}

/** What sort of value a parameter takes. */
export type ParameterKind = "string" | "integer" | "number" | "choice" | "image" | "frames";

/** Whether a part of the platform can be used. */
export interface Readiness {
  ok: boolean;
  /** Why not. */
  detail: string | null;
}

/** That an account was let go. */
export interface Removed {
  removed: boolean;
  id: string;
}

/** How a secret is revoked. */
export interface Revocation {
  /** The secret's name again. Needed for `pepper`, which ends every API key and session with it, the caller's own too. */
  confirm?: string;
}

/** How a secret is replaced. */
export interface Rotation {
  /** How long the old value stays good, where its kind has an overlap: 7 days at most. When left out, a day over HTTP, and otherwise not at all. */
  overlap_seconds?: number;
  /** The new value, for a secret that comes from outside; `master_key`, `pepper` and `audit_key` are drawn at random. */
  value?: string;
}

/** That a secret was replaced or revoked. */
export interface SecretDone {
  name: string;
  done: string;
}

/** How a secret stands. */
export type SecretState = "valid" | "overlapping" | "expired" | "revoked";

/** What is to be known about a secret without seeing it. */
export interface SecretStatus {
  /** Name to rotate or revoke it by. */
  name: string;
  /** `master_key`, `pepper`, `provider_token`, `stored`, `api_key`, `admin_key` or `audit_key`. */
  kind: string;
  /** Which one of its name. */
  id: string;
  /** How it stands. */
  state: SecretState;
  /** When it was made, or first seen. */
  issued_at: string;
  /** When it is to be replaced. */
  rotate_by: string;
  /** Until when it is good although it was replaced. */
  overlap_until: string | null;
  /** When it was revoked. */
  revoked_at: string | null;
}

/** Every secret, without its value. */
export interface Secrets {
  secrets: SecretStatus[];
}

/** The generation session of the cookie. */
export interface SessionView {
  active: boolean;
  valid: boolean;
  expires_at: string;
}

/** Where a task stands. `pending -> processing -> done | failed`, never backwards. */
export type Status = "pending" | "processing" | "done" | "failed";

/** How a task stands. */
export interface StatusView {
  task_id: string;
  status: Status;
  /** 0 to 100, never falling. */
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

/** How a page may begin. */
export interface Studio {
  /** Whether a session takes an access key. */
  sign_in_required: boolean;
  /** The good session that the browser has; none where it has none. */
  session: StudioSession | null;
  /** The catalog, as `/models` shows it; none before signing in where that is required. */
  models: Model[] | null;
}

/** A session that goes on. */
export interface StudioSession {
  expires_at: string;
  /** Name of the access key that it was started with; empty when it was started without one. */
  name: string;
  /** Whose results it shows; none where everybody sees all. */
  owner: string | null;
}

/** A task that was accepted. */
export interface Submitted {
  task_id: string;
  status: Status;
}

/** What verifying the whole log found. */
export interface Verdict {
  /** Whether all of it is as it was written. */
  ok: boolean;
  /** Name of the log. */
  origin: string;
  /** Number of the first event that is still kept. */
  min_index: number;
  /** How many events were ever written. */
  size: number;
  /** Root hash of the tree over them, in hexadecimal. */
  root: string;
  /** How many stored checkpoints were checked: every one. */
  checkpoints: number;
  /** How many checkpoints of the anchor file were compared. */
  anchors: number;
  /** What is wrong; null where nothing is. */
  fault: Fault | null;
}
