//! Secrets in memory, wiped when dropped and never shown by accident.

use crate::error::{Error, Result};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use zeroize::Zeroizing;

/// A text that must not be seen, such as a key or a token. It has no `Display` and no `Serialize`, and its `Debug` hides it.
///
/// ```
/// let token = must::secrets::SecretText::new("a token");
/// assert_eq!(format!("{token:?}"), "SecretText(..)");
/// assert_eq!(token.expose(), "a token");
/// ```
#[derive(Clone)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// Returns the text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns the text without blanks and line breaks at both ends, which files and variables often add.
    pub(crate) fn trimmed(&self) -> Self {
        Self::new(self.0.trim())
    }

    /// Checks a key from the settings that callers send in an HTTP header. Returns it trimmed, or `None` if it is empty. `setting`
    /// is its name.
    ///
    /// # Errors
    /// `validation_error` for a key that no HTTP header can carry.
    pub(crate) fn as_header_key(&self, setting: &str) -> Result<Option<Self>> {
        let key = self.trimmed();
        if key.expose().bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
            return Ok(Some(key).filter(|key| !key.expose().is_empty()));
        }
        Err(Error::validation(format!(
            "{setting} has a character that an HTTP header cannot carry: a line break, a control character or a letter beyond ASCII"
        ))
        .with_action("Set a key of letters, digits and ASCII signs, such as the output of `openssl rand -hex 32`."))
    }
}

impl std::fmt::Debug for SecretText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretText(..)")
    }
}

impl JsonSchema for SecretText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SecretText".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "password"})
    }
}

impl<'de> serde::Deserialize<'de> for SecretText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new).map_err(|error| {
            // The parser's own message would quote the value that it found; in a missing field there is nothing to quote.
            let missing = error.to_string().starts_with("missing field");
            if missing { error } else { serde::de::Error::custom("a secret must be a text") }
        })
    }
}
