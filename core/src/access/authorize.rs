//! Decides who a request is from and whether it may be made.
//!
//! Checks come in this order: origin, throttle, credential. Each refusal is noted in the audit log; while the log cannot be
//! written, every call is refused.

use super::address::network;
use super::facts::{Presented, Principal, PrincipalKind, RequestFacts, RouteClass};
use super::refusal::Refusal;
use super::session_kind::SessionKind;
use super::window::{Bucket, Window};
use super::{Access, correlation_id, fail_closed, settings_key, token};
use crate::audit::{NewEvent, Outcome};
use crate::error::{Error, ErrorCode, Result};
use std::collections::BTreeMap;

impl Access {
    /// Checks a request and returns its principal, or exactly one error.
    ///
    /// For a generation call the first credential that is present decides alone: API key header, API key in the query, session
    /// cookie. A call for a new session needs no key, but a key that is present must be valid. While the setting `sign_in_required`
    /// is on, a new session needs a key. An admin login needs the admin key in its header; every other admin call needs an admin
    /// session. An admin key in the query of an admin call is refused.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let platform = must::Platform::open(must::Settings::new(folder.path()))?;
    /// use must::ErrorCode;
    /// use must::access::{RequestFacts, RouteClass};
    ///
    /// let error = platform.access()?.authorize(&RequestFacts::new(RouteClass::Generation)).unwrap_err();
    /// assert_eq!(error.code(), ErrorCode::SessionRequired);
    /// // The status with which an HTTP server answers.
    /// assert_eq!(error.code().http_status(), 401);
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// `cors_origin_blocked`; `rate_limited` with [`Error::retry_after`]; `invalid_api_key`, `session_required`,
    /// `session_expired`; `admin_misconfigured`, `admin_key_invalid`, `admin_session_required`, `admin_session_expired`;
    /// `dependency_unavailable` when a table cannot be read or written, a secret cannot be read, or the audit log cannot be written.
    pub fn authorize(&self, facts: &RequestFacts) -> Result<Principal> {
        self.authenticate(facts).map_err(|refusal| self.refuse(facts, refusal))
    }

    /// Checks a request like [`Access::authorize`], but notes nothing: the caller passes a refusal to [`Access::refuse`]. For a
    /// generation call this normally reads one row; several session cookies with one name take one read each.
    pub(crate) fn authenticate(&self, facts: &RequestFacts) -> Result<Principal, Refusal> {
        // A refusal that cannot be noted must not happen: while the audit log is unavailable, every call fails here.
        self.audit.check()?;
        self.admit_origin(facts)?;
        match facts.route {
            RouteClass::Generation => self.authenticate_generation(facts),
            RouteClass::Auth => {
                self.throttle.pass(&[self.bucket(Window::Auth, facts)])?;
                self.authenticate_presented_key(facts).unwrap_or_else(|| self.anonymous_principal())
            }
            RouteClass::AdminLogin => {
                self.throttle.pass(&[self.bucket(Window::AdminLogin, facts)])?;
                Ok(self.authenticate_admin_key(facts)?)
            }
            RouteClass::Admin => {
                let cookies = self.session_cookies(SessionKind::Admin, facts);
                let own = match cookies.only() {
                    Some(token) if token::parse(token, SessionKind::Admin.token()).is_some() => Bucket::token(token),
                    _ => self.bucket(Window::AdminAddress, facts),
                };
                self.throttle.pass(&[own, self.bucket(Window::AdminCeiling, facts)])?;
                refuse_admin_key_in_query(facts)?;
                self.authenticate_session(SessionKind::Admin, &cookies)
            }
        }
    }

    /// Checks only the origin, for calls that anybody may make, and notes a refusal in the audit log.
    ///
    /// # Errors
    /// `cors_origin_blocked`, `dependency_unavailable`.
    pub(crate) fn admit(&self, facts: &RequestFacts) -> Result<()> {
        self.admit_origin(facts).map_err(|error| self.refuse(facts, error.into()))
    }

    /// Checks only the origin, and notes nothing.
    ///
    /// # Errors
    /// `cors_origin_blocked`.
    pub(crate) fn admit_origin(&self, facts: &RequestFacts) -> Result<()> {
        if self.origins.allow(facts.origin.as_deref()) {
            return Ok(());
        }
        Err(Error::new(ErrorCode::CorsOriginBlocked, "the origin is not on the allow list"))
    }

    fn authenticate_generation(&self, facts: &RequestFacts) -> Result<Principal, Refusal> {
        self.authenticate_presented_key(facts).unwrap_or_else(|| {
            let cookies = self.session_cookies(SessionKind::Generation, facts);
            self.authenticate_session(SessionKind::Generation, &cookies)
        })
    }

    /// Checks the API key in the header or, without one, the key in the query. Returns `None` when there is neither.
    fn authenticate_presented_key(&self, facts: &RequestFacts) -> Option<Result<Principal, Refusal>> {
        [&facts.header_keys, &facts.query_keys].into_iter().find_map(|keys| match Presented::of_strings(keys) {
            Presented::Absent => None,
            Presented::Once(key) => Some(self.authenticate_key(key)),
            Presented::Differing => {
                Some(Err(Error::new(ErrorCode::InvalidApiKey, "two different API keys were presented").into()))
            }
        })
    }

    /// Returns the anonymous principal of a session that is started without a key, unless `sign_in_required` is on.
    fn anonymous_principal(&self) -> Result<Principal, Refusal> {
        if self.sign_in_required {
            let error = Error::new(ErrorCode::SessionRequired, "a session needs an access key here");
            return Err(error.with_action("Sign in: send your access key in the X-API-Key header.").into());
        }
        Ok(Principal::new(PrincipalKind::Anonymous, "", ""))
    }

    fn authenticate_admin_key(&self, facts: &RequestFacts) -> Result<Principal> {
        let key = self.admin.as_ref().ok_or_else(settings_key::misconfigured)?;
        refuse_admin_key_in_query(facts)?;
        let invalid = |why: &str| Err(Error::new(ErrorCode::AdminKeyInvalid, why));
        match Presented::of_strings(&facts.admin_header_keys) {
            Presented::Once(presented) if key.matches(presented) => {
                Ok(Principal::new(PrincipalKind::AdminKey, "key", ""))
            }
            Presented::Once(_) => invalid("the admin key is not valid"),
            Presented::Absent => invalid("no admin key was presented"),
            Presented::Differing => invalid("two different admin keys were presented"),
        }
    }

    fn bucket(&self, window: Window, facts: &RequestFacts) -> Bucket {
        Bucket { window, of: network(self.proxies.client(facts.peer, &facts.forwarded_for)) }
    }

    /// Notes a refusal in the audit log, which may wait for the disk. Returns the error for the caller.
    pub(crate) fn refuse(&self, facts: &RequestFacts, refusal: Refusal) -> Error {
        let error = fail_closed(refusal.error);
        self.metrics.denied(error.code().as_str());
        let noted = self.audit.denied(NewEvent {
            actor: refusal.actor.unwrap_or_else(|| "anonymous".to_owned()),
            source: self.source(facts),
            action: format!("denied_{}", error.code().as_str()),
            target: facts.route.as_str().to_owned(),
            outcome: Outcome::Denied,
            correlation_id: correlation_id(facts),
            details: BTreeMap::new(),
        });
        match noted {
            Ok(()) => error,
            // The refusal could not be noted. The caller then gets `dependency_unavailable`, whatever the refusal was.
            Err(_) if error.code() == ErrorCode::DependencyUnavailable => error,
            Err(why) => fail_closed(why),
        }
    }
}

fn refuse_admin_key_in_query(facts: &RequestFacts) -> Result<()> {
    if facts.query_admin_key_present {
        return Err(Error::new(ErrorCode::AdminKeyInvalid, "an admin key in the query is not accepted").with_action(
            "Send the admin key in the X-Admin-Key header, and change it: what was in a URL is in logs.",
        ));
    }
    Ok(())
}
