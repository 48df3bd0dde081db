//! Addresses that open one file for an hour without a credential, for whoever was given them.
//!
//! What is signed is the address, the moment of its end and the credential that it was made with; the key is the vault's pepper,
//! which is in the database under the master key, so that an address survives a restart. What always holds: an address opens
//! nothing but the file that it names; it ends with its hour, with the pepper, and with the credential that it was made with.

use super::facts::{Principal, PrincipalKind, RequestFacts};
use super::refusal::Refusal;
use super::{Access, keys, set_key, store, token};
use crate::error::{Error, ErrorCode, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use std::time::Duration;

/// How long an address is good.
const LIFE: Duration = Duration::from_secs(3600);

/// Keeps these signatures apart from the hashes of credentials under the same pepper.
const DOMAIN: &[u8] = b"must link\0";

const ANEW: &str = "Ask for the file with an API key, or have an address made anew.";

/// What a request presents in its query: the values of `expires`, `by` and `signature`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Link<'a> {
    pub(crate) path: &'a str,
    pub(crate) expires: &'a str,
    pub(crate) by: &'a str,
    pub(crate) signature: &'a str,
}

impl Access {
    /// The query that opens `path` for an hour, on behalf of `principal`, which has an API key.
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

    /// Judges a request for a file whose query presents a link and that has no key. The principal is who the link was made for.
    ///
    /// # Errors
    /// `cors_origin_blocked`; `invalid_api_key` for what was not signed here, or whose key is no longer good; `session_expired`
    /// when its hour is over; `dependency_unavailable`.
    pub(crate) fn authorize_link(&self, facts: &RequestFacts, link: Link<'_>) -> Result<Principal> {
        let judged = || -> Result<Principal, Refusal> {
            self.audit.check()?;
            self.admit_origin(facts)?;
            self.judge_link(link)
        };
        judged().map_err(|refusal| self.refuse(facts, refusal))
    }

    fn judge_link(&self, link: Link<'_>) -> Result<Principal, Refusal> {
        let invalid =
            || Error::new(ErrorCode::InvalidApiKey, "the signature of the address is not good").with_action(ANEW);
        let parts = || {
            let (pepper, mac) = link.signature.split_once('.')?;
            Some((link.expires.parse::<i64>().ok()?, pepper.parse::<u32>().ok()?, BASE64.decode(mac).ok()?))
        };
        let (expires, pepper, mac) = parts().ok_or_else(invalid)?;
        let text = self.signed(link.path, expires, link.by)?;
        if !self.vault.verify_mac(pepper, &text, &mac)? {
            return Err(invalid().into());
        }
        let principal = self.maker(link.by)?;
        if self.clock.now().0 / 1000 >= expires {
            let ended = Error::new(ErrorCode::SessionExpired, "the address was good for an hour, and that is over");
            return Err(Refusal::of(ended.with_action(ANEW), principal.actor()));
        }
        Ok(principal)
    }

    /// The holder of the API key with this id, when it is good.
    fn maker(&self, id: &str) -> Result<Principal, Refusal> {
        let ended =
            || Error::new(ErrorCode::InvalidApiKey, "the API key that the address was made with is no longer good");
        if id == set_key::ID {
            // That it is the same key, the signature says.
            let principal = Principal::new(PrincipalKind::ApiKey, set_key::ID, set_key::ID);
            return Ok(self.with_owner(principal, Some(set_key::ID)));
        }
        let key = self.store.read(|connection| store::key(connection, id))?;
        let key = key.ok_or_else(|| ended().with_action(ANEW))?;
        if !keys::is_good(&key, self.clock.now()) {
            return Err(Refusal::of(ended().with_action(ANEW), format!("key:{}", token::shown_id(id))));
        }
        Ok(self.with_owner(Principal::new(PrincipalKind::ApiKey, key.id, key.name), Some(&key.owner)))
    }

    /// What is signed: parts that cannot run into each other.
    fn signed(&self, path: &str, expires: i64, by: &str) -> Result<Vec<u8>> {
        let mut text = DOMAIN.to_vec();
        // A key of the settings has no id of its own: what tells it from the next one stands in for that.
        let set = if by == set_key::ID { self.own_key_fingerprint()? } else { None };
        let set: &[u8] = set.as_ref().map_or(&[], |set| set);
        for part in [path.as_bytes(), by.as_bytes(), set] {
            text.extend_from_slice(&(part.len() as u64).to_be_bytes());
            text.extend_from_slice(part);
        }
        text.extend_from_slice(&expires.to_be_bytes());
        Ok(text)
    }
}
