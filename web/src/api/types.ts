// Made from the schemas of docs/openapi.json by `cargo xtask regen`. Do not edit.

/** An account, without its tokens. */
export interface Account {
  /** Stable id. */
  id: string;
  /** A name for people to read. */
  label: string;
  /** Its workspace. The ids of its tasks begin with it. */
  workspace: string;
  /** The base URL of the workspace. */
  address: string;
  /** Its state. */
  status: AccountStatus;
  /** Why it failed. Given only while the state is `failed`. */
  error: AccountFailure | null;
  /** Ids of the models that the worker offers. Null while they are unknown. */
  models: string[] | null;
  /** Number of tasks at this worker or on their way to it that have not ended. */
  active: number;
  /** Number of tasks that this worker has ever accepted. */
  dispatched: number;
  /** When it was registered. */
  created_at: string;
  /** When the account last changed. */
  updated_at: string;
  /** When the last check of the account ended. */
  checked_at: string | null;
  /** When a task was last sent to it. */
  used_at: string | null;
  /** Its last deployment. */
  deployment: Deployment | null;
}

/** The changes to an account. Everything that is not given stays as it is. */
export interface AccountChange {
  /** The base URL of the workspace. */
  address?: string;
  /** The API key that the worker requires. */
  api_key?: string;
  /** A name for people to read: 1 to 64 characters. */
  label?: string;
  /** Id of the provider's token. It must be given together with `token_secret`. */
  token_id?: string;
  /** The provider's token. It must be given together with `token_id`. */
  token_secret?: string;
}

/** Why an account failed. */
export interface AccountFailure {
  /** Name of an error code, such as `remote_failed`. */
  code: string;
  /** What happened. */
  detail: string;
}

/** The state of an account. */
export type AccountStatus = "pending" | "checking" | "ready" | "failed" | "disabled";

/** All accounts. */
export interface Accounts {
  accounts: Account[];
}

/** The state of the parts of the platform. */
export interface AdminHealth {
  ok: boolean;
  storage: Readiness;
  secrets: Readiness;
  audit: Readiness;
  /** Worker accounts by state. */
  accounts: Record<string, number>;
  lanes: LaneStatus[];
  /** How many tasks wait for a lane. */
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

/** One event of the log. Its JSON form, compact and in this order, is the leaf whose hash the tree holds. Events that were written in version 1 are shown in this form, too, but their hash is over their own form. */
export interface AuditEvent {
  /** Version of the form that is hashed. */
  v: number;
  /** Number of the event, from 0, without gaps. */
  seq: number;
  /** The time of the event, in UTC. */
  timestamp: string;
  /** Who did it. */
  actor: string;
  /** Where the action came from. */
  source: string;
  /** The action. */
  action: string;
  /** What the action was applied to. */
  target: string;
  /** The outcome. */
  outcome: Outcome;
  /** An id that links the event to a request. */
  correlation_id: string;
  /** More details by name. */
  details: Record<string, string>;
  /** Leaf hash of the event before, in hexadecimal; zeros for the first. */
  prev: string;
  /** How many events the newest checkpoint covered when this event was written, so that a missing checkpoint is detected. `None` in version 1. */
  signed: number | null;
}

/** A page of events, newest first. */
export interface AuditPage {
  /** The events. */
  logs: AuditEvent[];
  /** The value of `before` for the next page. Null on the last page. */
  next: number | null;
}

/** The answer to a request to cancel a task. */
export interface Cancelling {
  task_id: string;
  status: string;
}

/** A kind of damage to the log. */
export type Damage = "missing" | "altered" | "broken_chain" | "time_reversed" | "tree" | "checkpoint" | "truncated" | "rewritten" | "storage";

/** Confirms that an ended task and its files were removed. */
export interface Deleted {
  deleted: boolean;
  id: string;
}

/** The last deployment of a workspace. */
export interface Deployment {
  /** When it began. */
  started_at: string;
  /** When the command ended. Null while it runs. */
  finished_at: string | null;
  /** Whether the command succeeded. False while it runs. */
  ok: boolean;
  /** The last part of the command's output, without the account's tokens. */
  output: string;
}

/** A failed call. */
export interface Failure {
  /** Stable name to branch on. */
  code: string;
  /** What happened, in one line. */
  detail: string;
  /** What a person can do about it, in one line. */
  user_action: string;
}

/** The first fault in a log. */
export interface Fault {
  /** Number of the damaged event. If only a range is known, this is its first event. For a damaged checkpoint it is usually the last event that the checkpoint covers. */
  seq: number;
  /** The kind of damage. */
  damage: Damage;
  /** A description of the fault. */
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

/** The platform is running. */
export interface Health {
  ok: boolean;
  status: string;
  version: string;
  app: string;
}

/** The pipelines that a lane has loaded, and counts of their use since the platform was opened. */
export interface LaneStatus {
  /** The model that the lane belongs to. Null for the shared lane. */
  model: string | null;
  /** Ids of the models whose weights are loaded. The most recently used one is the last. */
  loaded: string[];
  /** Memory that the loaded pipelines use, in bytes. */
  memory_bytes: number;
  /** Number of tasks that found their pipeline loaded. */
  hits: number;
  /** Number of tasks that did not find their pipeline loaded. */
  misses: number;
  /** Number of times that a pipeline was loaded. */
  loads: number;
  /** Number of times that a pipeline was unloaded, because of memory, idleness or an error. */
  evictions: number;
}

/** A picture or a clip. */
export type MediaType = "image" | "video";

/** A model as callers see it. Its JSON form is an entry of the list that `GET /models` and the lists of models in every language return. */
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
  /** The inputs that it can start from. */
  modes: string[];
  /** The mode when none is asked for. */
  default_mode: string;
  /** Values that apply to every request and cannot be changed. */
  fixed_parameters: Record<string, string | number>;
  /** The values that work best. */
  recommended_parameters: Record<string, string | number>;
  /** Its parameters, in the order in which people should see them. */
  parameters_schema: Record<string, Parameter>;
  /** Whether the model can run here. */
  available: boolean;
  /** A description of the model's files, if it has its own and can run. */
  files?: string;
  /** Why the model cannot run here. Absent when it can. */
  unavailable_reason?: string;
  /** What makes the model run here. Absent when it can run. */
  user_action?: string;
}

/** The catalog. */
export interface Models {
  models: Model[];
}

/** An account to register. */
export interface NewAccount {
  /** A name for people to read: 1 to 64 characters. */
  label: string;
  /** Id of the provider's token. */
  token_id: string;
  /** The provider's token. */
  token_secret: string;
  /** The base URL of the workspace. The default is made from the template of the settings. */
  address?: string;
  /** The API key that the worker requires. The default is the key of the settings. */
  api_key?: string;
  /** Its workspace: 3 to 64 of the characters `a-z 0-9 -`. The ids of its tasks begin with it. The default is the label, which then must have this form. */
  workspace?: string;
}

/** A new generation session; its token is in the cookie. */
export interface NewSession {
  active: boolean;
  session_status: string;
  expires_at: string | null;
}

/** The outcome of the action that an event records. */
export type Outcome = "success" | "failure" | "denied";

/** A task and its owner. */
export interface OwnedTask {
  id: string;
  /** Absent when the task has no owner. */
  owner: string | null;
  /** Name of the owner's API key. */
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
  /** The kind of value. */
  type: ParameterKind;
  /** A short name for people. */
  label: string;
  /** The allowed values of a choice. */
  choices?: (string | number)[];
  /** The value that is used when none is given. */
  default?: string | number;
  /** A sentence for people. */
  help?: string;
  /** The fields of an entry of a list. */
  item?: Record<string, ParameterItem>;
  /** Whether every value but the default is refused. */
  locked?: boolean;
  /** Largest number of characters. */
  max_length?: number;
  /** Greatest value. */
  maximum?: number;
  /** Fewest entries of a list. */
  min_items?: number;
  /** Fewest characters. If this is above 0, the text must not be blank. */
  min_length?: number;
  /** Least value. */
  minimum?: number;
  /** The value that works best. */
  recommended?: string | number;
  /** Whether every request must give it. */
  required?: boolean;
  /** The rule under which it must be given. Without a rule, `required` alone decides. */
  required_if?: Record<string, (string | number)[]>;
  /** Distance between allowed values, counted from `minimum`. */
  step?: number;
  /** The rule under which it may be given. Without a rule, it may always be given. */
  visible_if?: Record<string, (string | number)[]>;
}

/** One field of an entry of a list. */
export interface ParameterItem {
  /** The kind of value. */
  type: ParameterKind;
  /** A short name for people. */
  label: string;
  /** Name of the parameter whose value the field's value must be below. */
  below?: string;
  /** The allowed values of a choice. */
  choices?: (string | number)[];
  /** The value that is used when none is given. */
  default?: string | number;
  /** A sentence for people. */
  help?: string;
  /** The fields of an entry of a list. */
  item?: Record<string, ParameterItem>;
  /** Whether every value but the default is refused. */
  locked?: boolean;
  /** Largest number of characters. */
  max_length?: number;
  /** Greatest value. */
  maximum?: number;
  /** Fewest entries of a list. */
  min_items?: number;
  /** Fewest characters. If this is above 0, the text must not be blank. */
  min_length?: number;
  /** Least value. */
  minimum?: number;
  /** The value that works best. */
  recommended?: string | number;
  /** Whether every request must give it. */
  required?: boolean;
  /** The rule under which it must be given. Without a rule, `required` alone decides. */
  required_if?: Record<string, (string | number)[]>;
  /** Distance between allowed values, counted from `minimum`. */
  step?: number;
  /** The rule under which it may be given. Without a rule, it may always be given. */
  visible_if?: Record<string, (string | number)[]>;
}

/** The kind of value that a parameter takes. */
export type ParameterKind = "string" | "integer" | "number" | "choice" | "image" | "frames";

/** Whether a part of the platform can be used. */
export interface Readiness {
  ok: boolean;
  /** Why it cannot be used. */
  detail: string | null;
}

/** Confirms that an account was removed. */
export interface Removed {
  removed: boolean;
  id: string;
}

/** How to revoke a secret. */
export interface Revocation {
  /** The name of the secret again. Required for `pepper`, because revoking it ends every API key and session, including the caller's own. */
  confirm?: string;
}

/** How to replace a secret. */
export interface Rotation {
  /** How long the old value stays valid, if this kind of secret has an overlap: 7 days at most. The default is one day over HTTP, and 0 otherwise. */
  overlap_seconds?: number;
  /** The new value of a secret that comes from outside. `master_key`, `pepper` and `audit_key` get random values. */
  value?: string;
}

/** Confirms that a secret was replaced or revoked. */
export interface SecretDone {
  name: string;
  done: string;
}

/** The state of a secret. */
export type SecretState = "valid" | "overlapping" | "expired" | "revoked";

/** Facts about a secret, without its value. */
export interface SecretStatus {
  /** Name to rotate or revoke it by. */
  name: string;
  /** `master_key`, `pepper`, `provider_token`, `stored`, `api_key`, `admin_key` or `audit_key`. */
  kind: string;
  /** Tells secrets of the same name apart. */
  id: string;
  /** The state of the secret. */
  state: SecretState;
  /** When it was made. For a key that is kept elsewhere, when it was first seen. */
  issued_at: string;
  /** When it must be replaced at the latest. After that it is `expired`, except a pepper, which stays in use. */
  rotate_by: string;
  /** Until when it is accepted after it was replaced. */
  overlap_until: string | null;
  /** When it was revoked. */
  revoked_at: string | null;
}

/** All secrets, without their values. */
export interface Secrets {
  secrets: SecretStatus[];
}

/** The generation session of the cookie. */
export interface SessionView {
  active: boolean;
  valid: boolean;
  expires_at: string;
}

/** The status of a task: `pending -> processing -> done | failed`, never backwards. */
export type Status = "pending" | "processing" | "done" | "failed";

/** The status of a task. */
export interface StatusView {
  task_id: string;
  status: Status;
  /** 0 to 100, never decreasing. */
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

/** The data that a page begins with. */
export interface Studio {
  /** Whether a session needs an access key. */
  sign_in_required: boolean;
  /** The browser's valid session; absent without one. */
  session: StudioSession | null;
  /** The catalog, as `/models` shows it; absent before signing in where that is required. */
  models: Model[] | null;
}

/** A valid session. */
export interface StudioSession {
  expires_at: string;
  /** Name of the access key that it was started with; empty when it was started without one. */
  name: string;
  /** The owner of the results that it shows; absent where everybody sees all. */
  owner: string | null;
}

/** A task that was accepted. */
export interface Submitted {
  task_id: string;
  status: Status;
}

/** The result of verifying the whole log. */
export interface Verdict {
  /** Whether the whole log is as it was written. */
  ok: boolean;
  /** Name of the log. */
  origin: string;
  /** Number of the first event that is still kept. */
  min_index: number;
  /** How many events were ever written. */
  size: number;
  /** Root hash of the tree over all events, in hexadecimal. */
  root: string;
  /** How many stored checkpoints were checked: all of them, unless a fault was found first. */
  checkpoints: number;
  /** How many checkpoints of the anchor file were compared. */
  anchors: number;
  /** The first fault; null when there is none. */
  fault: Fault | null;
}
