//! `auth.*` and `admin.*`.

use super::{CallerArgument, Handler, IdAndCaller, Nothing, OnlyCaller, caller, seconds};
use crate::access::{ApiKey, IssuedKey, IssuedSession, Principal, RequestFacts, SessionKind};
use crate::audit::Caller;
use crate::error::Result;
use crate::json::{read_secret as read, secret_text as answer};
use crate::keyring::SecretText;
use crate::platform::Platform;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

pub(super) const CALLS: &[(&str, Handler)] = &[
    ("auth.authorize", authorize),
    ("auth.open_session", open_session),
    ("auth.session_state", session_state),
    ("auth.revoke_session", |platform, name, text| revoke_session(platform, name, text, SessionKind::Generation)),
    ("auth.revoke_all_sessions", |platform, name, text| {
        revoke_all_sessions(platform, name, text, SessionKind::Generation)
    }),
    ("auth.allows_origin", allows_origin),
    ("auth.issue_key", issue_key),
    ("auth.keys", keys),
    ("auth.rotate_key", rotate_key),
    ("auth.revoke_key", revoke_key),
    ("admin.open_session", open_admin_session),
    ("admin.session_state", admin_session_state),
    ("admin.revoke_session", |platform, name, text| revoke_session(platform, name, text, SessionKind::Admin)),
    ("admin.revoke_all_sessions", |platform, name, text| revoke_all_sessions(platform, name, text, SessionKind::Admin)),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Facts {
    facts: RequestFacts,
}

/// Who a request is from, and the caller of administrative calls on its behalf.
#[derive(Serialize)]
struct Authorized<'a> {
    #[serde(flatten)]
    principal: &'a Principal,
    actor: String,
    caller: Caller,
}

#[derive(Serialize)]
struct NewSession<'a> {
    id: &'a str,
    cookie: &'a str,
    token: &'a str,
    expires_at: Option<Timestamp>,
}

#[derive(Serialize)]
struct NewKey<'a> {
    key: &'a ApiKey,
    secret: &'a str,
}

/// How many sessions a call ended.
#[derive(Serialize)]
struct Ended {
    sessions: usize,
}

fn authorize(platform: &Platform, name: &str, text: &str) -> Result<SecretText> {
    let Facts { facts } = read(name, text)?;
    let access = platform.access()?;
    let principal = access.authorize(&facts)?;
    let caller = access.caller(&facts, &principal);
    answer(&Authorized { actor: principal.actor(), caller, principal: &principal })
}

fn open_session(platform: &Platform, name: &str, text: &str) -> Result<SecretText> {
    let Facts { facts } = read(name, text)?;
    new_session(&platform.access()?.open_session(&facts)?)
}

fn open_admin_session(platform: &Platform, name: &str, text: &str) -> Result<SecretText> {
    let Facts { facts } = read(name, text)?;
    new_session(&platform.access()?.open_admin_session(&facts)?)
}

fn new_session(session: &IssuedSession) -> Result<SecretText> {
    answer(&NewSession {
        id: &session.id,
        cookie: &session.cookie,
        token: session.token.expose(),
        expires_at: session.expires_at,
    })
}

fn session_state(platform: &Platform, name: &str, text: &str) -> Result<SecretText> {
    let Facts { facts } = read(name, text)?;
    answer(&platform.access()?.session_state(&facts)?)
}

fn admin_session_state(platform: &Platform, name: &str, text: &str) -> Result<SecretText> {
    let arguments: IdAndCaller = read(name, text)?;
    answer(&platform.access()?.admin_session_state(&arguments.id, &caller(arguments.caller))?)
}

fn revoke_session(platform: &Platform, name: &str, text: &str, kind: SessionKind) -> Result<SecretText> {
    let arguments: IdAndCaller = read(name, text)?;
    answer(&platform.access()?.revoke_session(kind, &arguments.id, &caller(arguments.caller))?)
}

fn revoke_all_sessions(platform: &Platform, name: &str, text: &str, kind: SessionKind) -> Result<SecretText> {
    let arguments: OnlyCaller = read(name, text)?;
    let sessions = platform.access()?.revoke_all_sessions(kind, &caller(arguments.caller))?;
    answer(&Ended { sessions })
}

fn allows_origin(platform: &Platform, name: &str, text: &str) -> Result<SecretText> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Arguments {
        origin: String,
    }
    let Arguments { origin } = read(name, text)?;
    answer(&platform.access()?.allows_origin(&origin))
}

fn issue_key(platform: &Platform, name: &str, text: &str) -> Result<SecretText> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Arguments {
        name: String,
        #[serde(default)]
        valid_for: Option<f64>,
        #[serde(default)]
        caller: Option<CallerArgument>,
    }
    let arguments: Arguments = read(name, text)?;
    let life = arguments.valid_for.map(|value| seconds("valid_for", value)).transpose()?;
    new_key(&platform.access()?.issue_key(&arguments.name, life, &caller(arguments.caller))?)
}

fn rotate_key(platform: &Platform, name: &str, text: &str) -> Result<SecretText> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Arguments {
        id: String,
        #[serde(default)]
        overlap: Option<f64>,
        #[serde(default)]
        caller: Option<CallerArgument>,
    }
    let arguments: Arguments = read(name, text)?;
    let overlap = arguments.overlap.map(|value| seconds("overlap", value)).transpose()?;
    new_key(&platform.access()?.rotate_key(&arguments.id, overlap, &caller(arguments.caller))?)
}

fn new_key(issued: &IssuedKey) -> Result<SecretText> {
    answer(&NewKey { key: &issued.key, secret: issued.secret.expose() })
}

fn keys(platform: &Platform, name: &str, text: &str) -> Result<SecretText> {
    let Nothing {} = read(name, text)?;
    answer(&platform.access()?.keys()?)
}

fn revoke_key(platform: &Platform, name: &str, text: &str) -> Result<SecretText> {
    let arguments: IdAndCaller = read(name, text)?;
    let sessions = platform.access()?.revoke_key(&arguments.id, &caller(arguments.caller))?;
    answer(&Ended { sessions })
}
