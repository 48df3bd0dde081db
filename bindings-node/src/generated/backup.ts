// Made from the table in core/src/platform/calls by `cargo xtask regen`. Do not edit.

// A copy of the data folder that is made while the platform is running.

import { invoke, optionsOf } from "../administration";
import type { CallerOptions } from "../administration";
import type { Calls } from "../calls";
import { pathArgument } from "../request";

/** A finished backup: where it is and what it contains. */
export interface Backup {
  /** The folder of the backup. It opens as a data folder. */
  folder: string;
  /** Size of the database in bytes. */
  database_bytes: number;
  /** Number of tasks, of every status. */
  tasks: number;
  /** Number of result and preview files. */
  files: number;
  /** Total size of these files in bytes. */
  file_bytes: number;
  /** Number of files that finished tasks refer to but that the platform no longer has. */
  missing_files: number;
  /** Number of events in the audit log. */
  audit_events: number;
  /** Whether the audit log in the backup is complete and unchanged. */
  audit_ok: boolean;
  /** Key files that the backup needs but does not contain. Empty if no key is kept in a file. */
  key_files: string[];
}

/**
 * Copies the data folder into a new or empty folder while the platform is running, and checks the copy. To restore, open the copy as
 * a data folder. The key files are not in the copy and are needed too.
 * @param folder A folder outside the data folder that does not exist yet or is empty.
 * @throws MustError `validation_error` if the folder is not empty or is inside the data folder; `storage_full`; `storage_corrupt` if
 * the database is damaged; `dependency_unavailable` if the folder cannot be written.
 */
export async function backup(calls: Calls, folder: string | URL, options?: CallerOptions): Promise<Backup> {
  const { caller } = optionsOf(options);
  return invoke(calls, "backup", { folder: pathArgument("folder", folder), caller });
}
