//! Reads JSON objects from hosts. Errors name the invalid field.
//!
//! Most hosts never see the text, because Python and Node make it from their own values. So an error gives a line and column only if
//! the text is not JSON at all.

use crate::error::{Error, Result};
use crate::keyring::SecretText;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use std::time::Duration;

/// Reads an object. The detail of an error begins with `fault`. `needed` are the required fields, each with a valid value.
///
/// # Errors
/// `validation_error`, which names the invalid field.
pub(crate) fn read<T: DeserializeOwned>(text: &str, fault: &str, needed: &[(&str, Value)]) -> Result<T> {
    serde_json::from_str(text).map_err(|error| {
        let refusal = |fields| serde_json::from_value::<T>(Value::Object(fields)).err();
        Error::validation(format!("{fault}: {}", data_fault(text, &error, needed, &refusal)))
    })
}

/// Returns why one type of object refuses fields, or `None` if it accepts them.
type Refusal<'a> = &'a dyn Fn(Map<String, Value>) -> Option<serde_json::Error>;

fn data_fault(text: &str, error: &serde_json::Error, needed: &[(&str, Value)], refusal: Refusal<'_>) -> String {
    let fields = match serde_json::from_str(text) {
        Ok(Value::Object(fields)) => fields,
        Ok(_) => return "it must be a JSON object".to_owned(),
        Err(error) => return error.to_string(),
    };
    // Try each field alone with the required ones. The first field that is refused is the invalid one.
    let refused = fields.into_iter().find_map(|(name, value)| {
        let mut alone: Map<String, Value> =
            needed.iter().map(|(name, good)| ((*name).to_owned(), good.clone())).collect();
        alone.insert(name.clone(), value);
        refusal(alone).map(|error| (name, plain(&error)))
    });
    match refused {
        Some((name, found)) if found.contains(&format!("field `{name}`")) => found,
        Some((name, found)) => format!("{name}: {found}"),
        None => plain(error),
    }
}

/// Returns the message of an error without the line and column, and with plain words for Rust's types.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let text = text.strip_suffix(&place).unwrap_or(&text);
    [
        ("expected usize", "expected a whole number, 0 or more"),
        ("expected u32", "expected a whole number, 0 or more"),
        ("expected f64", "expected a number"),
        ("expected path string", "expected a string"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (rust, words)| text.replace(rust, words))
}

/// Reads the arguments of the call `name`, which may contain a secret. Errors quote names of fields and never a value.
///
/// # Errors
/// `validation_error`, which names the invalid field.
pub(crate) fn read_secret<T: DeserializeOwned>(name: &str, text: &str) -> Result<T> {
    // Otherwise a list would be read as the values of the fields in order.
    if !text.trim_start().starts_with('{') {
        return Err(invalid_arguments(name, "they must be an object"));
    }
    // The fields are read as text again, because reading a `T` from a value would be compiled once more for each `T`.
    let refusal = |fields| serde_json::from_str::<T>(&Value::Object(fields).to_string()).err();
    serde_json::from_str(text).map_err(|error| secret_fault(name, text, &error, &refusal))
}

fn secret_fault(name: &str, text: &str, error: &serde_json::Error, refusal: Refusal<'_>) -> Error {
    match serde_json::from_str(text) {
        Ok(Value::Object(fields)) => {
            let (found, argument) = invalid_field(&fields, error, refusal);
            let fault = invalid_arguments(name, &found);
            match argument {
                Some(argument) => fault.with_parameter(argument),
                None => fault,
            }
        }
        Ok(_) => invalid_arguments(name, "they must be an object"),
        Err(error) => invalid_arguments(
            name,
            &format!("they are not valid JSON at line {}, column {}", error.line(), error.column()),
        ),
    }
}

fn invalid_arguments(name: &str, found: &str) -> Error {
    Error::validation(format!("the arguments of {name} are not valid: {found}"))
        .with_action("Correct the arguments of the call.")
}

/// Returns a description that quotes names of fields and never a value, and the name of the invalid field.
fn invalid_field(
    fields: &Map<String, Value>,
    error: &serde_json::Error,
    refusal: Refusal<'_>,
) -> (String, Option<String>) {
    let message = error.to_string();
    if let Some(field) = message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
        return (format!("{field} is missing"), Some(field.to_owned()));
    }
    if let Some(field) = message.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next()) {
        let field: String = field.chars().take(64).collect();
        return (format!("there is no argument {field}"), Some(field));
    }
    // A field is invalid if it is refused on its own, or if the object is accepted without it.
    let refused = fields.keys().find(|name| {
        let (mut alone, mut others) = (fields.clone(), fields.clone());
        alone.retain(|other, _| other == *name);
        others.remove(*name);
        refusal(alone).is_some_and(|error| !error.to_string().starts_with("missing field `"))
            || refusal(others).is_none()
    });
    let found = match refused {
        Some(name) => format!("{name} is not what it must be"),
        None => "an argument is not what it must be".to_owned(),
    };
    (found, refused.cloned())
}

/// Writes an answer, which may contain a secret, as JSON.
///
/// # Errors
/// `internal`.
pub(crate) fn secret_text(value: &impl Serialize) -> Result<SecretText> {
    serde_json::to_string(value).map(SecretText::new).map_err(|error| Error::internal(error.to_string()))
}

/// A duration, which is a number of seconds in JSON. It is the type of an argument, or reads a [`Duration`] field with the attribute
/// `#[serde(with = "Seconds")]`.
#[derive(Clone, Copy, Deserialize)]
#[serde(transparent)]
pub(crate) struct Seconds(f64);

impl Seconds {
    /// Returns the duration.
    ///
    /// # Errors
    /// `validation_error`, which names the argument, if the number is below 0 or too large.
    pub(crate) fn duration(self, argument: &str) -> Result<Duration> {
        Duration::try_from_secs_f64(self.0).map_err(|_| {
            Error::validation(format!("{argument} {NOT_A_DURATION}")).with_action("Correct the arguments of the call.")
        })
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(deserializer)?).map_err(|_| D::Error::custom(NOT_A_DURATION))
    }

    /// Writes the default value in the schema of a field.
    pub(crate) fn serialize<S: Serializer>(length: &Duration, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_f64(length.as_secs_f64())
    }
}

const NOT_A_DURATION: &str = "must be a number of seconds, 0 or more, and not too large";

impl JsonSchema for Seconds {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Seconds".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "number", "format": "seconds"})
    }
}

/// Returns a doc comment without its examples in Rust. Texts that are made from a schema are for readers of other languages.
pub(crate) fn without_examples(comment: &str) -> &str {
    comment.split("```").next().unwrap_or(comment).trim_end()
}

#[cfg(test)]
mod tests {
    use crate::{Settings, TaskQuery};

    #[test]
    fn an_error_names_the_field_and_no_line() {
        for (text, expected) in [
            (r#"{"threads": 1}"#, "missing field `data_dir`"),
            (r#"{"data_dir": 7}"#, "data_dir: invalid type: integer `7`, expected a string"),
            (
                "{\n\"data_dir\": \"x\",\n\"threads\": -1}",
                "threads: invalid value: integer `-1`, expected a whole number, 0 or more",
            ),
            (
                r#"{"data_dir": "x", "threads": "many"}"#,
                "threads: invalid type: string \"many\", expected a whole number",
            ),
            (
                r#"{"data_dir": "x", "device": 5, "threads": "many"}"#,
                "device: invalid type: integer `5`, expected string",
            ),
            (
                r#"{"data_dir": "x", "queue_wait_seconds": -1}"#,
                "queue_wait_seconds: must be a number of seconds, 0 or more",
            ),
            (r#"{"data_dir": "x", "device": "abacus"}"#, "device: unknown variant `abacus`, expected one of"),
            (r#"{"data_dir": "x", "lanes": ["a", 7]}"#, "lanes: invalid type: integer `7`"),
            (r#"{"data_dir": "x", "log_level": "loud"}"#, "log_level: unknown variant `loud`"),
            (r#"{"data_dir": "x", "no_such": 1}"#, "valid: unknown field `no_such`, expected one of"),
            ("[]", "it must be a JSON object"),
        ] {
            let error = Settings::from_json(text).unwrap_err();
            assert!(error.detail().starts_with("the settings are not valid: "), "{error}");
            assert!(error.detail().contains(expected), "{text}: {error}");
            assert!(!error.detail().contains(" at line ") && !error.user_action().is_empty(), "{error}");
        }
        let error = Settings::from_json("{\"data_dir\": \"x\"").unwrap_err();
        assert!(
            error.detail().contains("line 1 column 16"),
            "the error for text that is not JSON gives the line: {error}"
        );
        let error = TaskQuery::from_json(r#"{"per_page": "all"}"#).unwrap_err();
        assert_eq!(
            error.detail(),
            "the query is not valid: per_page: invalid type: string \"all\", expected a whole number, 0 or more"
        );
    }
}
