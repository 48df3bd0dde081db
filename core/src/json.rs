//! Reading JSON objects that hosts give: what is wrong is said with the name of the field.
//!
//! Most hosts never see the text (Python and Node make it of their own values), so a place in it is told only where the text
//! itself is not JSON.

use crate::error::{Error, Result};
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use serde_json::{Map, Value};

/// Reads an object. `fault` begins the detail of a refusal; `needed` are fields that no object may leave out, with values
/// that are always good.
///
/// # Errors
/// `validation_error` that names the field at fault.
pub(crate) fn read<T: DeserializeOwned>(text: &str, fault: &str, needed: &[(&str, Value)]) -> Result<T> {
    serde_json::from_str(text).map_err(|error| {
        let found = match error.classify() {
            Category::Data => data_fault::<T>(text, &error, needed),
            _ => error.to_string(),
        };
        Error::validation(format!("{fault}: {found}"))
    })
}

fn data_fault<T: DeserializeOwned>(text: &str, error: &serde_json::Error, needed: &[(&str, Value)]) -> String {
    let Ok(Value::Object(fields)) = serde_json::from_str(text) else { return "it must be a JSON object".to_owned() };
    // One field at a time beside those that must be there: the first that is refused is at fault.
    let refused = fields.into_iter().find_map(|(name, value)| {
        let mut alone: Map<String, Value> =
            needed.iter().map(|(name, good)| ((*name).to_owned(), good.clone())).collect();
        alone.insert(name.clone(), value);
        serde_json::from_value::<T>(Value::Object(alone)).err().map(|error| (name, plain(&error)))
    });
    match refused {
        Some((name, found)) if found.contains(&format!("field `{name}`")) => found,
        Some((name, found)) => format!("{name}: {found}"),
        None => plain(error),
    }
}

/// What an error says, without the place, and with words for Rust's types.
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

#[cfg(test)]
mod tests {
    use crate::{Settings, TaskQuery};

    #[test]
    fn a_refusal_names_the_field_and_no_place() {
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
            (r#"{"data_dir": "x", "queue_wait": -1}"#, "queue_wait: must be a number of seconds, 0 or more"),
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
        assert!(error.detail().contains("line 1 column 16"), "text that is not JSON keeps its place: {error}");
        let error = TaskQuery::from_json(r#"{"per_page": "all"}"#).unwrap_err();
        assert_eq!(
            error.detail(),
            "the query is not valid: per_page: invalid type: string \"all\", expected a whole number, 0 or more"
        );
    }
}
