//! The data that the web UI needs before it has a session: whether people sign in, whether the browser already has a valid session,
//! and the models, so that the studio can be shown while the start of a session is throttled.
//!
//! Notes nothing in the audit log and is not throttled. `/models`, which lists the same models, needs a session. Where anybody may
//! start one, the models are no secret; where people sign in, they are shown only after that.

use super::call::{Call, Reply};
use crate::access::RequestFacts;
use crate::catalog::ModelView;
use crate::error::Result;
use crate::time::Timestamp;
use http::header::COOKIE;
use schemars::JsonSchema;
use serde::Serialize;

/// The data that a page begins with.
#[derive(Serialize, JsonSchema)]
pub(super) struct Studio {
    /// Whether a session needs an access key.
    sign_in_required: bool,
    /// The browser's valid session; absent without one.
    session: Option<StudioSession>,
    /// The catalog, as `/models` shows it; absent before signing in where that is required.
    models: Option<Vec<ModelView>>,
}

/// A valid session.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "StudioSession")]
struct StudioSession {
    expires_at: Timestamp,
    /// Name of the access key that it was started with; empty when it was started without one.
    name: String,
    /// The owner of the results that it shows; absent where everybody sees all.
    owner: Option<String>,
}

pub(super) fn show(call: &Call) -> Result<Reply> {
    call.only(&[])?;
    let lines = call.headers.get_all(COOKIE).iter();
    let cookies = lines.map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned()).collect();
    let access = call.platform().access()?;
    let present = access.current_session(&RequestFacts { cookies, ..call.facts.clone() });
    let session = present.map(|(state, principal)| StudioSession {
        expires_at: state.expires_at,
        name: principal.name,
        owner: principal.owner,
    });
    let sign_in_required = access.sign_in_required();
    let models = (session.is_some() || !sign_in_required).then(|| call.platform().models()).transpose()?;
    Reply::ok(&Studio { sign_in_required, session, models })
}
