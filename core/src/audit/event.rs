//! One event of the audit log, and its one canonical form as bytes.

use super::tree::Hash;
use crate::error::{Error, ErrorCode, Result};
use crate::task::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the canonical form.
const VERSION: u32 = 1;

/// Most bytes of a leaf: entry bundles count them in 16 bits.
const LARGEST_LEAF: usize = 65_535;

/// Most characters of each text of an event; longer ones are cut, so that a caller's input cannot make an event fail.
const LONGEST_TEXT: usize = 512;

/// How what an event tells of went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was tried and failed.
    Failure,
    /// It was refused.
    Denied,
}

impl Outcome {
    /// The name in the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Denied => "denied",
        }
    }
}

/// What is to be written: who did what to what, from where, and how it went. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// Who: `key:ID`, `session:ID`, `admin:ID`, `system`, `anonymous`, or a name that the host gives.
    pub actor: String,
    /// From where: an address, `cli`, `host`, `internal`.
    pub source: String,
    /// What was done, such as `api_key_issue`.
    pub action: String,
    /// To what.
    pub target: String,
    /// How it went.
    pub outcome: Outcome,
    /// What ties it to a request.
    pub correlation_id: String,
    /// More about it.
    pub details: BTreeMap<String, String>,
}

impl NewEvent {
    /// An event of the platform itself.
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

    /// The same event with one more detail.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.details.insert(name.to_owned(), value.to_string());
        self
    }
}

/// On whose behalf an administrative call is made; goes into the audit event of the call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Caller {
    /// Who: `key:ID`, `admin:ID`, or a name that the host gives.
    pub actor: String,
    /// From where: an address, `cli`, `host`.
    pub source: String,
    /// What ties the call to a request.
    pub correlation_id: String,
}

impl Caller {
    /// A caller with a correlation id of its own.
    pub fn new(actor: impl Into<String>, source: impl Into<String>) -> Self {
        Self { actor: actor.into(), source: source.into(), correlation_id: new_correlation_id() }
    }

    /// An event of this caller.
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

/// A new id to tie events to a request.
#[must_use]
pub fn new_correlation_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// One event of the log. Its JSON form, compact and in this order, is the leaf whose hash the tree holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct AuditEvent {
    /// Version of this form.
    v: u32,
    /// Number of the event, from 0, without gaps.
    pub seq: u64,
    /// When, in milliseconds since 1970, UTC.
    pub ts: i64,
    /// Who.
    pub actor: String,
    /// From where.
    pub source: String,
    /// What was done.
    pub action: String,
    /// To what.
    pub target: String,
    /// How it went.
    pub outcome: Outcome,
    /// What ties it to a request.
    pub correlation_id: String,
    /// More about it.
    pub details: BTreeMap<String, String>,
    /// Leaf hash of the event before, in hexadecimal; zeros for the first.
    pub prev: String,
}

impl AuditEvent {
    pub(super) fn new(event: NewEvent, seq: u64, at: Timestamp, prev: &Hash) -> Self {
        Self {
            v: VERSION,
            seq,
            ts: at.0,
            actor: cut(event.actor),
            source: cut(event.source),
            action: cut(event.action),
            target: cut(event.target),
            outcome: event.outcome,
            correlation_id: cut(event.correlation_id),
            details: event.details.into_iter().take(32).map(|(name, value)| (cut(name), cut(value))).collect(),
            prev: hex(prev),
        }
    }

    /// The canonical bytes.
    pub(super) fn to_leaf(&self) -> Result<Vec<u8>> {
        let required = [&self.actor, &self.source, &self.action, &self.target, &self.correlation_id];
        if required.iter().any(|text| text.is_empty()) {
            return Err(Error::validation(
                "an audit event needs actor, source, action, target and correlation_id, none of them empty",
            ));
        }
        let leaf = serde_json::to_vec(self).map_err(|error| Error::internal(error.to_string()))?;
        if leaf.len() > LARGEST_LEAF {
            return Err(Error::new(ErrorCode::PayloadTooLarge, "the audit event is larger than 65,535 bytes"));
        }
        Ok(leaf)
    }

    /// Reads canonical bytes; anything else that would mean the same is refused.
    pub(super) fn from_leaf(leaf: &[u8]) -> Result<Self> {
        let event: Self = serde_json::from_slice(leaf)
            .map_err(|_| Error::new(ErrorCode::StorageCorrupt, "the event cannot be read"))?;
        if event.v != VERSION || event.to_leaf()? != leaf {
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

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
