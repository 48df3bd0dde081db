//! What the web UI needs before it has a session: whether people sign in, whether the browser has a good session already, and
//! the models, so that the studio can be read while a session has to wait for its limit.
//!
//! Notes nothing and counts nowhere. The models are those of `/models`, which asks for a session: where anybody may start one
//! they are no secret, and where people sign in they are shown to nobody else.

use super::call::{Call, Reply};
use crate::access::RequestFacts;
use crate::catalog::ModelView;
use crate::error::Result;
use crate::time::Timestamp;
use http::header::COOKIE;
use schemars::JsonSchema;
use serde::Serialize;

/// How a page may begin.
#[derive(Serialize, JsonSchema)]
pub(super) struct Studio {
    /// Whether a session takes an access key.
    sign_in_required: bool,
    /// The good session that the browser has; none where it has none.
    session: Option<Present>,
    /// The catalog, as `/models` shows it; none before signing in where that is required.
    models: Option<Vec<ModelView>>,
}

/// A session that goes on.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "StudioSession")]
struct Present {
    expires_at: Timestamp,
    /// Name of the access key that it was started with; empty when it was started without one.
    name: String,
    /// Whose results it shows; none where everybody sees all.
    owner: Option<String>,
}

pub(super) fn show(call: &Call) -> Result<Reply> {
    call.only(&[])?;
    let lines = call.headers.get_all(COOKIE).iter();
    let cookies = lines.map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned()).collect();
    let access = call.platform().access()?;
    let present = access.present_session(&RequestFacts { cookies, ..call.facts.clone() });
    let session = present.map(|(state, principal)| Present {
        expires_at: state.expires_at,
        name: principal.name,
        owner: principal.owner,
    });
    let sign_in_required = access.sign_in_required();
    let models = (session.is_some() || !sign_in_required).then(|| call.platform().models()).transpose()?;
    Reply::ok(&Studio { sign_in_required, session, models })
}
