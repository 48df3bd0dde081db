//! `auth.*` and `admin.*`.

use super::{CallerArgument, Entry, IdAndCaller, Nothing, OnlyCaller, Seconds, Shown, call, caller};
use crate::access::{
    AdminSessionState, ApiKey, IssuedKey, IssuedSession, PrincipalKind, RequestFacts, SessionKind, SessionState,
};
use crate::error::Result;
use crate::platform::Platform;
use crate::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(super) fn calls() -> Vec<Entry> {
    vec![
        call("auth.authorize", authorize).about("Determines who sent a request.").fails(
            "the code to answer the request with: `cors_origin_blocked`, `rate_limited`, `invalid_api_key`, \
             `session_required`, `session_expired`, `admin_misconfigured`, `admin_key_invalid`, `admin_session_required` or \
             `admin_session_expired`",
        ),
        call("auth.open_session", open_session)
            .about(
                "Opens a generation session for a request of the route `auth`. The request needs an API key while the setting \
                 `sign_in_required` is on.",
            )
            .fails("the codes of `auth.authorize`; `validation_error` for facts of another route"),
        call("auth.session_state", session_state)
            .about("Returns the state of the session in the request's cookie.")
            .fails("`session_required`, `session_expired`, `cors_origin_blocked`"),
        call("auth.revoke_session", |platform, one| revoke_session(platform, one, SessionKind::Generation))
            .about("Ends a session. The next call with it is refused. Ending it again changes nothing.")
            .fails("`not_found`"),
        call("auth.revoke_all_sessions", |platform, by| revoke_all_sessions(platform, by, SessionKind::Generation))
            .about("Ends every session, and returns how many were still active."),
        call("auth.allows_origin", allows_origin).about("Returns whether web pages of this origin may call the platform."),
        call("auth.issue_key", issue_key).about("Issues an API key.").also_outside().fails(
            "`validation_error` if the name is not 1 to 64 characters without control characters, or if the validity is 0 or \
             more than 90 days",
        ),
        call("auth.keys", keys).about("Lists every key, also revoked ones, newest first.").also_outside(),
        call("auth.rotate_key", rotate_key)
            .about("Issues a key that replaces another one. It has the same name and the same validity period.")
            .also_outside()
            .fails(
                "`validation_error` if the overlap is more than 7 days; `not_found`; `invalid_state` if the key was revoked, has \
                 expired or was already rotated",
            ),
        call("auth.revoke_key", revoke_key)
            .about(
                "Revokes a key and every session that was opened with it, and returns the number of these sessions. The next \
                 call with any of them is refused. Revoking it again changes nothing.",
            )
            .also_outside()
            .fails("`not_found`"),
        call("admin.open_session", open_admin_session)
            .about("Opens an admin session for a request of the route `admin_login`.")
            .fails("the codes of `auth.authorize`; `validation_error` for facts of another route"),
        call("admin.session_state", admin_session_state)
            .about("Returns the state of an admin session. The id is that of the principal of an authorized admin request.")
            .fails("`not_found`, `admin_session_expired`"),
        call("admin.revoke_session", |platform, one| revoke_session(platform, one, SessionKind::Admin))
            .about("Ends an admin session. The next call with it is refused. Ending it again changes nothing.")
            .fails("`not_found`"),
        call("admin.revoke_all_sessions", |platform, by| revoke_all_sessions(platform, by, SessionKind::Admin))
            .about("Ends every admin session, and returns how many were still active."),
    ]
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Facts {
    /// Facts about the request.
    facts: RequestFacts,
}

/// The sender of a request.
#[derive(Serialize, JsonSchema)]
struct Principal {
    /// The kind of credential that the request has.
    kind: PrincipalKind,
    /// Id of the key or session. It is `key` for the admin key and empty for an anonymous request.
    id: String,
    /// Name of the key, or of the key that the session was opened with; otherwise empty.
    name: String,
    /// The name of the sender in the audit log.
    actor: String,
    /// The caller to give to administrative calls on behalf of the sender.
    #[schemars(with = "CallerArgument")]
    caller: crate::audit::Caller,
    /// The owner of the tasks that the sender makes and sees. Null for administrators, and for everyone while the setting
    /// `sign_in_required` is off: they see all tasks.
    owner: Option<String>,
}

/// A new session. Its token is shown only here.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "IssuedSession")]
struct NewSession {
    /// Stable id.
    id: String,
    /// Name of the cookie: `gg_session` or `gg_admin_session`. It has a suffix if the request has a session of another platform on the
    /// same host in the cookie of that name.
    cookie: String,
    /// Value of the cookie.
    token: Shown,
    /// When the session expires. Null for an admin session, which expires after a time without calls.
    expires_at: Option<Timestamp>,
}

/// A new key. Its secret is shown only here.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "IssuedKey")]
struct NewKey {
    /// The key.
    key: ApiKey,
    /// The text to send as `X-API-Key`.
    secret: Shown,
}

/// The number of sessions that a call ended.
#[derive(Serialize, JsonSchema)]
struct EndedSessions {
    /// Number of sessions.
    sessions: usize,
}

fn authorize(platform: &Platform, Facts { facts }: Facts) -> Result<Principal> {
    let access = platform.access()?;
    let principal = access.authorize(&facts)?;
    Ok(Principal {
        actor: principal.actor(),
        caller: access.caller(&facts, &principal),
        kind: principal.kind,
        id: principal.id,
        name: principal.name,
        owner: principal.owner,
    })
}

fn open_session(platform: &Platform, Facts { facts }: Facts) -> Result<NewSession> {
    platform.access()?.open_session(&facts).map(new_session)
}

fn open_admin_session(platform: &Platform, Facts { facts }: Facts) -> Result<NewSession> {
    platform.access()?.open_admin_session(&facts).map(new_session)
}

fn new_session(session: IssuedSession) -> NewSession {
    NewSession { id: session.id, cookie: session.cookie, token: Shown(session.token), expires_at: session.expires_at }
}

fn session_state(platform: &Platform, Facts { facts }: Facts) -> Result<SessionState> {
    platform.access()?.session_state(&facts)
}

fn admin_session_state(platform: &Platform, IdAndCaller { id, caller: by }: IdAndCaller) -> Result<AdminSessionState> {
    platform.access()?.admin_session_state(&id, &caller(by))
}

fn revoke_session(platform: &Platform, IdAndCaller { id, caller: by }: IdAndCaller, kind: SessionKind) -> Result<()> {
    platform.access()?.revoke_session(kind, &id, &caller(by))
}

fn revoke_all_sessions(
    platform: &Platform,
    OnlyCaller { caller: by }: OnlyCaller,
    kind: SessionKind,
) -> Result<EndedSessions> {
    let sessions = platform.access()?.revoke_all_sessions(kind, &caller(by))?;
    Ok(EndedSessions { sessions })
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OneOrigin {
    /// The origin as the browser sends it, such as `https://studio.example`.
    origin: String,
}

fn allows_origin(platform: &Platform, OneOrigin { origin }: OneOrigin) -> Result<bool> {
    Ok(platform.access()?.allows_origin(&origin))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct IssueKey {
    /// A name for people to read: 1 to 64 characters.
    name: String,
    /// How long the key is valid. The default is 90 days.
    #[serde(default)]
    valid_for_seconds: Option<Seconds>,
    #[serde(default)]
    caller: Option<CallerArgument>,
}

fn issue_key(platform: &Platform, IssueKey { name, valid_for_seconds, caller: by }: IssueKey) -> Result<NewKey> {
    let life = valid_for_seconds.map(|length| length.duration("valid_for_seconds")).transpose()?;
    platform.access()?.issue_key(&name, life, &caller(by)).map(new_key)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RotateKey {
    /// Id of the key.
    id: String,
    /// How long the old key stays valid, at most until its own expiry. The default is 24 hours.
    #[serde(default)]
    overlap_seconds: Option<Seconds>,
    #[serde(default)]
    caller: Option<CallerArgument>,
}

fn rotate_key(platform: &Platform, RotateKey { id, overlap_seconds, caller: by }: RotateKey) -> Result<NewKey> {
    let overlap = overlap_seconds.map(|length| length.duration("overlap_seconds")).transpose()?;
    platform.access()?.rotate_key(&id, overlap, &caller(by)).map(new_key)
}

fn new_key(issued: IssuedKey) -> NewKey {
    NewKey { key: issued.key, secret: Shown(issued.secret) }
}

fn keys(platform: &Platform, Nothing {}: Nothing) -> Result<Vec<ApiKey>> {
    platform.access()?.keys()
}

fn revoke_key(platform: &Platform, IdAndCaller { id, caller: by }: IdAndCaller) -> Result<EndedSessions> {
    let sessions = platform.access()?.revoke_key(&id, &caller(by))?;
    Ok(EndedSessions { sessions })
}
