//! The life of sessions: generation sessions of 24 hours, and admin sessions that end after 12 hours without use.
//!
//! Only keyed hashes are stored. An admin session's last activity is kept in memory and written down once a minute at most, so
//! that a call does not wait for the disk; after a crash such a session may end up to a minute early, never late.

use super::cookies::SessionCookies;
use super::facts::{Principal, PrincipalKind, RequestFacts, RouteClass};
use super::refusal::Refusal;
use super::session_kind::{SessionKind, ended, required};
use super::store::{self, SessionRow};
use super::token::{self, Token};
use super::{Access, fail_closed, set_key};
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

/// How often an admin session's activity is written down.
const WRITE_EVERY_MS: i64 = 60_000;

/// How long a session that ended is told from one that never was.
const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 3600);

/// Most admin sessions in memory before those that stand idle are let go of.
const MOST_ACTIVE: usize = 1024;

/// A new session. The token is shown this once.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct IssuedSession {
    /// The public part of the token.
    pub id: String,
    /// The name of the cookie that it belongs into: that of the specification, unless the request carries a session of another
    /// platform on the same host in it, which is left alone.
    pub cookie: String,
    /// The value of the cookie.
    pub token: SecretText,
    /// When a generation session ends; an admin session ends by standing idle.
    pub expires_at: Option<Timestamp>,
}

/// How a generation session stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct SessionState {
    /// Stable id.
    pub id: String,
    /// Always true: a session that has ended is an error.
    pub active: bool,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

/// How an admin session stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct AdminSessionState {
    /// Stable id.
    pub id: String,
    /// Always true: a session that has ended is an error.
    pub active: bool,
    /// How long it may be idle.
    pub idle_timeout_seconds: u64,
    /// When it was last used.
    pub last_activity_at: Timestamp,
}

/// Last activity of the admin sessions that were used in this process.
#[derive(Default)]
pub(super) struct Activity(Mutex<HashMap<String, Used>>);

#[derive(Clone, Copy)]
struct Used {
    last: i64,
    written: i64,
}

impl Access {
    /// Judges a call for a new generation session and makes one. With an API key the session belongs to it and ends with it.
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
    /// As [`Access::authorize`]; `validation_error` when the facts are of another route.
    pub fn open_session(&self, facts: &RequestFacts) -> Result<IssuedSession> {
        of_route(facts, RouteClass::Auth)?;
        let principal = self.authorize(facts)?;
        let with = if principal.kind == PrincipalKind::ApiKey { Some(principal.id.as_str()) } else { None };
        match self.issue(SessionKind::Generation, with, facts, &self.caller(facts, &principal)) {
            // Revoked in the moment between.
            Err(error) if error.code() == ErrorCode::InvalidApiKey => {
                Err(self.refuse(facts, Refusal::of(error, principal.actor())))
            }
            issued => issued,
        }
    }

    /// Judges an admin login and makes an admin session.
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
    /// As [`Access::authorize`]; `validation_error` when the facts are of another route.
    pub fn open_admin_session(&self, facts: &RequestFacts) -> Result<IssuedSession> {
        of_route(facts, RouteClass::AdminLogin)?;
        let principal = self.authorize(facts)?;
        self.issue(SessionKind::Admin, None, facts, &self.caller(facts, &principal))
    }

    /// The generation session that a request's cookie names; keys are not looked at.
    ///
    /// # Errors
    /// `session_required`, `session_expired`, `cors_origin_blocked`, `dependency_unavailable`.
    pub fn session_state(&self, facts: &RequestFacts) -> Result<SessionState> {
        let judged = self
            .admit_origin(facts)
            .map_err(Refusal::from)
            .and_then(|()| self.find(SessionKind::Generation, &self.session_cookies(SessionKind::Generation, facts)));
        let row = judged.map_err(|refusal| self.refuse(facts, refusal))?;
        let expires_at = Timestamp(row.expires_at.unwrap_or(row.created_at));
        Ok(SessionState { id: row.id, active: true, expires_at })
    }

    /// The generation session that a request's cookie names, when it is good, and who it is of. Notes nothing: a page asks this
    /// before it has a session.
    pub(crate) fn present_session(&self, facts: &RequestFacts) -> Option<(SessionState, Principal)> {
        let cookies = self.session_cookies(SessionKind::Generation, facts);
        let row = self.find(SessionKind::Generation, &cookies).ok()?;
        let expires_at = Timestamp(row.expires_at.unwrap_or(row.created_at));
        Some((SessionState { id: row.id.clone(), active: true, expires_at }, self.session_principal(row)))
    }

    /// How an admin session stands. `id` is that of the principal that an authorized admin call is from.
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

    /// Ends every session of a kind; how many were still going.
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

    /// `with` is the id of the API key that a generation session is made with.
    fn issue(
        &self,
        kind: SessionKind,
        with: Option<&str>,
        facts: &RequestFacts,
        caller: &Caller,
    ) -> Result<IssuedSession> {
        let cookie = self.cookie_for(kind, facts).map_err(fail_closed)?;
        let made_with = match (kind, &self.admin, &self.own) {
            (SessionKind::Admin, Some(key), _) => Some(key.mac(&self.vault)?),
            (SessionKind::Admin, None, _) => return Err(set_key::misconfigured()),
            (SessionKind::Generation, _, Some(key)) if with == Some(set_key::ID) => Some(key.mac(&self.vault)?),
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

    /// Who a session cookie is from. An admin session that is good counts as used now.
    pub(super) fn judge_session(&self, kind: SessionKind, cookies: &SessionCookies<'_>) -> Result<Principal, Refusal> {
        let row = self.find(kind, cookies)?;
        Ok(match kind {
            SessionKind::Generation => self.session_principal(row),
            SessionKind::Admin => Principal::new(PrincipalKind::AdminSession, row.id, ""),
        })
    }

    /// Who a generation session is of: the key that it was started with, if any.
    fn session_principal(&self, row: SessionRow) -> Principal {
        let of_settings = row.made_with.map(|_| set_key::ID.to_owned());
        let name = row.key_name.or_else(|| of_settings.clone()).unwrap_or_default();
        let principal = Principal::new(PrincipalKind::Session, row.id, name);
        self.with_owner(principal, row.key_owner.or(of_settings).as_deref())
    }

    /// The session of one token.
    pub(super) fn find_one(&self, kind: SessionKind, presented: &str) -> Result<SessionRow, Refusal> {
        let unknown = || required(kind, "the session is not known");
        let id = token::parse(presented, kind.token()).ok_or_else(unknown)?;
        let Some(row) = self.store.read(|connection| store::session(connection, id, kind.is_admin()))? else {
            // As much work as for a session that exists.
            std::hint::black_box(self.vault.mac(presented.as_bytes())?);
            return Err(unknown().into());
        };
        if !self.vault.verify_mac(row.pepper, presented.as_bytes(), &row.mac)? {
            return Err(unknown().into());
        }
        if self.goes_on(kind, &row)? {
            return Ok(row);
        }
        let name = if kind.is_admin() { "admin" } else { "session" };
        Err(Refusal::of(ended(kind), format!("{name}:{}", row.id)))
    }

    fn goes_on(&self, kind: SessionKind, row: &SessionRow) -> Result<bool> {
        if row.ended_at.is_some() {
            return Ok(false);
        }
        let now = self.clock.now().0;
        // A session ends with the key of the settings that it was made with.
        let key = if kind.is_admin() { &self.admin } else { &self.own };
        match (key, &row.made_with) {
            (Some(key), Some((pepper, mac))) if key.made(&self.vault, *pepper, mac)? => {}
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

/// What came of using an admin session.
enum Touch {
    /// It stood idle for too long.
    Idle,
    /// It is used, and that need not be written down yet.
    Kept,
    /// It is used, and that is to be written down.
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
        // Two calls may come here in the other order than their times.
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

fn of_route(facts: &RequestFacts, route: RouteClass) -> Result<()> {
    if facts.route == route {
        return Ok(());
    }
    Err(Error::validation(format!("the facts are of the route {}, not {}", facts.route.as_str(), route.as_str())))
}

fn no_session(id: &str) -> Error {
    Error::new(ErrorCode::NotFound, format!("there is no session {}", token::shown_id(id)))
        .with_action("Check the session's id.")
}
