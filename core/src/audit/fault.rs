//! The ways in which a log can be damaged.

use schemars::JsonSchema;
use serde::Serialize;

/// A kind of damage to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Damage {
    /// An event is missing.
    Missing,
    /// An event does not match its hash.
    Altered,
    /// An event does not follow the one before it.
    BrokenChain,
    /// An event is older than the one before it.
    TimeReversed,
    /// The stored tree does not match the events.
    Tree,
    /// A checkpoint is missing or was changed, does not match these events, or was not signed with a key of this log.
    Checkpoint,
    /// Events at the end are missing.
    Truncated,
    /// The log is not the one that was anchored.
    Rewritten,
    /// The database's own check fails, so lists of events may be incomplete.
    Storage,
}

/// The first fault in a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Fault {
    /// Number of the damaged event. If only a range is known, this is its first event. For a damaged checkpoint it is usually the last
    /// event that the checkpoint covers.
    pub seq: u64,
    /// The kind of damage.
    pub damage: Damage,
    /// A description of the fault.
    pub detail: String,
}
