//! Sealing: encrypts values for the database with AES-256-GCM. Every value has its own key.
//!
//! A sealed value is `1 | version of the master key (4 bytes) | salt (32) | nonce (12) | ciphertext | tag (16)`. Its key is
//! HKDF-SHA-256 of the master key and the salt. Its place (table, row, column) is authenticated too, so a sealed value that was
//! moved to another place cannot be opened.

use crate::error::{Error, ErrorCode, Result};
use crate::keyring::{KeyRing, fill_random};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, Tag, UnboundKey};
use ring::hkdf;
use zeroize::Zeroizing;

const FORMAT: u8 = 1;
const SALT: usize = 32;
const NONCE: usize = 12;
const HEAD: usize = 1 + 4 + SALT + NONCE;

/// Where a sealed value is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    pub(crate) table: &'a str,
    pub(crate) row: &'a str,
    pub(crate) column: &'a str,
}

impl Place<'_> {
    fn authenticated(&self, version: u32) -> Vec<u8> {
        // Each part is preceded by its length, so that no two places give the same bytes.
        let mut bytes = Vec::new();
        for part in [self.table, self.row, self.column] {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        bytes.extend_from_slice(&version.to_be_bytes());
        bytes
    }
}

/// Seals a value under the newest master key.
pub(crate) fn seal(keys: &KeyRing, place: Place<'_>, value: &[u8]) -> Result<Vec<u8>> {
    let (version, key) = keys.current()?;
    let mut sealed = vec![FORMAT];
    sealed.extend_from_slice(&version.to_be_bytes());
    let mut random = [0; SALT + NONCE];
    fill_random(&mut random)?;
    sealed.extend_from_slice(&random);
    let (salt, nonce) = random.split_at(SALT);
    let mut body = Zeroizing::new(value.to_vec());
    let tag = encrypt(&value_key(key.as_slice(), salt)?, nonce, &place.authenticated(version), body.as_mut_slice())?;
    sealed.extend_from_slice(&body);
    sealed.extend_from_slice(tag.as_ref());
    Ok(sealed)
}

/// Opens a sealed value.
pub(crate) fn open(keys: &KeyRing, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let version = version(sealed)?;
    let head = sealed.get(5..HEAD).ok_or_else(unreadable)?;
    let (salt, nonce) = head.split_at(SALT);
    let mut body = Zeroizing::new(sealed.get(HEAD..).ok_or_else(unreadable)?.to_vec());
    let key = value_key(keys.get(version)?.as_slice(), salt)?;
    let length = decrypt(&key, nonce, &place.authenticated(version), body.as_mut_slice())?;
    body.truncate(length);
    Ok(body)
}

/// Encrypts in place and returns the tag.
pub(super) fn encrypt(key: &LessSafeKey, nonce: &[u8], authenticated: &[u8], body: &mut [u8]) -> Result<Tag> {
    key.seal_in_place_separate_tag(nonce_of(nonce)?, Aad::from(authenticated), body)
        .map_err(|_| Error::internal("a secret could not be sealed"))
}

/// Decrypts a body that ends with its tag, in place. Returns the length of the plain text.
pub(super) fn decrypt(key: &LessSafeKey, nonce: &[u8], authenticated: &[u8], body: &mut [u8]) -> Result<usize> {
    let opened = key.open_in_place(nonce_of(nonce)?, Aad::from(authenticated), body);
    opened.map(|value| value.len()).map_err(|_| unreadable())
}

/// Returns the version of the master key that a value is sealed under.
pub(crate) fn version(sealed: &[u8]) -> Result<u32> {
    match sealed.split_first_chunk::<5>() {
        Some(([FORMAT, a, b, c, d], _)) => Ok(u32::from_be_bytes([*a, *b, *c, *d])),
        _ => Err(unreadable()),
    }
}

fn value_key(master: &[u8], salt: &[u8]) -> Result<LessSafeKey> {
    let failed = |_| Error::internal("a key could not be derived");
    let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(master);
    let expanded = extracted.expand(&[b"must sealed value"], &AES_256_GCM).map_err(failed)?;
    Ok(LessSafeKey::new(UnboundKey::from(expanded)))
}

fn nonce_of(bytes: &[u8]) -> Result<Nonce> {
    Nonce::try_assume_unique_for_key(bytes).map_err(|_| unreadable())
}

fn unreadable() -> Error {
    Error::new(ErrorCode::DependencyUnavailable, "a stored secret cannot be decrypted with the master key").with_action(
        "Give the platform the master key that it was sealed with, or restore the data folder from a backup.",
    )
}
