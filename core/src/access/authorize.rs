//! The one question: who is this request from, and may it be made?
//!
//! Order of judgement: origin, throttle, credential. A call that is refused is noted in the audit log; while that cannot be
//! done, every call is refused.

use super::address::network;
use super::facts::{Presented, Principal, PrincipalKind, RequestFacts, RouteClass};
use super::refusal::Refusal;
use super::session_kind::SessionKind;
use super::window::{Bucket, Window};
use super::{Access, correlation_id, fail_closed, set_key, token};
use crate::audit::{NewEvent, Outcome};
use crate::error::{Error, ErrorCode, Result};
use std::collections::BTreeMap;

impl Access {
    /// Judges a request: one principal, or exactly one error.
    ///
    /// For generation the first credential present decides alone: API key header, API key in the query, session cookie. A call
    /// for a new session may come without any, but a key that is there must be good. An admin login needs the admin key in its
    /// header; every other admin call needs an admin session. An admin key in the query of either is refused. While the setting
    /// `sign_in_required` is on, a new session takes a key.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let platform = must::Platform::open(must::Settings::new(folder.path()))?;
    /// use must::ErrorCode;
    /// use must::access::{RequestFacts, RouteClass};
    ///
    /// let error = platform.access()?.authorize(&RequestFacts::new(RouteClass::Generation)).unwrap_err();
    /// assert_eq!(error.code(), ErrorCode::SessionRequired);
    /// // What an HTTP server answers with.
    /// assert_eq!(error.code().http_status(), 401);
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// `cors_origin_blocked`; `rate_limited` with [`Error::retry_after`]; `invalid_api_key`, `session_required`,
    /// `session_expired`; `admin_misconfigured`, `admin_key_invalid`, `admin_session_required`, `admin_session_expired`;
    /// `dependency_unavailable` when a table cannot be read or written, a secret cannot be had, or the audit log cannot be kept.
    pub fn authorize(&self, facts: &RequestFacts) -> Result<Principal> {
        self.judge(facts).map_err(|refusal| self.refuse(facts, refusal))
    }

    /// Judges a request as [`Access::authorize`] does, and notes nothing: whoever refuses it calls [`Access::refuse`]. A generation
    /// call takes a read of one row.
    pub(crate) fn judge(&self, facts: &RequestFacts) -> Result<Principal, Refusal> {
        // While refusals could not be written down, nobody is let in to be refused later.
        self.audit.check()?;
        self.admit_origin(facts)?;
        match facts.route {
            RouteClass::Generation => self.judge_generation(facts),
            RouteClass::Auth => {
                self.throttle.pass(&[self.bucket(Window::Auth, facts)])?;
                self.judge_presented_key(facts).unwrap_or_else(|| self.judge_nobody())
            }
            RouteClass::AdminLogin => {
                self.throttle.pass(&[self.bucket(Window::AdminLogin, facts)])?;
                Ok(self.judge_admin_key(facts)?)
            }
            RouteClass::Admin => {
                let cookies = self.session_cookies(SessionKind::Admin, facts);
                let own = match cookies.only() {
                    Some(token) if token::parse(token, SessionKind::Admin.token()).is_some() => Bucket::token(token),
                    _ => self.bucket(Window::AdminAddress, facts),
                };
                self.throttle.pass(&[own, self.bucket(Window::AdminCeiling, facts)])?;
                refuse_admin_key_in_query(facts)?;
                self.judge_session(SessionKind::Admin, &cookies)
            }
        }
    }

    /// Judges the origin alone, for calls that anybody may make; a refusal is noted.
    ///
    /// # Errors
    /// `cors_origin_blocked`, `dependency_unavailable`.
    pub(crate) fn admit(&self, facts: &RequestFacts) -> Result<()> {
        self.admit_origin(facts).map_err(|error| self.refuse(facts, error.into()))
    }

    /// Judges the origin alone, and notes nothing.
    ///
    /// # Errors
    /// `cors_origin_blocked`.
    pub(crate) fn admit_origin(&self, facts: &RequestFacts) -> Result<()> {
        if self.origins.allow(facts.origin.as_deref()) {
            return Ok(());
        }
        Err(Error::new(ErrorCode::CorsOriginBlocked, "the origin is not on the allow list"))
    }

    fn judge_generation(&self, facts: &RequestFacts) -> Result<Principal, Refusal> {
        self.judge_presented_key(facts).unwrap_or_else(|| {
            let cookies = self.session_cookies(SessionKind::Generation, facts);
            self.judge_session(SessionKind::Generation, &cookies)
        })
    }

    /// Judges the API key in the header or, when there is none, the one in the query. None when there is neither.
    fn judge_presented_key(&self, facts: &RequestFacts) -> Option<Result<Principal, Refusal>> {
        [&facts.header_keys, &facts.query_keys].into_iter().find_map(|keys| match Presented::of_strings(keys) {
            Presented::Absent => None,
            Presented::Once(key) => Some(self.judge_key(key)),
            Presented::Differing => {
                Some(Err(Error::new(ErrorCode::InvalidApiKey, "two different API keys were presented").into()))
            }
        })
    }

    /// Who starts a session without a key.
    fn judge_nobody(&self) -> Result<Principal, Refusal> {
        if self.sign_in_required {
            let error = Error::new(ErrorCode::SessionRequired, "a session is started with an access key here");
            return Err(error.with_action("Sign in: send your access key in the X-API-Key header.").into());
        }
        Ok(Principal::new(PrincipalKind::Anonymous, "", ""))
    }

    fn judge_admin_key(&self, facts: &RequestFacts) -> Result<Principal> {
        let key = self.admin.as_ref().ok_or_else(set_key::misconfigured)?;
        refuse_admin_key_in_query(facts)?;
        let invalid = |why: &str| Err(Error::new(ErrorCode::AdminKeyInvalid, why));
        match Presented::of_strings(&facts.admin_header_keys) {
            Presented::Once(presented) if key.is(presented) => Ok(Principal::new(PrincipalKind::AdminKey, "key", "")),
            Presented::Once(_) => invalid("the admin key is not valid"),
            Presented::Absent => invalid("no admin key was presented"),
            Presented::Differing => invalid("two different admin keys were presented"),
        }
    }

    fn bucket(&self, window: Window, facts: &RequestFacts) -> Bucket {
        Bucket { window, of: network(self.proxies.client(facts.peer, &facts.forwarded_for)) }
    }

    /// Notes a refusal in the audit log, which may wait for the disk; the error that the caller gets.
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
            // What could not be judged stays that; what was judged and could not be noted becomes it.
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
