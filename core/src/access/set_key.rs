//! Keys that come from the host's settings: the admin key, which opens admin sessions, and an API key of the operator's own.

use crate::error::{Error, ErrorCode, Result};
use crate::keyring::SecretText;
use crate::secrets::Vault;
use ring::hmac;
use ring::rand::SystemRandom;
use zeroize::Zeroizing;

/// Fewest characters of a key.
const SHORTEST: usize = 16;

/// What the API key of the settings has in the place of an id.
pub(super) const ID: &str = "settings";

/// Keep the hashes of keys apart from those of other credentials under the same pepper.
const ADMIN_DOMAIN: &[u8] = b"must admin key\0";
const API_DOMAIN: &[u8] = b"must api key of the settings\0";

/// A key that is long enough.
pub(super) struct SetKey {
    /// Random, of this process: comparing two tags under it says nothing about how much of the key was right.
    compare: hmac::Key,
    tag: hmac::Tag,
    bound: Zeroizing<Vec<u8>>,
}

impl SetKey {
    /// An admin key. None when it is too short to be used.
    pub(super) fn admin(key: &SecretText) -> Result<Option<Self>> {
        Self::new(key, ADMIN_DOMAIN)
    }

    /// An API key. None when it is too short to be used.
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

    /// Whether this is the key, in constant time.
    pub(super) fn is(&self, presented: &str) -> bool {
        hmac::verify(&self.compare, presented.as_bytes(), self.tag.as_ref()).is_ok()
    }

    /// What tells this key from another one.
    pub(super) fn fingerprint(&self, vault: &Vault) -> Result<Option<[u8; 32]>> {
        vault.lasting_mac(&self.bound)
    }

    /// What a session that is made with this key keeps of it.
    pub(super) fn mac(&self, vault: &Vault) -> Result<(u32, [u8; 32])> {
        vault.mac(&self.bound)
    }

    /// Whether a session was made with this key.
    pub(super) fn made(&self, vault: &Vault, pepper: u32, mac: &[u8]) -> Result<bool> {
        vault.verify_mac(pepper, &self.bound, mac)
    }
}

pub(super) fn misconfigured() -> Error {
    Error::new(
        ErrorCode::AdminMisconfigured,
        format!("the platform has no admin key of at least {SHORTEST} characters"),
    )
}
