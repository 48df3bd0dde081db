//! Secrets in memory: wiped when dropped, shown nowhere by accident.

use zeroize::Zeroizing;

/// A text that must not be seen: a key, a token. It has no `Display` and no `Serialize`, and its `Debug` says nothing.
#[derive(Clone)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// Takes a text over.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for SecretText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretText(..)")
    }
}

impl<'de> serde::Deserialize<'de> for SecretText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new).map_err(|error| {
            // The parser's own message would quote what it found instead; what is not there has nothing to be quoted.
            let missing = error.to_string().starts_with("missing field");
            if missing { error } else { serde::de::Error::custom("a secret is a text") }
        })
    }
}
