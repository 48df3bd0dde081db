//! A query for events, and a page of them.

use super::event::{AuditEvent, Outcome};
use schemars::JsonSchema;
use serde::Serialize;

/// Selects events; they are listed newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// Only events with a smaller number: the `next` of the previous page.
    pub before: Option<u64>,
    /// The most events on the page: 0 means 100, and 1000 is the maximum.
    pub limit: u32,
    /// Only this actor.
    pub actor: Option<String>,
    /// Only this action.
    pub action: Option<String>,
    /// Only this outcome.
    pub outcome: Option<Outcome>,
    /// Only events at or after this time, in milliseconds since 1970.
    pub since: Option<i64>,
    /// Only events before this time, in milliseconds since 1970.
    pub until: Option<i64>,
}

/// A page of events, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AuditPage {
    /// The events.
    pub logs: Vec<AuditEvent>,
    /// The value of `before` for the next page. Null on the last page.
    pub next: Option<u64>,
}
