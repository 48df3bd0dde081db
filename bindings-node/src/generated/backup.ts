// Made from the table in core/src/platform/calls by `cargo xtask regen`. Do not edit.

// A copy of the data folder that is made while the platform works.

import { invoke, optionsOf } from "../administration";
import type { CallerOptions } from "../administration";
import type { Calls } from "../calls";
import { pathArgument } from "../request";

/** What a backup holds. */
export interface Backup {
  /** Where it is: a folder that opens as a data folder. */
  folder: string;
  /** Bytes of the database. */
  database_bytes: number;
  /** Tasks of every status. */
  tasks: number;
  /** Files of results and previews. */
  files: number;
  /** Bytes of these. */
  file_bytes: number;
  /** Files that finished tasks name and that the platform itself no longer has. */
  missing_files: number;
  /** Events of the audit log. */
  audit_events: number;
  /** Whether the audit log in it is whole. */
  audit_ok: boolean;
  /** Key files that are needed to use it and are not in it; empty when the keys are kept elsewhere than in files. */
  key_files: string[];
}

/**
 * Copies the data folder into a new or empty folder while the platform works, and checks the copy. To restore, open the folder as a
 * data folder, with the key files, which are not in it.
 * @param folder A folder that is not there yet or is empty, outside the data folder.
 * @throws MustError `validation_error` for a folder that holds something or is inside the data folder; `storage_full`;
 * `storage_corrupt` when the database is damaged; `dependency_unavailable` when the folder cannot be written.
 */
export async function backup(calls: Calls, folder: string | URL, options?: CallerOptions): Promise<Backup> {
  const { caller } = optionsOf(options);
  return invoke(calls, "backup", { folder: pathArgument("folder", folder), caller });
}
