//! One event of the audit log, and its canonical form in bytes.

use super::tree::Hash;
use crate::error::{Error, ErrorCode, Result};
use crate::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Version of the canonical form of new events. Version 1 had `ts`, milliseconds since 1970, in place of `timestamp`, and no
/// `signed`.
const VERSION: u32 = 2;

/// Largest number of bytes of a leaf: entry bundles have 16 bits for the length.
const LARGEST_LEAF: usize = 65_535;

/// Largest number of characters of each text of an event; longer ones are cut, so that a caller's input cannot make an event fail.
const LONGEST_TEXT: usize = 512;

/// The outcome of the action that an event records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The action was done.
    Success,
    /// The action was tried and failed.
    Failure,
    /// The action was refused.
    Denied,
}

impl Outcome {
    /// Returns the name in the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Denied => "denied",
        }
    }
}

/// An event to write: who did what to what, from where, and with what outcome. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// Who: `key:ID`, `session:ID`, `admin:ID`, `system`, `anonymous`, or a name that the host gives.
    pub actor: String,
    /// From where: an address, `cli`, `host`, `internal`.
    pub source: String,
    /// What was done, such as `api_key_issue`.
    pub action: String,
    /// What it was done to, such as `key:ID`.
    pub target: String,
    /// Whether the action was done, failed, or was refused.
    pub outcome: Outcome,
    /// An id that links the event to a request. [`new_correlation_id`] makes one.
    pub correlation_id: String,
    /// More details by name; at most 32 entries are kept.
    pub details: BTreeMap<String, String>,
}

impl NewEvent {
    /// Makes an event of the platform itself.
    pub(crate) fn internal(action: &str, target: &str, outcome: Outcome) -> Self {
        Self {
            actor: "system".to_owned(),
            source: "internal".to_owned(),
            action: action.to_owned(),
            target: target.to_owned(),
            outcome,
            correlation_id: new_correlation_id(),
            details: BTreeMap::new(),
        }
    }

    /// Returns the event with one more detail.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.details.insert(name.to_owned(), value.to_string());
        self
    }
}

/// The person or program that an administrative call is made for. It goes into the audit event of the call.
///
/// ```
/// use must::audit::Caller;
///
/// let caller = Caller::new("deploy-script", "cli");
/// assert_eq!((caller.actor.as_str(), caller.source.as_str()), ("deploy-script", "cli"));
/// assert!(!caller.correlation_id.is_empty(), "it ties the events of one request together");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Caller {
    /// Who: `key:ID`, `admin:ID`, or a name that the host gives.
    pub actor: String,
    /// From where: an address, `cli`, `host`.
    pub source: String,
    /// An id that links the call to a request.
    pub correlation_id: String,
}

impl Caller {
    /// Makes a caller with a new correlation id.
    pub fn new(actor: impl Into<String>, source: impl Into<String>) -> Self {
        Self { actor: actor.into(), source: source.into(), correlation_id: new_correlation_id() }
    }

    /// Makes an event of this caller.
    pub(crate) fn event(&self, action: &str, target: impl Into<String>, outcome: Outcome) -> NewEvent {
        NewEvent {
            actor: self.actor.clone(),
            source: self.source.clone(),
            action: action.to_owned(),
            target: target.into(),
            outcome,
            correlation_id: self.correlation_id.clone(),
            details: BTreeMap::new(),
        }
    }
}

/// Makes a new id that links events to a request.
#[must_use]
pub fn new_correlation_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// One event of the log. Its JSON form, compact and in this order, is the leaf whose hash the tree holds. Events that were written
/// in version 1 are shown in this form, too, but their hash is over their own form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct AuditEvent {
    /// Version of the form that is hashed.
    v: u32,
    /// Number of the event, from 0, without gaps.
    pub seq: u64,
    /// The time of the event, in UTC.
    pub timestamp: Timestamp,
    /// Who did it.
    pub actor: String,
    /// Where the action came from.
    pub source: String,
    /// The action.
    pub action: String,
    /// What the action was applied to.
    pub target: String,
    /// The outcome.
    pub outcome: Outcome,
    /// An id that links the event to a request.
    pub correlation_id: String,
    /// More details by name.
    pub details: BTreeMap<String, String>,
    /// Leaf hash of the event before, in hexadecimal; zeros for the first.
    pub prev: String,
    /// How many events the newest checkpoint covered when this event was written, so that a missing checkpoint is detected. `None`
    /// in version 1.
    pub signed: Option<u64>,
}

/// The parts of an event in the order of its leaf, for both versions.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Leaf<'a> {
    v: u32,
    seq: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ts: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timestamp: Option<Cow<'a, str>>,
    actor: Cow<'a, str>,
    source: Cow<'a, str>,
    action: Cow<'a, str>,
    target: Cow<'a, str>,
    outcome: Outcome,
    correlation_id: Cow<'a, str>,
    details: Cow<'a, BTreeMap<String, String>>,
    prev: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signed: Option<u64>,
}

impl AuditEvent {
    /// Makes an event. `signed` is the size of the newest checkpoint.
    pub(super) fn new(event: NewEvent, seq: u64, at: Timestamp, prev: &Hash, signed: u64) -> Self {
        Self {
            v: VERSION,
            seq,
            timestamp: at,
            actor: cut(event.actor),
            source: cut(event.source),
            action: cut(event.action),
            target: cut(event.target),
            outcome: event.outcome,
            correlation_id: cut(event.correlation_id),
            details: event.details.into_iter().take(32).map(|(name, value)| (cut(name), cut(value))).collect(),
            prev: hex(prev),
            signed: Some(signed),
        }
    }

    /// Returns the canonical bytes.
    pub(super) fn to_leaf(&self) -> Result<Vec<u8>> {
        let required = [&self.actor, &self.source, &self.action, &self.target, &self.correlation_id];
        if required.iter().any(|text| text.is_empty()) {
            return Err(Error::validation(
                "an audit event needs actor, source, action, target and correlation_id, none of them empty",
            ));
        }
        let text = self.timestamp.to_string();
        // A time that cannot be read back could not be verified.
        if Timestamp::from_rfc3339(&text) != Some(self.timestamp) {
            return Err(Error::internal(format!("the clock's time cannot be written: {text}")));
        }
        let first = self.v == 1;
        let leaf = Leaf {
            v: self.v,
            seq: self.seq,
            ts: first.then_some(self.timestamp.0),
            timestamp: (!first).then_some(Cow::Owned(text)),
            actor: Cow::Borrowed(&self.actor),
            source: Cow::Borrowed(&self.source),
            action: Cow::Borrowed(&self.action),
            target: Cow::Borrowed(&self.target),
            outcome: self.outcome,
            correlation_id: Cow::Borrowed(&self.correlation_id),
            details: Cow::Borrowed(&self.details),
            prev: Cow::Borrowed(&self.prev),
            signed: self.signed,
        };
        let leaf = serde_json::to_vec(&leaf).map_err(|error| Error::internal(error.to_string()))?;
        if leaf.len() > LARGEST_LEAF {
            return Err(Error::new(ErrorCode::PayloadTooLarge, "the audit event is larger than 65,535 bytes"));
        }
        Ok(leaf)
    }

    /// Reads canonical bytes. Refuses every other form, even with the same meaning.
    pub(super) fn from_leaf(leaf: &[u8]) -> Result<Self> {
        let unreadable = || Error::new(ErrorCode::StorageCorrupt, "the event cannot be read");
        let read: Leaf<'_> = serde_json::from_slice(leaf).map_err(|_| unreadable())?;
        let timestamp = match (read.v, read.ts, &read.timestamp, read.signed) {
            (1, Some(ts), None, None) => Some(Timestamp(ts)),
            (VERSION, None, Some(text), Some(_)) => Timestamp::from_rfc3339(text),
            _ => None,
        };
        let event = Self {
            v: read.v,
            seq: read.seq,
            timestamp: timestamp.ok_or_else(unreadable)?,
            actor: read.actor.into_owned(),
            source: read.source.into_owned(),
            action: read.action.into_owned(),
            target: read.target.into_owned(),
            outcome: read.outcome,
            correlation_id: read.correlation_id.into_owned(),
            details: read.details.into_owned(),
            prev: read.prev.into_owned(),
            signed: read.signed,
        };
        if event.to_leaf()? != leaf {
            return Err(Error::new(ErrorCode::StorageCorrupt, "the event is not in its canonical form"));
        }
        Ok(event)
    }
}

fn cut(mut text: String) -> String {
    if let Some((at, _)) = text.char_indices().nth(LONGEST_TEXT) {
        text.truncate(at);
    }
    text
}

/// Returns bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
