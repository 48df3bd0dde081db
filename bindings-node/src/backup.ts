/** A copy of the data folder that is made while the platform works. */

import { invoke, optionsOf, type CallerOptions } from "./administration";
import type { Calls } from "./calls";
import { pathArgument } from "./request";

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
  /** Key files that are needed to use it and are not in it. */
  key_files: string[];
}

export async function backup(calls: Calls, folder: string, options?: CallerOptions): Promise<Backup> {
  return invoke(calls, "backup", { folder: pathArgument("the folder", folder), caller: optionsOf(options).caller });
}
