//! Links that open one file for an hour without a credential, for anybody who has the link.
//!
//! A link signs the path, the end of its hour and the id of the API key that it was made with. The signing key is the vault's pepper,
//! which is stored in the database, encrypted with the master key, so that a link survives a restart. Invariants: a link opens only
//! the file that it names. It ends when its hour is over, when the pepper is revoked, or when the API key that it was made with ends.

use super::facts::{Principal, PrincipalKind, RequestFacts};
use super::refusal::Refusal;
use super::{Access, keys, settings_key, store, token};
use crate::error::{Error, ErrorCode, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use std::time::Duration;

/// How long a link is valid.
const LIFE: Duration = Duration::from_secs(3600);

/// Separates these signatures from the hashes of credentials under the same pepper.
const DOMAIN: &[u8] = b"must link\0";

const RENEW: &str = "Ask for the file with an API key, or ask for a new address.";

/// A link that a request presents: its path, and the values of `expires`, `by` and `signature` in its query.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Link<'a> {
    pub(crate) path: &'a str,
    pub(crate) expires: &'a str,
    pub(crate) by: &'a str,
    pub(crate) signature: &'a str,
}

impl Access {
    /// Signs a link: returns the query that opens `path` for an hour, on behalf of `principal`, which has an API key.
    ///
    /// # Errors
    /// `dependency_unavailable` while the vault is shut; `internal` for a principal without an API key.
    pub(crate) fn sign_link(&self, principal: &Principal, path: &str) -> Result<String> {
        if principal.kind != PrincipalKind::ApiKey {
            return Err(Error::internal("an address is signed for an API key"));
        }
        let expires = self.clock.now().after(LIFE).0 / 1000;
        let text = self.signed(path, expires, &principal.id)?;
        let (pepper, mac) = self.vault.mac(&text)?;
        Ok(format!("expires={expires}&by={}&signature={pepper}.{}", principal.id, BASE64.encode(mac)))
    }

    /// Checks a request for a file. The request has a link in its query and no key. Returns the principal that the link was made for.
    ///
    /// # Errors
    /// `cors_origin_blocked`; `invalid_api_key` for a link that was not signed here or whose key is no longer valid; `session_expired`
    /// when its hour is over; `dependency_unavailable`.
    pub(crate) fn authorize_link(&self, facts: &RequestFacts, link: Link<'_>) -> Result<Principal> {
        let checked = || -> Result<Principal, Refusal> {
            self.audit.check()?;
            self.admit_origin(facts)?;
            self.authenticate_link(link)
        };
        checked().map_err(|refusal| self.refuse(facts, refusal))
    }

    fn authenticate_link(&self, link: Link<'_>) -> Result<Principal, Refusal> {
        let invalid =
            || Error::new(ErrorCode::InvalidApiKey, "the signature of the address is not valid").with_action(RENEW);
        let parts = || {
            let (pepper, mac) = link.signature.split_once('.')?;
            Some((link.expires.parse::<i64>().ok()?, pepper.parse::<u32>().ok()?, BASE64.decode(mac).ok()?))
        };
        let (expires, pepper, mac) = parts().ok_or_else(invalid)?;
        let text = self.signed(link.path, expires, link.by)?;
        if !self.vault.verify_mac(pepper, &text, &mac)? {
            return Err(invalid().into());
        }
        let principal = self.link_holder(link.by)?;
        if self.clock.now().0 / 1000 >= expires {
            let ended = Error::new(ErrorCode::SessionExpired, "the address was valid for an hour and has expired");
            return Err(Refusal::by(ended.with_action(RENEW), principal.actor()));
        }
        Ok(principal)
    }

    /// Returns the holder of the API key with this id, if the key is valid.
    fn link_holder(&self, id: &str) -> Result<Principal, Refusal> {
        let ended =
            || Error::new(ErrorCode::InvalidApiKey, "the API key that the address was made with is no longer valid");
        if id == settings_key::ID {
            // The signature proves that it is the same key.
            let principal = Principal::new(PrincipalKind::ApiKey, settings_key::ID, settings_key::ID);
            return Ok(self.with_owner(principal, Some(settings_key::ID)));
        }
        let key = self.store.read(|connection| store::key(connection, id))?;
        let key = key.ok_or_else(|| ended().with_action(RENEW))?;
        if !keys::is_valid(&key, self.clock.now()) {
            return Err(Refusal::by(ended().with_action(RENEW), format!("key:{}", token::shown_id(id))));
        }
        Ok(self.with_owner(Principal::new(PrincipalKind::ApiKey, key.id, key.name), Some(&key.owner)))
    }

    /// Returns the bytes that are signed. Each part has its length in front, so that two different links never give the same bytes.
    fn signed(&self, path: &str, expires: i64, by: &str) -> Result<Vec<u8>> {
        let mut text = DOMAIN.to_vec();
        // All keys of the settings share one id; the fingerprint tells them apart.
        let set = if by == settings_key::ID { self.api_key_fingerprint()? } else { None };
        let set: &[u8] = set.as_ref().map_or(&[], |set| set);
        for part in [path.as_bytes(), by.as_bytes(), set] {
            text.extend_from_slice(&(part.len() as u64).to_be_bytes());
            text.extend_from_slice(part);
        }
        text.extend_from_slice(&expires.to_be_bytes());
        Ok(text)
    }
}
