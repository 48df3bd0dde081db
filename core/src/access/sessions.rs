//! Sessions: generation sessions end after 24 hours, and admin sessions after 12 hours without use.
//!
//! Only keyed hashes are stored. An admin session's last activity is kept in memory and written at most once a minute, so that
//! a call does not wait for the disk; after a crash such a session may end up to a minute early, never late.

use super::cookies::SessionCookies;
use super::facts::{Principal, PrincipalKind, RequestFacts, RouteClass};
use super::refusal::Refusal;
use super::session_kind::{SessionKind, ended, required};
use super::store::{self, SessionRow};
use super::token::{self, Token};
use super::{Access, fail_closed, settings_key};
use crate::audit::{Caller, Outcome};
use crate::error::{Error, ErrorCode, Result};
use crate::keyring::SecretText;
use crate::time::Timestamp;
use crate::time::millis;
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::HashMap;
use std::time::Duration;

/// How long a generation session lives; use does not prolong it.
pub const SESSION_LIFE: Duration = Duration::from_secs(24 * 3600);

/// How long an admin session lives without use.
pub const ADMIN_IDLE: Duration = Duration::from_secs(12 * 3600);

/// How often an admin session's activity is written, in milliseconds.
const WRITE_EVERY_MS: i64 = 60_000;

/// How long an ended session is remembered, so that it is reported as expired instead of unknown.
const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 3600);

/// Largest number of admin sessions in memory; beyond that, idle ones are removed.
const MOST_ACTIVE: usize = 1024;

/// A new session. The token is shown only once.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct IssuedSession {
    /// The public part of the token.
    pub id: String,
    /// The name of the cookie to set: [`SessionKind::cookie_name`], or that name with a suffix. It has a suffix if the setting
    /// `session_cookie_suffix` is given, or if the browser already has a session of another platform on the same host in the cookie
    /// with the plain name, which must not be overwritten.
    pub cookie: String,
    /// The value of the cookie.
    pub token: SecretText,
    /// When a generation session ends. `None` for an admin session, which ends after a time without use.
    pub expires_at: Option<Timestamp>,
}

/// The state of a generation session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct SessionState {
    /// Stable id.
    pub id: String,
    /// Always true: asking for a session that has ended is an error.
    pub active: bool,
    /// When the session expires.
    pub expires_at: Timestamp,
}

/// The state of an admin session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct AdminSessionState {
    /// Stable id.
    pub id: String,
    /// Always true: asking for a session that has ended is an error.
    pub active: bool,
    /// How long the session may be idle.
    pub idle_timeout_seconds: u64,
    /// When the session was last used.
    pub last_activity_at: Timestamp,
}

/// The last activity of the admin sessions that were used in this process.
#[derive(Default)]
pub(super) struct Activity(Mutex<HashMap<String, Used>>);

#[derive(Clone, Copy)]
struct Used {
    last: i64,
    written: i64,
}

impl Access {
    /// Checks a call for a new generation session and starts the session. With an API key the session belongs to it and ends with it.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let platform = must::Platform::open(must::Settings::new(folder.path()))?;
    /// use must::ErrorCode;
    /// use must::access::{PrincipalKind, RequestFacts, RouteClass, SessionKind};
    /// use must::audit::Caller;
    ///
    /// let access = platform.access()?;
    /// let session = access.open_session(&RequestFacts::new(RouteClass::Auth))?;
    ///
    /// // The browser sends the cookie with every call.
    /// let mut facts = RequestFacts::new(RouteClass::Generation);
    /// facts.cookies.push(format!("{}={}", session.cookie, session.token.expose()));
    /// assert_eq!(access.authorize(&facts)?.kind, PrincipalKind::Session);
    ///
    /// access.revoke_session(SessionKind::Generation, &session.id, &Caller::new("operator", "cli"))?;
    /// assert_eq!(access.authorize(&facts).unwrap_err().code(), ErrorCode::SessionExpired);
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Access::authorize`]; `validation_error` when the facts have another route.
    pub fn open_session(&self, facts: &RequestFacts) -> Result<IssuedSession> {
        check_route(facts, RouteClass::Auth)?;
        let principal = self.authorize(facts)?;
        let with = if principal.kind == PrincipalKind::ApiKey { Some(principal.id.as_str()) } else { None };
        match self.issue(SessionKind::Generation, with, facts, &self.caller(facts, &principal)) {
            // The key was revoked after the check.
            Err(error) if error.code() == ErrorCode::InvalidApiKey => {
                Err(self.refuse(facts, Refusal::by(error, principal.actor())))
            }
            issued => issued,
        }
    }

    /// Checks an admin login and starts an admin session.
    ///
    /// ```
    /// use must::access::{PrincipalKind, RequestFacts, RouteClass};
    /// use must::secrets::SecretText;
    /// use must::{Platform, Settings};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let mut settings = Settings::new(folder.path());
    /// settings.admin_key = Some(SecretText::new("a key of 16 letters or more"));
    /// let platform = Platform::open(settings)?;
    /// let access = platform.access()?;
    ///
    /// let mut login = RequestFacts::new(RouteClass::AdminLogin);
    /// login.admin_header_keys.push("a key of 16 letters or more".to_owned());
    /// let session = access.open_admin_session(&login)?;
    ///
    /// let mut facts = RequestFacts::new(RouteClass::Admin);
    /// facts.cookies.push(format!("{}={}", session.cookie, session.token.expose()));
    /// assert_eq!(access.authorize(&facts)?.kind, PrincipalKind::AdminSession);
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Access::authorize`]; `validation_error` when the facts have another route.
    pub fn open_admin_session(&self, facts: &RequestFacts) -> Result<IssuedSession> {
        check_route(facts, RouteClass::AdminLogin)?;
        let principal = self.authorize(facts)?;
        self.issue(SessionKind::Admin, None, facts, &self.caller(facts, &principal))
    }

    /// Returns the generation session of a request's cookie; keys are ignored.
    ///
    /// # Errors
    /// `session_required`, `session_expired`, `cors_origin_blocked`, `dependency_unavailable`.
    pub fn session_state(&self, facts: &RequestFacts) -> Result<SessionState> {
        let checked = self
            .admit_origin(facts)
            .map_err(Refusal::from)
            .and_then(|()| self.find(SessionKind::Generation, &self.session_cookies(SessionKind::Generation, facts)));
        let row = checked.map_err(|refusal| self.refuse(facts, refusal))?;
        let expires_at = Timestamp(row.expires_at.unwrap_or(row.created_at));
        Ok(SessionState { id: row.id, active: true, expires_at })
    }

    /// Returns the generation session of a request's cookie and its principal, if the session is valid. Notes nothing in the audit
    /// log: a web page calls this before it has a session.
    pub(crate) fn current_session(&self, facts: &RequestFacts) -> Option<(SessionState, Principal)> {
        let cookies = self.session_cookies(SessionKind::Generation, facts);
        let row = self.find(SessionKind::Generation, &cookies).ok()?;
        let expires_at = Timestamp(row.expires_at.unwrap_or(row.created_at));
        Some((SessionState { id: row.id.clone(), active: true, expires_at }, self.session_principal(row)))
    }

    /// Returns the state of an admin session. `id` is the id of the principal of an authorized admin call.
    ///
    /// # Errors
    /// `not_found`, `admin_session_expired`, `dependency_unavailable`.
    pub fn admin_session_state(&self, id: &str, caller: &Caller) -> Result<AdminSessionState> {
        let event = caller.event("admin_session_get", format!("admin:{}", token::shown_id(id)), Outcome::Success);
        let wanted = id.to_owned();
        let work = move |connection: &rusqlite::Connection| {
            let row = store::session(connection, &wanted, true)?.ok_or_else(|| no_session(&wanted))?;
            Ok((row, event))
        };
        let row = self.audit.record(work).map_err(fail_closed)?;
        let last = self.activity.last(id, row.last_used_at);
        if row.ended_at.is_some() || self.clock.now().0 - last >= millis(ADMIN_IDLE) {
            return Err(ended(SessionKind::Admin));
        }
        Ok(AdminSessionState {
            id: row.id,
            active: true,
            idle_timeout_seconds: ADMIN_IDLE.as_secs(),
            last_activity_at: Timestamp(last),
        })
    }

    /// Ends a session, from the next call on. Ending it again changes nothing.
    ///
    /// # Errors
    /// `not_found`, `dependency_unavailable`.
    pub fn revoke_session(&self, kind: SessionKind, id: &str, caller: &Caller) -> Result<()> {
        let now = self.clock.now().0;
        let (action, name) = match kind {
            SessionKind::Generation => ("session_delete", "session"),
            SessionKind::Admin => ("admin_session_delete", "admin"),
        };
        let event = caller.event(action, format!("{name}:{}", token::shown_id(id)), Outcome::Success);
        let wanted = id.to_owned();
        let work = move |connection: &rusqlite::Connection| {
            store::session(connection, &wanted, kind.is_admin())?.ok_or_else(|| no_session(&wanted))?;
            let was_active = store::end_session(connection, &wanted, now)?;
            Ok(((), event.with("was_active", was_active)))
        };
        self.audit.record(work).map_err(fail_closed)?;
        self.activity.forget(id);
        Ok(())
    }

    /// Ends every session of a kind. Returns how many were still active.
    ///
    /// # Errors
    /// `dependency_unavailable`.
    pub fn revoke_all_sessions(&self, kind: SessionKind, caller: &Caller) -> Result<usize> {
        let now = self.clock.now().0;
        let event = caller.event("sessions_revoke_all", kind.as_str(), Outcome::Success);
        let work = move |connection: &rusqlite::Connection| {
            let count = store::end_sessions(connection, kind.is_admin(), now)?;
            Ok((count, event.with("sessions", count)))
        };
        self.audit.record(work).map_err(fail_closed)
    }

    /// Starts a session. `with` is the id of the API key that a generation session is started with.
    fn issue(
        &self,
        kind: SessionKind,
        with: Option<&str>,
        facts: &RequestFacts,
        caller: &Caller,
    ) -> Result<IssuedSession> {
        let cookie = self.cookie_for(kind, facts).map_err(fail_closed)?;
        let made_with = match (kind, &self.admin, &self.api_key) {
            (SessionKind::Admin, Some(key), _) => Some(key.mac(&self.vault)?),
            (SessionKind::Admin, None, _) => return Err(settings_key::misconfigured()),
            (SessionKind::Generation, _, Some(key)) if with == Some(settings_key::ID) => Some(key.mac(&self.vault)?),
            (SessionKind::Generation, ..) => None,
        };
        let key_id = with.filter(|_| made_with.is_none()).map(str::to_owned);
        let token = Token::new(kind.token())?;
        let (pepper, mac) = self.vault.mac(token.text.expose().as_bytes())?;
        let now = self.clock.now().0;
        let expires_at = (!kind.is_admin()).then(|| now.saturating_add(millis(SESSION_LIFE)));
        let (action, name) = match kind {
            SessionKind::Generation => ("session_create", "session"),
            SessionKind::Admin => ("admin_session_create", "admin"),
        };
        let event = caller.event(action, format!("{name}:{}", token.id), Outcome::Success);
        let id = token.id.clone();
        let row = SessionRow {
            id: token.id,
            admin: kind.is_admin(),
            mac,
            pepper,
            key_id,
            key_name: None,
            key_owner: None,
            made_with,
            created_at: now,
            last_used_at: now,
            expires_at,
            ended_at: None,
        };
        let work = move |connection: &rusqlite::Connection| {
            if let Some(key) = &row.key_id
                && store::key(connection, key)?.is_none_or(|key| key.revoked_at.is_some())
            {
                return Err(Error::new(ErrorCode::InvalidApiKey, "the API key was revoked"));
            }
            store::insert_session(connection, &row)?;
            store::forget_sessions(connection, now.saturating_sub(millis(REMEMBERED)))?;
            Ok(((), event))
        };
        self.audit.record(work).map_err(fail_closed)?;
        Ok(IssuedSession { id, cookie, token: token.text, expires_at: expires_at.map(Timestamp) })
    }

    /// Returns the principal of a session cookie. Counts as a use of an admin session.
    pub(super) fn authenticate_session(
        &self,
        kind: SessionKind,
        cookies: &SessionCookies<'_>,
    ) -> Result<Principal, Refusal> {
        let row = self.find(kind, cookies)?;
        Ok(match kind {
            SessionKind::Generation => self.session_principal(row),
            SessionKind::Admin => Principal::new(PrincipalKind::AdminSession, row.id, ""),
        })
    }

    /// Returns the principal of a generation session, named after the key that it was started with, if any.
    fn session_principal(&self, row: SessionRow) -> Principal {
        let of_settings = row.made_with.map(|_| settings_key::ID.to_owned());
        let name = row.key_name.or_else(|| of_settings.clone()).unwrap_or_default();
        let principal = Principal::new(PrincipalKind::Session, row.id, name);
        self.with_owner(principal, row.key_owner.or(of_settings).as_deref())
    }

    /// Returns the session of one token, if it is valid.
    pub(super) fn find_one(&self, kind: SessionKind, presented: &str) -> Result<SessionRow, Refusal> {
        let unknown = || required(kind, "the session is not known");
        let id = token::parse(presented, kind.token()).ok_or_else(unknown)?;
        let Some(row) = self.store.read(|connection| store::session(connection, id, kind.is_admin()))? else {
            // Takes as long as for a session that exists.
            std::hint::black_box(self.vault.mac(presented.as_bytes())?);
            return Err(unknown().into());
        };
        if !self.vault.verify_mac(row.pepper, presented.as_bytes(), &row.mac)? {
            return Err(unknown().into());
        }
        if self.is_active(kind, &row)? {
            return Ok(row);
        }
        let name = if kind.is_admin() { "admin" } else { "session" };
        Err(Refusal::by(ended(kind), format!("{name}:{}", row.id)))
    }

    fn is_active(&self, kind: SessionKind, row: &SessionRow) -> Result<bool> {
        if row.ended_at.is_some() {
            return Ok(false);
        }
        let now = self.clock.now().0;
        // A session ends when the key of the settings that it was started with is replaced.
        let key = if kind.is_admin() { &self.admin } else { &self.api_key };
        match (key, &row.made_with) {
            (Some(key), Some((pepper, mac))) if key.matches_mac(&self.vault, *pepper, mac)? => {}
            (_, None) if !kind.is_admin() => {}
            _ => return Ok(false),
        }
        if kind == SessionKind::Generation {
            return Ok(row.expires_at.is_some_and(|end| now < end));
        }
        match self.activity.touch(row, now) {
            Touch::Idle => return Ok(false),
            Touch::Kept => {}
            Touch::Write => {
                let id = row.id.clone();
                self.store.write_later(move |connection| store::touch_session(connection, &id, now));
            }
        }
        Ok(true)
    }
}

/// The outcome of using an admin session.
enum Touch {
    /// It was idle for too long.
    Idle,
    /// It is valid, and this use need not be written yet.
    Kept,
    /// It is valid, and this use has to be written.
    Write,
}

impl Activity {
    fn touch(&self, row: &SessionRow, now: i64) -> Touch {
        let mut sessions = self.0.lock();
        let stored = Used { last: row.last_used_at, written: row.last_used_at };
        let used = sessions.get(&row.id).copied().unwrap_or(stored);
        let last = used.last.max(row.last_used_at);
        if now - last >= millis(ADMIN_IDLE) {
            sessions.remove(&row.id);
            return Touch::Idle;
        }
        let write = now - used.written >= WRITE_EVERY_MS;
        if sessions.len() >= MOST_ACTIVE {
            sessions.retain(|_, used| now - used.last < millis(ADMIN_IDLE));
        }
        // Two calls may arrive here in the reverse order of their times.
        sessions.insert(row.id.clone(), Used { last: now.max(last), written: if write { now } else { used.written } });
        if write { Touch::Write } else { Touch::Kept }
    }

    fn last(&self, id: &str, stored: i64) -> i64 {
        self.0.lock().get(id).map_or(stored, |used| used.last.max(stored))
    }

    fn forget(&self, id: &str) {
        self.0.lock().remove(id);
    }
}

fn check_route(facts: &RequestFacts, route: RouteClass) -> Result<()> {
    if facts.route == route {
        return Ok(());
    }
    Err(Error::validation(format!("the facts have the route {}, not {}", facts.route.as_str(), route.as_str())))
}

fn no_session(id: &str) -> Error {
    Error::new(ErrorCode::NotFound, format!("there is no session {}", token::shown_id(id)))
        .with_action("Check the session's id.")
}
