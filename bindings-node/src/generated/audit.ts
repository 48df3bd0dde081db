// Made from the table in core/src/platform/calls by `cargo xtask regen`. Do not edit.

// The audit log: who did what, each event tied to all before it and signed.

import { invoke, objectOf, optionsOf, seconds } from "../administration";
import type { CallerOptions } from "../administration";
import type { Calls } from "../calls";
import { pathArgument, textArgument } from "../request";

/**
 * The outcome of the action that an event records.
 * - `success`: The action was done.
 * - `failure`: The action was tried and failed.
 * - `denied`: The action was refused.
 */
export type Outcome = "success" | "failure" | "denied";

/**
 * One event of the log. Its JSON form, compact and in this order, is the leaf whose hash the tree holds. Events that were written in
 * version 1 are shown in this form, too, but their hash is over their own form.
 */
export interface AuditEvent {
  /** Version of the form that is hashed. */
  v: number;
  /** Number of the event, from 0, without gaps. */
  seq: number;
  /** When, in UTC. */
  timestamp: string;
  /** Who did it. */
  actor: string;
  /** From where. */
  source: string;
  /** What was done. */
  action: string;
  /** What it was done to. */
  target: string;
  /** The outcome. */
  outcome: Required<Outcome>;
  /** Ties the event to a request. */
  correlation_id: string;
  /** More details by name. */
  details: Record<string, string>;
  /** Leaf hash of the event before, in hexadecimal; zeros for the first. */
  prev: string;
  /**
   * How many events the newest checkpoint covered when this event was written, so that a missing checkpoint is detected. `None` in
   * version 1.
   */
  signed: number | null;
}

/** A page of events, newest first. */
export interface AuditPage {
  /** The events. */
  logs: AuditEvent[];
  /** The value of `before` for the next page; `None` on the last page. */
  next: number | null;
}

/**
 * A kind of damage to the log.
 * - `missing`: An event is missing.
 * - `altered`: An event does not match its hash.
 * - `broken_chain`: An event does not follow the one before it.
 * - `time_reversed`: An event is older than the one before it.
 * - `tree`: The stored tree does not match the events.
 * - `checkpoint`: A checkpoint is missing or was changed, does not match these events, or was not signed with a key of this log.
 * - `truncated`: Events at the end are missing.
 * - `rewritten`: The log is not the one that was anchored.
 * - `storage`: The database's own check fails, so lists of events may be incomplete.
 */
export type Damage = "missing" | "altered" | "broken_chain" | "time_reversed" | "tree" | "checkpoint" | "truncated" | "rewritten" | "storage";

/** The first fault in a log. */
export interface Fault {
  /** Number of the damaged event. Where only a range is known, its first event; for a checkpoint, the last event that it covers. */
  seq: number;
  /** The kind of damage. */
  damage: Damage;
  /** A description of the fault. */
  detail: string;
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

/** That an event is in the log (RFC 6962, 2.1.1). */
export interface InclusionProof {
  /** Number of the event. */
  index: number;
  /** The event's canonical bytes, as text. */
  leaf: string;
  /** Hashes from the leaf to the root, in base64. */
  proof: string[];
  /** Signed checkpoint that the proof ends in. */
  checkpoint: string;
  /** The same as the text of a `.tlog-proof` file. */
  text: string;
}

/** Proves that the log only grew (RFC 6962, 2.1.2). */
export interface ConsistencyProof {
  /** How many events the old log had. */
  old_size: number;
  /** Root hash of the old log, in hexadecimal. */
  old_root: string;
  /** Hashes from the old root to the new one, in base64. */
  proof: string[];
  /** The signed checkpoint whose root the proof gives. */
  checkpoint: string;
}

/** A copy of the log that can be verified without the platform. */
export interface Exported {
  /** The folder of the copy. */
  folder: string;
  /** How many events were ever written. */
  size: number;
  /** Number of the first event in it. */
  min_index: number;
  /** How many files it has. */
  files: number;
  /** The key that verifies its signatures. */
  verifier: string;
}

/** The result of pruning. */
export interface Pruned {
  /** How many events were removed. */
  removed: number;
  /** Number of the first event that is still kept. */
  min_index: number;
}

/** An event of the host's own, to be written. It must hold no secret. */
export interface NewAuditEvent {
  /** Who. */
  actor: string;
  /** From where: an address, `cli`, `host`. */
  source: string;
  /** What was done. */
  action: string;
  /** To what. */
  target: string;
  /** How it went. */
  outcome: Outcome;
  /** What ties it to a request; a new one when left out. */
  correlation_id?: string | undefined;
  /** More about it. */
  details?: Record<string, string> | undefined;
}

/** Which events to list; the newest when nothing is said. */
export interface AuditQuery {
  /** Only events with a smaller number: `next` of the page before. */
  before?: number | undefined;
  /** How many at most: 100 when left out, 1,000 at most. */
  limit?: number | undefined;
  /** Only of this actor. */
  actor?: string | undefined;
  /** Only this action. */
  action?: string | undefined;
  /** Only this outcome. */
  outcome?: Outcome | undefined;
  /** Only from this moment on: as events say it, or in milliseconds since 1970. */
  since?: string | number | undefined;
  /** Only before this moment. */
  until?: string | number | undefined;
}

/** How to make the call `audit.rotate_key`. */
export interface RotateAuditKeyOptions extends CallerOptions {
  /** How long the old key signs too; 24 hours when left out. */
  overlapSeconds?: number | undefined;
}

/** The audit log. */
export class Audit {
  readonly #calls: Calls;

  /** @internal */
  constructor(calls: Calls) {
    this.#calls = calls;
  }

  /**
   * Writes an event of the host's own, and gives it once it is durable, signed and anchored. It must hold no secret.
   * @throws MustError `validation_error` for an event that lacks a required part.
   */
  async append(event: NewAuditEvent): Promise<AuditEvent> {
    return invoke(this.#calls, "audit.append", { ...objectOf("the event", event) });
  }

  /**
   * Some events, newest first. Reading the log is itself logged.
   * @throws MustError `validation_error` for a limit of more than 1,000.
   */
  async list(query: AuditQuery = {}, options?: CallerOptions): Promise<AuditPage> {
    const { caller } = optionsOf(options);
    return invoke(this.#calls, "audit.list", { ...objectOf("the query", query), caller });
  }

  /** Reads the whole log and compares it with its hashes, signatures and anchors. A log that is damaged is no error. */
  async verify(): Promise<Verdict> {
    return invoke(this.#calls, "audit.verify");
  }

  /**
   * Proves that an event is in the log.
   * @param index Number of the event.
   * @throws MustError `not_found` for one that is not there or was pruned.
   */
  async proveInclusion(index: number): Promise<InclusionProof> {
    return invoke(this.#calls, "audit.prove_inclusion", { index });
  }

  /**
   * Proves that the log only grew since it had `old_size` events.
   * @param oldSize How many events the log had.
   * @throws MustError `validation_error` when there are not so many; `not_found` when they were pruned.
   */
  async proveConsistency(oldSize: number): Promise<ConsistencyProof> {
    return invoke(this.#calls, "audit.prove_consistency", { old_size: oldSize });
  }

  /**
   * Writes a copy of the log into a new or empty folder, as static files that other tools verify.
   * @param folder A folder that is not there yet, or is empty.
   * @throws MustError `validation_error` when the folder is not empty; `dependency_unavailable` when it cannot be written.
   */
  async export(folder: string | URL, options?: CallerOptions): Promise<Exported> {
    const { caller } = optionsOf(options);
    return invoke(this.#calls, "audit.export", { folder: pathArgument("folder", folder), caller });
  }

  /**
   * Removes old events, in whole bundles of 256; what is left can still be verified.
   * @param ageSeconds How old events must be to be removed: 90 days or more.
   * @throws MustError `validation_error` for an age of less than 90 days; `dependency_unavailable` when the log is damaged.
   */
  async prune(ageSeconds: number, options?: CallerOptions): Promise<Pruned> {
    const { caller } = optionsOf(options);
    return invoke(this.#calls, "audit.prune", { age_seconds: seconds("ageSeconds", ageSeconds), caller });
  }

  /** The newest signed checkpoint; null when the log is empty. */
  async checkpoint(): Promise<string | null> {
    return invoke(this.#calls, "audit.checkpoint");
  }

  /** The key that verifies the log's signatures. */
  async verifier(): Promise<string> {
    return invoke(this.#calls, "audit.verifier");
  }

  /**
   * Signs with a new key from now on, and gives the event that says so.
   * @throws MustError `validation_error` when the host keeps the keys and has put no newer one in place, or for an overlap of more
   * than 7 days.
   */
  async rotateKey(options?: RotateAuditKeyOptions): Promise<AuditEvent> {
    const { overlapSeconds, caller } = optionsOf(options);
    const given = { overlap_seconds: seconds("overlapSeconds", overlapSeconds), caller };
    return invoke(this.#calls, "audit.rotate_key", given);
  }

  /**
   * Goes on with a log that is not as it was anchored, which stays as it is, and gives the event that says why.
   * @param reason Why, for the log.
   * @throws MustError `invalid_state` when nothing is wrong.
   */
  async recover(reason: string, options?: CallerOptions): Promise<AuditEvent> {
    const { caller } = optionsOf(options);
    return invoke(this.#calls, "audit.recover", { reason: textArgument("reason", reason), caller });
  }
}
