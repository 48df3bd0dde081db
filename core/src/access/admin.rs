//! The admin key: the one credential that comes from the host's settings and opens admin sessions.

use crate::error::{Error, ErrorCode, Result};
use crate::secrets::{SecretText, Vault};
use ring::hmac;
use ring::rand::SystemRandom;
use zeroize::Zeroizing;

/// Fewest characters of an admin key.
const SHORTEST: usize = 16;

/// Keeps the hash of an admin key apart from those of other credentials under the same pepper.
const DOMAIN: &[u8] = b"must admin key\0";

/// An admin key that is long enough.
pub(super) struct AdminKey {
    /// Random, of this process: comparing two tags under it says nothing about how much of the key was right.
    compare: hmac::Key,
    tag: hmac::Tag,
    bound: Zeroizing<Vec<u8>>,
}

impl AdminKey {
    /// None when the key is too short to be used.
    pub(super) fn new(key: &SecretText) -> Result<Option<Self>> {
        if key.expose().chars().count() < SHORTEST {
            return Ok(None);
        }
        let compare = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())
            .map_err(|_| Error::new(ErrorCode::DependencyUnavailable, "the system's random source cannot be read"))?;
        let tag = hmac::sign(&compare, key.expose().as_bytes());
        Ok(Some(Self { compare, tag, bound: Zeroizing::new([DOMAIN, key.expose().as_bytes()].concat()) }))
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
