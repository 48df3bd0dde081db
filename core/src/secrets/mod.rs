//! Secret text, and the keyed hashes that stand in for credentials in the database.

use crate::error::{Error, ErrorCode, Result};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

/// Text that is never shown by accident and is wiped when it is dropped.
#[derive(Clone)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// Takes the text over.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself, for the one place that needs it.
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

/// Keeps the pepper that credentials are hashed with.
pub(crate) struct Vault {
    pepper: hmac::Key,
}

impl Vault {
    pub(crate) fn new() -> Result<Self> {
        let mut pepper = Zeroizing::new([0_u8; 32]);
        SystemRandom::new()
            .fill(pepper.as_mut())
            .map_err(|_| Error::new(ErrorCode::DependencyUnavailable, "the system's random source cannot be read"))?;
        Ok(Self { pepper: hmac::Key::new(hmac::HMAC_SHA256, pepper.as_ref()) })
    }

    /// HMAC-SHA-256 of a credential under the current pepper, and the pepper's number.
    pub(crate) fn mac(&self, credential: &[u8]) -> Result<(u32, [u8; 32])> {
        let tag = hmac::sign(&self.pepper, credential);
        let mac = tag.as_ref().try_into().map_err(|_| Error::internal("a MAC is not 32 bytes"))?;
        Ok((1, mac))
    }

    /// Whether `mac` is that of the credential, in constant time.
    pub(crate) fn verify_mac(&self, pepper: u32, credential: &[u8], mac: &[u8]) -> Result<bool> {
        if pepper != 1 {
            return Err(Error::new(ErrorCode::DependencyUnavailable, format!("there is no pepper {pepper}")));
        }
        Ok(hmac::verify(&self.pepper, credential, mac).is_ok())
    }
}
