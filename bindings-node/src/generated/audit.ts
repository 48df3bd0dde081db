// Made from the table in core/src/platform/calls by `cargo xtask regen`. Do not edit.

// The audit log: who did what. Each event is signed and linked to all earlier ones.

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
  outcome: Required<Outcome>;
  /** An id that links the event to a request. */
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
  /** The value of `before` for the next page. Null on the last page. */
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
  /**
   * Number of the damaged event. If only a range is known, this is its first event. For a damaged checkpoint it is usually the last
   * event that the checkpoint covers.
   */
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

/** A proof that an event is in the log (RFC 6962, 2.1.1). */
export interface InclusionProof {
  /** Number of the event. */
  index: number;
  /** The event's canonical bytes, as text. */
  leaf: string;
  /** Hashes from the leaf to the root, in base64. */
  proof: string[];
  /** The signed checkpoint with the root that the proof leads to. */
  checkpoint: string;
  /** The same proof as the text of a `.tlog-proof` file. */
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
  /** Number of the first event in the copy. */
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

/** An event of the host to write. It must contain no secret. */
export interface NewAuditEvent {
  /** Who did it. */
  actor: string;
  /** Where the action came from: an address, `cli`, `host`. */
  source: string;
  /** The action. */
  action: string;
  /** What the action was applied to. */
  target: string;
  /** The outcome of the action. */
  outcome: Outcome;
  /** An id that links the event to a request. The default is a new id. */
  correlation_id?: string | undefined;
  /** More information by name. */
  details?: Record<string, string> | undefined;
}

/** Which events to list. Without any condition these are the newest ones. */
export interface AuditQuery {
  /** Only events with a smaller number. Give `next` of the previous page. */
  before?: number | undefined;
  /** The largest number of events to return, at most 1,000. The default is 100. */
  limit?: number | undefined;
  /** Only events of this actor. */
  actor?: string | undefined;
  /** Only events with this action. */
  action?: string | undefined;
  /** Only events with this outcome. */
  outcome?: Outcome | undefined;
  /** Only events at or after this time, in the form of `timestamp` or in milliseconds since 1970. */
  since?: string | number | undefined;
  /** Only events before this time. */
  until?: string | number | undefined;
}

/** How to make the call `audit.rotate_key`. */
export interface RotateAuditKeyOptions extends CallerOptions {
  /** How long the old key also signs. The default is 24 hours. */
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
   * Writes an event of the host, and returns it when it is durable, signed and anchored. It must contain no secret.
   * @throws MustError `validation_error` if a required part of the event is missing.
   */
  async append(event: NewAuditEvent): Promise<AuditEvent> {
    return invoke(this.#calls, "audit.append", { ...objectOf("the event", event) });
  }

  /**
   * Lists a page of events, newest first. This call is itself logged.
   * @throws MustError `validation_error` if the limit is more than 1,000.
   */
  async list(query: AuditQuery = {}, options?: CallerOptions): Promise<AuditPage> {
    const { caller } = optionsOf(options);
    return invoke(this.#calls, "audit.list", { ...objectOf("the query", query), caller });
  }

  /**
   * Reads the whole log and compares it with its hashes, signatures and anchors. The answer says whether the log is damaged; damage is
   * not an error of the call.
   */
  async verify(): Promise<Verdict> {
    return invoke(this.#calls, "audit.verify");
  }

  /**
   * Proves that an event is in the log.
   * @param index Number of the event.
   * @throws MustError `not_found` if the event does not exist or was pruned.
   */
  async proveInclusion(index: number): Promise<InclusionProof> {
    return invoke(this.#calls, "audit.prove_inclusion", { index });
  }

  /**
   * Proves that the log has only grown since it had `old_size` events.
   * @param oldSize The number of events that the log had.
   * @throws MustError `validation_error` if the log has fewer events; `not_found` if they were pruned.
   */
  async proveConsistency(oldSize: number): Promise<ConsistencyProof> {
    return invoke(this.#calls, "audit.prove_consistency", { old_size: oldSize });
  }

  /**
   * Writes a copy of the log into a new or empty folder, as static files that other tools can verify.
   * @param folder A folder that does not exist yet or is empty.
   * @throws MustError `validation_error` if the folder is not empty; `dependency_unavailable` if it cannot be written.
   */
  async export(folder: string | URL, options?: CallerOptions): Promise<Exported> {
    const { caller } = optionsOf(options);
    return invoke(this.#calls, "audit.export", { folder: pathArgument("folder", folder), caller });
  }

  /**
   * Removes old events in whole bundles of 256. The remaining events can still be verified.
   * @param ageSeconds The age from which events are removed: 90 days or more.
   * @throws MustError `validation_error` if the age is less than 90 days; `dependency_unavailable` if the log is damaged.
   */
  async prune(ageSeconds: number, options?: CallerOptions): Promise<Pruned> {
    const { caller } = optionsOf(options);
    return invoke(this.#calls, "audit.prune", { age_seconds: seconds("ageSeconds", ageSeconds), caller });
  }

  /** Returns the newest signed checkpoint, or null if the log is empty. */
  async checkpoint(): Promise<string | null> {
    return invoke(this.#calls, "audit.checkpoint");
  }

  /** Returns the key that verifies the signatures of the log. */
  async verifier(): Promise<string> {
    return invoke(this.#calls, "audit.verifier");
  }

  /**
   * Changes the key that signs the log, and returns the event about it.
   * @throws MustError `validation_error` if the host keeps the keys and has not added a newer one, or if the overlap is more than 7
   * days.
   */
  async rotateKey(options?: RotateAuditKeyOptions): Promise<AuditEvent> {
    const { overlapSeconds, caller } = optionsOf(options);
    const given = { overlap_seconds: seconds("overlapSeconds", overlapSeconds), caller };
    return invoke(this.#calls, "audit.rotate_key", given);
  }

  /**
   * Accepts a log that differs from its anchors, so that writing can continue, and returns the event with the reason. The log itself
   * is not changed.
   * @param reason The reason, which is written into the log.
   * @throws MustError `invalid_state` if the log agrees with its anchors.
   */
  async recover(reason: string, options?: CallerOptions): Promise<AuditEvent> {
    const { caller } = optionsOf(options);
    return invoke(this.#calls, "audit.recover", { reason: textArgument("reason", reason), caller });
  }
}
