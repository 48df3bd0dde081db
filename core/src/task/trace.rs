//! The place of a task in a distributed trace (W3C trace context). It is stored with the task, so that every run of it belongs to
//! the same trace: now or after a restart, here or at a worker.
//!
//! <https://www.w3.org/TR/trace-context/#traceparent-header>

use crate::error::Result;
use crate::store::Migration;
use rusqlite::{Connection, OptionalExtension as _, params};
use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) const MIGRATION: Migration = Migration { name: "trace", sql: "ALTER TABLE task ADD COLUMN trace TEXT;" };

/// The header `traceparent`, which names a trace and the span in it that a request came from.
///
/// ```
/// use must::{SubmitOptions, TraceParent};
///
/// let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// let trace = TraceParent::parse(header).expect("it is well-formed");
/// assert_eq!(trace.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
/// let options = SubmitOptions::default().trace_parent(Some(trace));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String", inline)]
pub struct TraceParent {
    trace_id: String,
    parent_id: String,
    flags: String,
}

impl TraceParent {
    /// Parses the header. Returns `None` if it is malformed.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split('-');
        let (version, trace_id, parent_id, flags) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let hex = |text: &str, length: usize| {
            text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let not_zero = |text: &str| text.bytes().any(|byte| byte != b'0');
        // Later versions may have more fields after these.
        let valid = hex(version, 2) && version != "ff" && (version != "00" || fields.next().is_none());
        let valid = valid
            && hex(trace_id, 32)
            && not_zero(trace_id)
            && hex(parent_id, 16)
            && not_zero(parent_id)
            && hex(flags, 2);
        let owned = || Self { trace_id: trace_id.to_owned(), parent_id: parent_id.to_owned(), flags: flags.to_owned() };
        valid.then(owned)
    }

    /// Returns the id of the trace: 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> &str {
        &self.trace_id
    }

    /// Returns the id of the span that the request came from: 16 hexadecimal digits.
    #[must_use]
    pub fn parent_id(&self) -> &str {
        &self.parent_id
    }
}

impl TryFrom<String> for TraceParent {
    type Error = &'static str;

    fn try_from(text: String) -> std::result::Result<Self, Self::Error> {
        Self::parse(&text).ok_or("it is not a header traceparent of W3C trace context")
    }
}

impl std::fmt::Display for TraceParent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "00-{}-{}-{}", self.trace_id, self.parent_id, self.flags)
    }
}

/// Stores a task's trace.
pub(super) fn keep(connection: &Connection, task: &str, trace: &TraceParent) -> Result<()> {
    connection.prepare_cached("UPDATE task SET trace = ? WHERE id = ?")?.execute(params![trace.to_string(), task])?;
    Ok(())
}

/// Returns a task's trace.
pub(super) fn get(connection: &Connection, task: &str) -> Result<Option<TraceParent>> {
    let mut statement = connection.prepare_cached("SELECT trace FROM task WHERE id = ?")?;
    let text: Option<Option<String>> = statement.query_row([task], |row| row.get(0)).optional()?;
    Ok(text.flatten().and_then(|text| TraceParent::parse(&text)))
}

#[cfg(test)]
mod tests {
    use super::TraceParent;

    #[test]
    fn malformed_headers_are_refused() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let read = TraceParent::parse(good).unwrap();
        assert_eq!((read.trace_id(), read.parent_id()), ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"));
        assert_eq!(read.to_string(), good);
        assert!(TraceParent::parse(&format!("01{}-more", &good[2..])).is_some(), "a later version");
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceParent::parse(bad), None, "{bad}");
        }
    }
}
