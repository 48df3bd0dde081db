//! The access that each call needs: collects the credentials of a request and passes them to [`crate::access`].

use super::call::Call;
use super::cors;
use super::state::Shared;
use crate::access::{Access, Link, Principal, Refusal, RequestFacts, RouteClass};
use crate::error::{Error, ErrorCode, Result};
use http::HeaderMap;
use http::header::{AUTHORIZATION, COOKIE};
use http::request::Parts;
use ring::hmac;
use ring::rand::SystemRandom;
use std::net::IpAddr;

/// Names in a query that mean an admin key.
const ADMIN_NAMES: [&str; 4] = ["admin_key", "admin-key", "admin_api_key", "x-admin-key"];

/// The query parameter of a signed address that holds its signature.
pub(super) const SIGNATURE: &str = "signature";

/// The query parameters of a signed address.
pub(super) const SIGNED: [&str; 3] = ["expires", "by", SIGNATURE];

/// The access that a call requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RouteAccess {
    /// Nothing.
    Open,
    /// An API key or a generation session.
    Generation,
    /// The same, or a signed address.
    Media,
    /// An API key in its header.
    ApiKey,
    /// An API key as a bearer token, as OpenAI's clients send it.
    Bearer,
    /// The handler checks the credential, because it starts or ends a session.
    Session,
    /// The admin key, which the handler checks when it starts the session.
    AdminLogin,
    /// An admin session.
    Admin,
    /// The scrape token or an admin session.
    Scrape,
}

impl RouteAccess {
    const fn route(self) -> RouteClass {
        match self {
            Self::Open | Self::Generation | Self::Media | Self::ApiKey | Self::Bearer => RouteClass::Generation,
            Self::Session => RouteClass::Auth,
            Self::AdminLogin => RouteClass::AdminLogin,
            Self::Admin | Self::Scrape => RouteClass::Admin,
        }
    }

    /// Collects the facts that decide whether the request is allowed.
    pub(super) fn facts(
        self,
        parts: &Parts,
        query: &[(String, String)],
        peer: Option<IpAddr>,
        correlation_id: &str,
    ) -> RequestFacts {
        let lines = |name: &str| -> Vec<String> {
            parts
                .headers
                .get_all(name)
                .iter()
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
                .collect()
        };
        let mut facts = RequestFacts::new(self.route());
        facts.origin = cors::foreign_origin(parts);
        facts.peer = peer;
        facts.forwarded_for = lines("x-forwarded-for");
        facts.correlation_id = Some(correlation_id.to_owned());
        match self {
            Self::Open => {}
            Self::ApiKey => facts.header_keys = lines("x-api-key"),
            Self::Bearer => facts.header_keys = bearer_tokens(&parts.headers),
            Self::Generation | Self::Media | Self::Session => {
                facts.header_keys = lines("x-api-key");
                facts.query_keys =
                    query.iter().filter(|(name, _)| name == "api_key").map(|(_, value)| value.clone()).collect();
                facts.cookies = lines(COOKIE.as_str());
            }
            Self::AdminLogin | Self::Admin | Self::Scrape => {
                facts.admin_header_keys = lines("x-admin-key");
                let admin_key = |name: &str| ADMIN_NAMES.iter().any(|known| name.eq_ignore_ascii_case(known));
                facts.query_admin_key_present = query.iter().any(|(name, _)| admin_key(name));
                facts.cookies = lines(COOKIE.as_str());
            }
        }
        facts
    }

    /// Checks the request if that needs at most memory and a read of one row; returns `None` if it needs more. A refusal is not noted
    /// yet: [`Access::refuse`] does that, and may wait for the disk.
    pub(super) fn authenticate_briefly(
        self,
        access: &Access,
        facts: &RequestFacts,
    ) -> Option<Result<Option<Principal>, Refusal>> {
        match self {
            Self::Open => Some(access.admit_origin(facts).map(|()| None).map_err(Refusal::from)),
            Self::Generation | Self::ApiKey | Self::Bearer => Some(access.authenticate(facts).map(Some)),
            Self::Media | Self::Session | Self::AdminLogin | Self::Admin | Self::Scrape => None,
        }
    }

    /// Checks the request, and notes a refusal. Returns `None` if there is no principal: for an open call, for the scrape token, and if
    /// the handler checks the credential itself.
    ///
    /// # Errors
    /// As [`crate::access::Access::authorize`].
    pub(super) fn authenticate(self, call: &Call) -> Result<Option<Principal>> {
        let Call { shared, facts, headers, .. } = call;
        let access = shared.platform.access()?;
        if let Some(checked) = self.authenticate_briefly(access, facts) {
            return checked.map_err(|refusal| access.refuse(facts, refusal));
        }
        match self {
            Self::Session | Self::AdminLogin => Ok(None),
            Self::Scrape if is_scraper(shared, headers)? => {
                let facts = RequestFacts { route: RouteClass::Generation, ..facts.clone() };
                cors::admit(&shared.platform, &facts).map(|()| None)
            }
            // Comes before the session cookie, which a browser sends whether it is intended or not.
            Self::Media
                if call.query(SIGNATURE)?.is_some() && facts.header_keys.is_empty() && facts.query_keys.is_empty() =>
            {
                let part = |name: &str| Ok::<_, Error>(call.query(name)?.unwrap_or_default());
                let path = call.link_path();
                let (expires, by) = (part("expires")?, part("by")?);
                let link = Link { path: &path, expires, by, signature: part(SIGNATURE)? };
                access.authorize_link(facts, link).map(Some)
            }
            _ => access.authorize(facts).map(Some),
        }
    }
}

fn bearer_tokens(headers: &HeaderMap) -> Vec<String> {
    let token = |value: &http::HeaderValue| {
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        match text.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim().to_owned(),
            // A credential in another scheme is never valid here.
            _ => String::new(),
        }
    };
    headers.get_all(AUTHORIZATION).iter().map(token).collect()
}

/// Whether the request has the scrape token, compared in constant time.
fn is_scraper(shared: &Shared, headers: &HeaderMap) -> Result<bool> {
    let Some(wanted) = &shared.settings.scrape_token else { return Ok(false) };
    let presented = bearer_tokens(headers);
    let [presented] = presented.as_slice() else { return Ok(false) };
    let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())
        .map_err(|_| Error::new(ErrorCode::DependencyUnavailable, "the system's random source cannot be read"))?;
    let tag = hmac::sign(&key, wanted.expose().as_bytes());
    Ok(hmac::verify(&key, presented.as_bytes(), tag.as_ref()).is_ok())
}
