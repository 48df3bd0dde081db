//! What several calls take or answer with.

use crate::audit::{Caller, new_correlation_id};
use crate::error::{Error, Result};
use crate::keyring::SecretText;
use crate::time::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};
use std::borrow::Cow;

/// On whose behalf an administrative call is made, for the audit log; the host itself when left out.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Caller")]
pub(crate) struct CallerArgument {
    /// Who: `key:ID`, `admin:ID`, or a name of the host's own.
    actor: String,
    /// From where: an address, `cli`, `host`.
    source: String,
    /// What ties the call to a request; a new one when left out.
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

/// The arguments of a call that takes a caller alone.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OnlyCaller {
    #[serde(default)]
    pub(super) caller: Option<CallerArgument>,
}

/// The arguments of a call about one thing that has an id.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct IdAndCaller {
    /// Id of what the call is about.
    pub(super) id: String,
    #[serde(default)]
    pub(super) caller: Option<CallerArgument>,
}

/// The arguments of a call that takes none.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// A moment: as events say it, or in milliseconds since 1970.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Moment {
    Milliseconds(i64),
    Text(String),
}

impl Moment {
    /// # Errors
    /// `validation_error` that names the argument, for a text that is no moment.
    pub(super) fn milliseconds(self, argument: &str) -> Result<i64> {
        match self {
            Self::Milliseconds(milliseconds) => Ok(milliseconds),
            Self::Text(text) => Timestamp::from_rfc3339(&text).map(|moment| moment.0).ok_or_else(|| {
                Error::validation(format!("{argument} must be a moment of RFC 3339, or milliseconds since 1970"))
                    .with_action("Write it as events do: 2026-11-29T09:15:45.123Z.")
            }),
        }
    }
}

/// A secret that an answer hands out. The text of the answer is wiped when it is dropped.
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
