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
        call("auth.authorize", authorize).about("Says who a request is from.").fails(
            "the code that the request is to be answered with: `cors_origin_blocked`, `rate_limited`, `invalid_api_key`, \
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
            .about("Says how the session in the request's cookie stands.")
            .fails("`session_required`, `session_expired`, `cors_origin_blocked`"),
        call("auth.revoke_session", |platform, one| revoke_session(platform, one, SessionKind::Generation))
            .about("Ends a session, from the next call on. Ending it again changes nothing.")
            .fails("`not_found`"),
        call("auth.revoke_all_sessions", |platform, by| revoke_all_sessions(platform, by, SessionKind::Generation))
            .about("Ends every session, and says how many were still going."),
        call("auth.allows_origin", allows_origin).about("Whether a browser's page of this origin may call."),
        call("auth.issue_key", issue_key).about("Issues an API key.").outside_too().fails(
            "`validation_error` for a name that is not 1 to 64 characters without control characters, and for a life of 0 or \
             of more than 90 days",
        ),
        call("auth.keys", keys).about("Every key, newest first, revoked ones too.").outside_too(),
        call("auth.rotate_key", rotate_key)
            .about("Issues a key in the place of another, with its name and as long a life.")
            .outside_too()
            .fails(
                "`validation_error` for an overlap of more than 7 days; `not_found`; `invalid_state` for a key that was revoked, \
                 has expired or was rotated already",
            ),
        call("auth.revoke_key", revoke_key)
            .about(
                "Revokes a key and every session that was opened with it, from the next call on, and says how many sessions \
                 these were. Revoking it again changes nothing.",
            )
            .outside_too()
            .fails("`not_found`"),
        call("admin.open_session", open_admin_session)
            .about("Opens an admin session for a request of the route `admin_login`.")
            .fails("the codes of `auth.authorize`; `validation_error` for facts of another route"),
        call("admin.session_state", admin_session_state)
            .about("Says how an admin session stands; the id is that of the principal of an authorized admin request.")
            .fails("`not_found`, `admin_session_expired`"),
        call("admin.revoke_session", |platform, one| revoke_session(platform, one, SessionKind::Admin))
            .about("Ends an admin session, from the next call on. Ending it again changes nothing.")
            .fails("`not_found`"),
        call("admin.revoke_all_sessions", |platform, by| revoke_all_sessions(platform, by, SessionKind::Admin))
            .about("Ends every admin session, and says how many were still going."),
    ]
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Facts {
    /// What the request brought along.
    facts: RequestFacts,
}

/// Who a request is from.
#[derive(Serialize, JsonSchema)]
struct Principal {
    /// What it showed.
    kind: PrincipalKind,
    /// Id of the key or session; `key` for the admin key, empty when anonymous.
    id: String,
    /// Name of the key, or of the one that the session was opened with; else empty.
    name: String,
    /// The same as the audit log names it.
    actor: String,
    /// The caller of administrative calls on its behalf.
    #[schemars(with = "CallerArgument")]
    caller: crate::audit::Caller,
    /// Whose tasks the caller makes and sees. Null for administrators, and while the setting `sign_in_required` is off: they see all.
    owner: Option<String>,
}

/// A new session. Its token is shown this once.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "IssuedSession")]
struct NewSession {
    /// Stable id.
    id: String,
    /// Name of the cookie: `gg_session` or `gg_admin_session`, and with something at its end where the request has a session of another
    /// platform on the same host in that one.
    cookie: String,
    /// Value of the cookie.
    token: Shown,
    /// When it ends by itself; null for an admin session, which ends when it is idle.
    expires_at: Option<Timestamp>,
}

/// A new key. Its secret is shown this once.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "IssuedKey")]
struct NewKey {
    /// The key.
    key: ApiKey,
    /// What a caller sends as `X-API-Key`.
    secret: Shown,
}

/// How many sessions a call ended.
#[derive(Serialize, JsonSchema)]
struct EndedSessions {
    /// How many.
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
    /// As the browser sends it, such as `https://studio.example`.
    origin: String,
}

fn allows_origin(platform: &Platform, OneOrigin { origin }: OneOrigin) -> Result<bool> {
    Ok(platform.access()?.allows_origin(&origin))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct IssueKey {
    /// What a person calls it: 1 to 64 characters.
    name: String,
    /// How long it is good; 90 days when left out.
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
    /// How long the old key stays good, but not beyond its own end; 24 hours when left out.
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
