//! Sessions of callers and of administrators, in cookies.

use super::call::{Call, Reply};
use super::views::{AdminSessionView, NewSession, SessionView};
use crate::access::{RequestFacts, RouteClass, SESSION_LIFE, SessionKind};
use crate::error::{Error, Result};
use crate::settings::HttpSettings;
use http::header::SET_COOKIE;
use http::{HeaderValue, StatusCode};

pub(super) fn open(call: &Call) -> Result<Reply> {
    let session = call.platform().access()?.open_session(&call.facts)?;
    let view = NewSession { active: true, session_status: "active", expires_at: session.expires_at };
    let life = Some(SESSION_LIFE.as_secs());
    let cookie = cookie(&session.cookie, session.token.expose(), life, &call.shared.settings)?;
    Ok(Reply::json(StatusCode::CREATED, &view)?.with(SET_COOKIE, cookie))
}

pub(super) fn state(call: &Call) -> Result<Reply> {
    let state = call.platform().access()?.session_state(&call.facts)?;
    Reply::ok(&SessionView { active: state.active, valid: true, expires_at: state.expires_at })
}

pub(super) fn close(call: &Call) -> Result<Reply> {
    let facts = RequestFacts {
        route: RouteClass::Generation,
        header_keys: Vec::new(),
        query_keys: Vec::new(),
        ..call.facts.clone()
    };
    let access = call.platform().access()?;
    let principal = access.authorize(&facts)?;
    access.revoke_session(SessionKind::Generation, &principal.id, &access.caller(&facts, &principal))?;
    ended(call, SessionKind::Generation)
}

pub(super) fn open_admin(call: &Call) -> Result<Reply> {
    let session = call.platform().access()?.open_admin_session(&call.facts)?;
    // The browser deletes the cookie when the browser is closed; the platform ends the session after 12 hours without use.
    let cookie = cookie(&session.cookie, session.token.expose(), None, &call.shared.settings)?;
    Ok(Reply::empty().with(SET_COOKIE, cookie))
}

pub(super) fn admin_state(call: &Call) -> Result<Reply> {
    let state = call.platform().access()?.admin_session_state(session_id(call)?, &call.caller()?)?;
    Reply::ok(&AdminSessionView {
        active: state.active,
        idle_timeout_seconds: state.idle_timeout_seconds,
        last_activity_at: state.last_activity_at,
    })
}

pub(super) fn close_admin(call: &Call) -> Result<Reply> {
    call.platform().access()?.revoke_session(SessionKind::Admin, session_id(call)?, &call.caller()?)?;
    ended(call, SessionKind::Admin)
}

fn session_id(call: &Call) -> Result<&str> {
    call.principal
        .as_ref()
        .map(|principal| principal.id.as_str())
        .ok_or_else(|| Error::internal("an admin call without a principal"))
}

fn ended(call: &Call, kind: SessionKind) -> Result<Reply> {
    let name = call.platform().access()?.carrying_cookie(kind, &call.facts);
    Ok(Reply::empty().with(SET_COOKIE, cookie(&name, "", Some(0), &call.shared.settings)?))
}

fn cookie(name: &str, token: &str, life: Option<u64>, settings: &HttpSettings) -> Result<HeaderValue> {
    let path = settings.session_cookie_path.as_str();
    let mut text =
        format!("{name}={token}; Path={path}; HttpOnly; SameSite={}", settings.session_cookie_same_site.as_str());
    if settings.session_cookie_secure {
        text.push_str("; Secure");
    }
    if let Some(life) = life {
        text.push_str(&format!("; Max-Age={life}"));
    }
    let mut value = HeaderValue::from_str(&text).map_err(|_| Error::internal("a token does not fit into a cookie"))?;
    value.set_sensitive(true);
    Ok(value)
}
