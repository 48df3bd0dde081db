//! `GET /metrics`.

use super::call::{Call, Reply};
use crate::error::Result;
use crate::platform::Platform;
use axum::body::Body;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};

pub(super) fn scrape(call: &Call) -> Result<Reply> {
    call.only(&[])?;
    let text = call.platform().metrics()?;
    let kind = HeaderValue::from_static(Platform::METRICS_CONTENT_TYPE);
    Ok(Reply::new(StatusCode::OK, Body::from(text)).with(CONTENT_TYPE, kind))
}
