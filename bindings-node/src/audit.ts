/** How to rotate the key that signs the log. */
export interface RotateAuditKeyOptions extends CallerOptions {
  /** How long the old key signs too; 24 hours when absent. */
  overlapMs?: number | undefined;
}

/** The audit log: who did what, in a tree of hashes under signed checkpoints. */

import { invoke, optionsOf, seconds, type CallerOptions } from "./administration";
import type { Calls } from "./calls";
import { validation } from "./errors";
import { pathArgument, textArgument } from "./request";

export type Outcome = "success" | "failure" | "denied";

/** What is to be written. Must hold no secret. */
export interface NewAuditEvent {
  actor: string;
  source: string;
  action: string;
  target: string;
  outcome: Outcome;
  /** A new one when absent. */
  correlation_id?: string | undefined;
  details?: Record<string, string> | undefined;
}

/** One event of the log. */
export interface AuditEvent {
  /** Version of the form. */
  v: number;
  /** Number of the event, from 0, without gaps. */
  seq: number;
  /** When: RFC 3339 in UTC. */
  timestamp: string;
  actor: string;
  source: string;
  action: string;
  target: string;
  outcome: Outcome;
  correlation_id: string;
  details: Record<string, string>;
  /** Leaf hash of the event before. */
  prev: string;
  /** How many events the newest checkpoint was over when this one was written; null in version 1 of the form. */
  signed: number | null;
}

/** Which events to list; the newest when nothing is said. */
export interface AuditQuery {
  /** Only events with a smaller number: `next` of the page before. */
  before?: number | undefined;
  /** 100 when absent, at most 1,000. */
  limit?: number | undefined;
  actor?: string | undefined;
  action?: string | undefined;
  outcome?: Outcome | undefined;
  /** Only from this moment on: as events say it, or milliseconds since 1970. */
  since?: string | number | undefined;
  /** Only before this moment. */
  until?: string | number | undefined;
}

/** A page of events, newest first. */
export interface AuditPage {
  logs: AuditEvent[];
  /** `before` of the next page; null after the last. */
  next: number | null;
}

/** Whether the log is whole. */
export interface AuditVerdict {
  ok: boolean;
  origin: string;
  min_index: number;
  size: number;
  root: string;
  /** Stored checkpoints that were checked: every one. */
  checkpoints: number;
  /** Checkpoints of the anchor file that were compared. */
  anchors: number;
  fault: { seq: number; damage: string; detail: string } | null;
}

export interface InclusionProof {
  index: number;
  leaf: string;
  proof: string[];
  checkpoint: string;
  /** A `.tlog-proof` file. */
  text: string;
}

export interface ConsistencyProof {
  old_size: number;
  old_root: string;
  proof: string[];
  checkpoint: string;
}

export interface AuditExport {
  folder: string;
  size: number;
  min_index: number;
  files: number;
  verifier: string;
}

/** The audit log. */
export class Audit {
  readonly #calls: Calls;

  /** @internal */
  constructor(calls: Calls) {
    this.#calls = calls;
  }

  /** Writes an event of the host's own. */
  async append(event: NewAuditEvent): Promise<AuditEvent> {
    return invoke(this.#calls, "audit.append", { ...objectOf("the event", event) });
  }

  /** A page of events. */
  async list(query: AuditQuery = {}, options?: CallerOptions): Promise<AuditPage> {
    return invoke(this.#calls, "audit.list", { ...objectOf("the query", query), caller: optionsOf(options).caller });
  }

  /** Reads the whole log and says whether it is as it was written. */
  verify(): Promise<AuditVerdict> {
    return invoke(this.#calls, "audit.verify");
  }

  /** Proves that an event is in the log. */
  proveInclusion(index: number): Promise<InclusionProof> {
    return invoke(this.#calls, "audit.prove_inclusion", { index });
  }

  /** Proves that the log only grew since it had `oldSize` events. */
  proveConsistency(oldSize: number): Promise<ConsistencyProof> {
    return invoke(this.#calls, "audit.prove_consistency", { old_size: oldSize });
  }

  /** Writes the log into a folder that others can check. */
  async export(folder: string, options?: CallerOptions): Promise<AuditExport> {
    return invoke(this.#calls, "audit.export", { folder: pathArgument("the folder", folder), caller: optionsOf(options).caller });
  }

  /** Removes events older than `ageMs`, 90 days or more; proofs of the others stay good. */
  async prune(ageMs: number, options?: CallerOptions): Promise<{ removed: number; min_index: number }> {
    if (ageMs === undefined) throw validation("ageMs is required");
    return invoke(this.#calls, "audit.prune", { age: seconds("ageMs", ageMs), caller: optionsOf(options).caller });
  }

  /** The newest signed checkpoint. */
  checkpoint(): Promise<string | null> {
    return invoke(this.#calls, "audit.checkpoint");
  }

  /** The key to check checkpoints with. */
  verifier(): Promise<string> {
    return invoke(this.#calls, "audit.verifier");
  }

  /** Signs with a new key from now on; the old key signs too for a while. */
  async rotateKey(options?: RotateAuditKeyOptions): Promise<AuditEvent> {
    const { caller, overlapMs } = optionsOf(options);
    return invoke(this.#calls, "audit.rotate_key", { overlap: seconds("overlapMs", overlapMs), caller });
  }

  /** Goes on after damage that `verify` found, and writes down why. */
  async recover(reason: string, options?: CallerOptions): Promise<AuditEvent> {
    return invoke(this.#calls, "audit.recover", { reason: textArgument("the reason", reason), caller: optionsOf(options).caller });
  }
}

function objectOf(what: string, value: object): object {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw validation(`${what} must be an object`);
  return value;
}
