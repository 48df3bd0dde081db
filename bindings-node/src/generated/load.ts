// Made from types in core/src by `cargo xtask regen`. Do not edit.

// The load of a platform.

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

/** The load of the lanes. */
export interface Load {
  /** Every lane. The shared lane is the last. */
  lanes: LaneStatus[];
  /** Number of tasks that wait for a lane. */
  waiting: number;
}
