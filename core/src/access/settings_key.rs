//! Keys from the host's settings: the admin key, which opens admin sessions, and the operator's own API key.

use crate::error::{Error, ErrorCode, Result};
use crate::keyring::SecretText;
use crate::secrets::Vault;
use ring::hmac;
use ring::rand::SystemRandom;
use zeroize::Zeroizing;

/// Fewest characters of a key.
const SHORTEST: usize = 16;

/// The id of the API key from the settings.
pub(super) const ID: &str = "settings";

/// Separate the hashes of these keys from those of other credentials under the same pepper.
const ADMIN_DOMAIN: &[u8] = b"must admin key\0";
const API_DOMAIN: &[u8] = b"must api key of the settings\0";

/// A key from the settings that is long enough.
pub(super) struct SettingsKey {
    /// Random and new in each process: the time of comparing two tags under it does not tell how much of the key was right.
    compare: hmac::Key,
    tag: hmac::Tag,
    bound: Zeroizing<Vec<u8>>,
}

impl SettingsKey {
    /// Takes an admin key. Returns `None` when it is too short.
    pub(super) fn admin(key: &SecretText) -> Result<Option<Self>> {
        Self::new(key, ADMIN_DOMAIN)
    }

    /// Takes an API key. Returns `None` when it is too short.
    pub(super) fn api(key: &SecretText) -> Result<Option<Self>> {
        Self::new(key, API_DOMAIN)
    }

    fn new(key: &SecretText, domain: &[u8]) -> Result<Option<Self>> {
        if key.expose().chars().count() < SHORTEST {
            return Ok(None);
        }
        let compare = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())
            .map_err(|_| Error::new(ErrorCode::DependencyUnavailable, "the system's random source cannot be read"))?;
        let tag = hmac::sign(&compare, key.expose().as_bytes());
        Ok(Some(Self { compare, tag, bound: Zeroizing::new([domain, key.expose().as_bytes()].concat()) }))
    }

    /// Whether `presented` is this key, compared in constant time.
    pub(super) fn matches(&self, presented: &str) -> bool {
        hmac::verify(&self.compare, presented.as_bytes(), self.tag.as_ref()).is_ok()
    }

    /// Returns a fingerprint that tells this key from others.
    pub(super) fn fingerprint(&self, vault: &Vault) -> Result<Option<[u8; 32]>> {
        vault.lasting_mac(&self.bound)
    }

    /// Returns the keyed hash that a session stores of the key it was started with.
    pub(super) fn mac(&self, vault: &Vault) -> Result<(u32, [u8; 32])> {
        vault.mac(&self.bound)
    }

    /// Whether a session with this keyed hash was started with this key.
    pub(super) fn matches_mac(&self, vault: &Vault, pepper: u32, mac: &[u8]) -> Result<bool> {
        vault.verify_mac(pepper, &self.bound, mac)
    }
}

pub(super) fn misconfigured() -> Error {
    Error::new(
        ErrorCode::AdminMisconfigured,
        format!("the platform has no admin key of at least {SHORTEST} characters"),
    )
}
