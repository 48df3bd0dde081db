//! Chooses the cookie that carries a session when several platforms share the cookies of one browser.
//!
//! Cookies do not depend on the port, and programs at the same path share them: two platforms on one host would overwrite each
//! other's session. So a platform checks the request's cookies before it sets one. It uses the plain name, such as `gg_session`,
//! while that cookie is absent or holds its own session. If the cookie holds a session of another platform, it adds a suffix of its
//! own to the name, such as `gg_session_1f0c9a3e`, and keeps that name for this browser. A suffix from the settings is always used.
//! Invariants: a cookie with the platform's own suffix decides alone; of several session cookies with one name, those of
//! other platforms are ignored, and two valid sessions of this platform are refused.

use super::facts::RequestFacts;
use super::refusal::Refusal;
use super::session_kind::{SessionKind, required};
use super::store::SessionRow;
use super::{Access, store, token};
use crate::audit::hex;
use crate::error::{ErrorCode, Result};

/// Largest number of different sessions in cookies of one name that are checked.
const MOST: usize = 8;

/// Separates the hash that names a platform from the hashes of credentials under the same pepper.
const NAME_DOMAIN: &[u8] = b"must cookie name\0";

/// Bytes of that hash in a cookie's name: enough for the platforms of one host.
const NAME_BYTES: usize = 4;

/// The sessions that a request presents, each once.
pub(super) struct SessionCookies<'a>(Vec<&'a str>);

impl<'a> SessionCookies<'a> {
    fn named(facts: &'a RequestFacts, name: &str) -> Self {
        let mut tokens = Vec::new();
        for token in facts.cookies_named(name) {
            if !tokens.contains(&token) {
                tokens.push(token);
            }
        }
        Self(tokens)
    }

    /// Returns the session if there is exactly one.
    pub(super) fn only(&self) -> Option<&'a str> {
        match self.0.as_slice() {
            [token] => Some(token),
            _ => None,
        }
    }
}

impl Access {
    /// Returns the sessions that a request presents to this platform.
    pub(super) fn session_cookies<'a>(&self, kind: SessionKind, facts: &'a RequestFacts) -> SessionCookies<'a> {
        match self.own_cookie(kind, facts) {
            Some(own) => own,
            None => SessionCookies::named(facts, kind.cookie_name()),
        }
    }

    /// Returns the name of the cookie that carries a request's session: the one to delete when the session ends.
    pub(crate) fn carrying_cookie(&self, kind: SessionKind, facts: &RequestFacts) -> String {
        let own = self.own_cookie_name(kind);
        own.filter(|own| facts.cookies_named(own).next().is_some()).unwrap_or_else(|| kind.cookie_name().to_owned())
    }

    /// Returns the name of the cookie for a new session.
    pub(super) fn cookie_for(&self, kind: SessionKind, facts: &RequestFacts) -> Result<String> {
        let plain = kind.cookie_name();
        let Some(own) = self.own_cookie_name(kind) else { return Ok(plain.to_owned()) };
        if self.cookie_suffix.is_some() || facts.cookies_named(&own).next().is_some() {
            return Ok(own);
        }
        let mut of_others = false;
        for token in SessionCookies::named(facts, plain).0.into_iter().take(MOST) {
            let Some(id) = token::parse(token, kind.token()) else { continue };
            if self.store.read(|connection| store::session(connection, id, kind.is_admin()))?.is_some() {
                return Ok(plain.to_owned());
            }
            of_others = true;
        }
        Ok(if of_others { own } else { plain.to_owned() })
    }

    /// Returns the one valid session among those that were presented.
    pub(super) fn find(&self, kind: SessionKind, cookies: &SessionCookies<'_>) -> Result<SessionRow, Refusal> {
        match cookies.0.as_slice() {
            [] => Err(required(kind, "no session was presented").into()),
            [token] => self.find_one(kind, token),
            tokens if tokens.len() <= MOST => self.find_among(kind, tokens),
            _ => Err(required(kind, "too many different sessions were presented").into()),
        }
    }

    fn find_among(&self, kind: SessionKind, tokens: &[&str]) -> Result<SessionRow, Refusal> {
        let (mut found, mut ended) = (None, None);
        for token in tokens {
            match self.find_one(kind, token) {
                Ok(row) if found.is_none() => found = Some(row),
                Ok(_) => return Err(required(kind, "two different sessions were presented").into()),
                Err(refusal) => match refusal.code() {
                    ErrorCode::SessionRequired | ErrorCode::AdminSessionRequired => {}
                    ErrorCode::SessionExpired | ErrorCode::AdminSessionExpired => ended = ended.or(Some(refusal)),
                    _ => return Err(refusal),
                },
            }
        }
        found.ok_or_else(|| ended.unwrap_or_else(|| required(kind, "none of the sessions is known").into()))
    }

    /// Returns the sessions in the cookie that only this platform uses, if the request has it.
    fn own_cookie<'a>(&self, kind: SessionKind, facts: &'a RequestFacts) -> Option<SessionCookies<'a>> {
        // Most requests carry no such cookie; this check spares them the hash.
        if !facts.has_cookie_beginning(&prefix(kind)) {
            return None;
        }
        let own = self.own_cookie_name(kind)?;
        Some(SessionCookies::named(facts, &own)).filter(|cookies| !cookies.0.is_empty())
    }

    /// Returns the cookie's name with this platform's suffix. Returns `None` while the vault is shut: no session can be checked then.
    fn own_cookie_name(&self, kind: SessionKind) -> Option<String> {
        if let Some(suffix) = &self.cookie_suffix {
            return Some(format!("{}{suffix}", prefix(kind)));
        }
        let hash = self.vault.lasting_mac(NAME_DOMAIN).ok()??;
        Some(format!("{}{}", prefix(kind), hex(hash.get(..NAME_BYTES)?)))
    }
}

fn prefix(kind: SessionKind) -> String {
    format!("{}_", kind.cookie_name())
}
