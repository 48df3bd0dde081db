//! Administration: readiness, the audit log, secrets, and calls by name.

use super::call::{Call, Reply, choice};
use super::route::ReplyFuture;
use super::state::{blocking, check, proxied};
use crate::audit::{AuditQuery, Outcome};
use crate::error::{Error, Result};
use crate::keyring::OVERLAP;
use crate::keyring::SecretText;
use crate::metrics::LaneStatus;
use crate::platform::outside::{self, Waits};
use crate::platform::{Revocation, Rotation};
use crate::secrets::SecretStatus;
use crate::task::SubmitOptions;
use crate::time::Timestamp;
use axum::body::Body;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;

/// Whether a part of the platform can be used.
#[derive(Serialize, JsonSchema)]
pub(super) struct Readiness {
    ok: bool,
    /// Why it cannot be used.
    detail: Option<String>,
}

impl Readiness {
    fn of<T>(outcome: &Result<T>) -> Self {
        Self { ok: outcome.is_ok(), detail: outcome.as_ref().err().map(|error| error.detail().to_owned()) }
    }
}

/// The state of the parts of the platform.
#[derive(Serialize, JsonSchema)]
pub(super) struct AdminHealth {
    ok: bool,
    storage: Readiness,
    secrets: Readiness,
    audit: Readiness,
    /// Worker accounts by state.
    accounts: std::collections::BTreeMap<&'static str, usize>,
    lanes: Vec<LaneStatus>,
    /// How many tasks wait for a lane.
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
        outcome: choice(call, "outcome", &outcomes)?,
        since: moment(call, "since")?,
        until: moment(call, "until")?,
    };
    Reply::ok(&call.platform().audit()?.list(&query, &call.caller()?)?)
}

/// Parses a time in the query: in the form of events, or in milliseconds since 1970.
fn moment(call: &Call, name: &str) -> Result<Option<i64>> {
    let Some(text) = call.query(name)? else { return Ok(None) };
    let milliseconds = text.parse().ok().or_else(|| Timestamp::from_rfc3339(text).map(|moment| moment.0));
    milliseconds.map(Some).ok_or_else(|| {
        Error::validation(format!("{name} must be a time in RFC 3339 form, or milliseconds since 1970"))
            .with_action("Write it as events do: 2026-11-29T09:15:45.123Z.")
    })
}

pub(super) fn verify(call: &Call) -> Result<Reply> {
    call.only(&[])?;
    Reply::ok(&call.platform().audit()?.verify()?)
}

/// Makes a call by its name. An administrator is not delayed by the limit on slow calls: a call counts against it only if it waits
/// for a worker itself.
pub(super) fn call(call: Call) -> ReplyFuture {
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

/// All secrets, without their values.
#[derive(Serialize, JsonSchema)]
pub(super) struct Secrets {
    secrets: Vec<SecretStatus>,
}

pub(super) fn secrets(call: &Call) -> Result<Reply> {
    call.only(&[])?;
    Reply::ok(&Secrets { secrets: call.platform().secret_status()? })
}

/// Confirms that a secret was replaced or revoked.
#[derive(Serialize, JsonSchema)]
pub(super) struct SecretDone {
    name: String,
    done: &'static str,
}

pub(super) fn rotate(call: &Call) -> Result<Reply> {
    call.only(&[])?;
    let rotation: Rotation = if call.body.is_empty() { Rotation::default() } else { call.json()? };
    let name = call.part("name");
    rotation.apply(call.platform(), name, OVERLAP, &call.caller()?)?;
    Reply::ok(&SecretDone { name: name.to_owned(), done: "rotated" })
}

pub(super) fn revoke(call: &Call) -> Result<Reply> {
    call.only(&[])?;
    let revocation: Revocation = if call.body.is_empty() { Revocation::default() } else { call.json()? };
    let name = call.part("name");
    call.platform().revoke_secret(name, revocation.confirm.as_deref(), &call.caller()?)?;
    Reply::ok(&SecretDone { name: name.to_owned(), done: "revoked" })
}
