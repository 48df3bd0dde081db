//! Which events are listed, and a page of them.

use super::event::{AuditEvent, Outcome};
use schemars::JsonSchema;
use serde::Serialize;

/// Which events to list, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// Only events with a smaller number: the `next` of the page before.
    pub before: Option<u64>,
    /// At most so many; 100 when 0, 1000 at most.
    pub limit: u32,
    /// Only this actor.
    pub actor: Option<String>,
    /// Only this action.
    pub action: Option<String>,
    /// Only this outcome.
    pub outcome: Option<Outcome>,
    /// Only events at or after this time, in milliseconds since 1970.
    pub since: Option<i64>,
    /// Only events before this time.
    pub until: Option<i64>,
}

/// Some events, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AuditPage {
    /// The events.
    pub logs: Vec<AuditEvent>,
    /// What to give as `before` for the next page; none on the last.
    pub next: Option<u64>,
}
