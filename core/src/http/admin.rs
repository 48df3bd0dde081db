//! Administration: readiness, the audit log, the life of secrets.

use super::call::{Call, Reply, word};
use super::route::Making;
use super::state::{blocking, check, proxied};
use crate::audit::{AuditQuery, Outcome};
use crate::error::{Error, Result};
use crate::keyring::OVERLAP;
use crate::keyring::SecretText;
use crate::metrics::LaneStatus;
use crate::platform::outside::{self, Waits};
use crate::secrets::SecretStatus;
use crate::task::SubmitOptions;
use crate::time::Timestamp;
use axum::body::Body;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// Whether a part of the platform can be used.
#[derive(Serialize, JsonSchema)]
pub(super) struct Readiness {
    ok: bool,
    /// Why not.
    detail: Option<String>,
}

impl Readiness {
    fn of<T>(outcome: &Result<T>) -> Self {
        Self { ok: outcome.is_ok(), detail: outcome.as_ref().err().map(|error| error.detail().to_owned()) }
    }
}

/// How the parts of the platform stand.
#[derive(Serialize, JsonSchema)]
pub(super) struct AdminHealth {
    ok: bool,
    storage: Readiness,
    secrets: Readiness,
    audit: Readiness,
    /// Accounts of workers by state.
    accounts: std::collections::BTreeMap<&'static str, usize>,
    lanes: Vec<LaneStatus>,
    /// Tasks that wait for a lane.
    waiting: usize,
}

pub(super) fn health(call: &Call) -> Result<Reply> {
    call.only(&[])?;
    let platform = call.platform();
    let storage = Readiness::of(&platform.tasks(&crate::TaskQuery { per_page: 1, ..Default::default() }));
    let secrets = Readiness::of(&platform.secrets()?.check());
    let audit = Readiness::of(&platform.audit()?.check());
    let load = platform.load()?;
    Reply::ok(&AdminHealth {
        ok: storage.ok && secrets.ok && audit.ok,
        storage,
        secrets,
        audit,
        accounts: platform.account_counts()?,
        lanes: load.lanes,
        waiting: load.waiting,
    })
}

pub(super) fn logs(call: &Call) -> Result<Reply> {
    call.only(&["limit", "before", "actor", "action", "outcome", "since", "until"])?;
    let outcomes = [("success", Outcome::Success), ("failure", Outcome::Failure), ("denied", Outcome::Denied)];
    let query = AuditQuery {
        limit: super::call::at_least_one("limit", call.number("limit")?)?,
        before: call.number("before")?,
        actor: call.query("actor")?.map(str::to_owned),
        action: call.query("action")?.map(str::to_owned),
        outcome: word(call, "outcome", &outcomes)?,
        since: moment(call, "since")?,
        until: moment(call, "until")?,
    };
    Reply::ok(&call.platform().audit()?.list(&query, &call.caller()?)?)
}

/// A moment in the query: as events say it, or in milliseconds since 1970.
fn moment(call: &Call, name: &str) -> Result<Option<i64>> {
    let Some(text) = call.query(name)? else { return Ok(None) };
    let milliseconds = text.parse().ok().or_else(|| Timestamp::from_rfc3339(text).map(|moment| moment.0));
    milliseconds.map(Some).ok_or_else(|| {
        Error::validation(format!("{name} must be a moment of RFC 3339, or milliseconds since 1970"))
            .with_action("Write it as events do: 2026-11-29T09:15:45.123Z.")
    })
}

pub(super) fn verify(call: &Call) -> Result<Reply> {
    call.only(&[])?;
    Reply::ok(&call.platform().audit()?.verify()?)
}

/// Makes a call by its name. Whatever others wait for, an administrator gets through: a call takes a place among those that may take
/// long only where it waits for a worker itself.
pub(super) fn call(call: Call) -> Making {
    Box::pin(async move {
        call.only(&[])?;
        let shared = Arc::clone(&call.shared);
        let _place = match outside::waits(call.part("call")) {
            Waits::InQueue => return submit(call).await,
            Waits::ForCheck => Some(check(&shared).await?),
            Waits::ForWorkerOfTask => proxied(&shared, &call.argument("id")?).await?,
            Waits::ForNothing => None,
        };
        blocking(&shared, move || {
            let (platform, name) = (call.platform(), call.part("call"));
            answered(&outside::call_over_http(platform, name, call.json_text()?, &call.caller()?)?)
        })
        .await
    })
}

async fn submit(call: Call) -> Result<Reply> {
    let platform = call.platform().clone();
    let submission = platform.make_and_submit(move |platform| {
        Ok((outside::submission_over_http(platform, call.json_text()?)?, SubmitOptions::default()))
    });
    answered(&outside::submitted(&submission.await?)?)
}

fn answered(answer: &SecretText) -> Result<Reply> {
    let body = Body::from(answer.expose().to_owned());
    Ok(Reply::new(StatusCode::OK, body).with(CONTENT_TYPE, HeaderValue::from_static("application/json")))
}

/// Every secret, without its value.
#[derive(Serialize, JsonSchema)]
pub(super) struct Secrets {
    secrets: Vec<SecretStatus>,
}

pub(super) fn secrets(call: &Call) -> Result<Reply> {
    call.only(&[])?;
    Reply::ok(&Secrets { secrets: call.platform().secret_status()? })
}

/// How a secret is replaced.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rotation {
    /// The new value. None for the master key, the pepper and the audit key, which are drawn at random.
    #[serde(default)]
    #[schemars(length(min = 1))]
    value: Option<String>,
    /// Seconds for which the old one stays good; a day when not said, 7 days at most.
    #[serde(default)]
    #[schemars(range(min = 0, max = 604_800))]
    overlap_seconds: Option<f64>,
}

/// That a secret was replaced or revoked.
#[derive(Serialize, JsonSchema)]
pub(super) struct SecretDone {
    name: String,
    done: &'static str,
}

pub(super) fn rotate(call: &Call) -> Result<Reply> {
    call.only(&[])?;
    let rotation: Rotation =
        if call.body.is_empty() { Rotation { value: None, overlap_seconds: None } } else { call.json()? };
    let overlap = match rotation.overlap_seconds {
        None => OVERLAP,
        Some(seconds) => Duration::try_from_secs_f64(seconds)
            .map_err(|_| Error::validation("overlap_seconds must be a number of seconds, 0 or more"))?,
    };
    let value = rotation.value.map(SecretText::new);
    let name = call.part("name");
    call.platform().rotate_secret(name, value.as_ref(), overlap, &call.caller()?)?;
    Reply::ok(&SecretDone { name: name.to_owned(), done: "rotated" })
}

/// How a secret is revoked.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Revocation {
    /// The secret's name again. Needed for the pepper, which ends every API key and session with it, the caller's own too.
    #[serde(default)]
    confirm: Option<String>,
}

pub(super) fn revoke(call: &Call) -> Result<Reply> {
    call.only(&[])?;
    let revocation: Revocation = if call.body.is_empty() { Revocation::default() } else { call.json()? };
    let name = call.part("name");
    call.platform().revoke_secret(name, revocation.confirm.as_deref(), &call.caller()?)?;
    Reply::ok(&SecretDone { name: name.to_owned(), done: "revoked" })
}
