//! Argument and answer types that several calls share.

use crate::audit::{Caller, new_correlation_id};
use crate::error::{Error, Result};
use crate::keyring::SecretText;
use crate::time::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};
use std::borrow::Cow;

/// Who makes an administrative call, for the audit log. The default is the host itself.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Caller")]
pub(crate) struct CallerArgument {
    /// Who it is: `key:ID`, `admin:ID`, or a name that the host chooses.
    actor: String,
    /// Where the call comes from: an address, `cli`, `host`.
    source: String,
    /// An id that links the call to a request. The default is a new id.
    #[serde(default)]
    correlation_id: Option<String>,
}

pub(super) fn caller(argument: Option<CallerArgument>) -> Caller {
    match argument {
        None => Caller::new("host", "host"),
        Some(CallerArgument { actor, source, correlation_id }) => {
            Caller { actor, source, correlation_id: correlation_id.unwrap_or_else(new_correlation_id) }
        }
    }
}

/// The arguments of a call that takes only a caller.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OnlyCaller {
    #[serde(default)]
    pub(super) caller: Option<CallerArgument>,
}

/// The arguments of a call on one object that has an id.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct IdAndCaller {
    /// Id of the key, session, account or task that the call acts on.
    pub(super) id: String,
    #[serde(default)]
    pub(super) caller: Option<CallerArgument>,
}

/// The arguments of a call without arguments.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// A time: in the form of audit events, or in milliseconds since 1970.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Moment {
    Milliseconds(i64),
    Text(String),
}

impl Moment {
    /// Returns the time in milliseconds since 1970.
    ///
    /// # Errors
    /// `validation_error`, which names the argument, if a text is not a time.
    pub(super) fn milliseconds(self, argument: &str) -> Result<i64> {
        match self {
            Self::Milliseconds(milliseconds) => Ok(milliseconds),
            Self::Text(text) => Timestamp::from_rfc3339(&text).map(|moment| moment.0).ok_or_else(|| {
                Error::validation(format!("{argument} must be a time in RFC 3339 form, or milliseconds since 1970"))
                    .with_action("Write it as events do: 2026-11-29T09:15:45.123Z.")
            }),
        }
    }
}

/// A secret that is part of an answer. The text of the answer is wiped when it is dropped.
pub(super) struct Shown(pub(super) SecretText);

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose())
    }
}

impl JsonSchema for Moment {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Moment".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "integer", "format": "int64"}]})
    }
}

impl JsonSchema for Shown {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        SecretText::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        SecretText::json_schema(generator)
    }
}
