//! How a log can be damaged.

use schemars::JsonSchema;
use serde::Serialize;

/// How the log was found to be damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Damage {
    /// An event is not there.
    Missing,
    /// An event is not what its hash says.
    Altered,
    /// An event does not follow the one before it.
    BrokenChain,
    /// An event is older than the one before it.
    TimeReversed,
    /// The stored tree is not that of the events.
    Tree,
    /// A checkpoint is gone, was changed, is not one of these events, or was not signed with a key of this log.
    Checkpoint,
    /// Events at the end are gone.
    Truncated,
    /// The log is not the one that was anchored.
    Rewritten,
    /// The database's own check fails: lists of events may lack some.
    Storage,
}

/// The first thing that is wrong with a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Fault {
    /// Number of the event at fault. Where only a range is known to hold it, the first of the range; of a checkpoint, the last event
    /// that it is over.
    pub seq: u64,
    /// What kind of damage it is.
    pub damage: Damage,
    /// What was found.
    pub detail: String,
}
