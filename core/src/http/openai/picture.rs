//! A finished picture, in the form that answers and events have.

use crate::error::{Error, ErrorCode, Result};
use crate::http::state::{Shared, blocking};
use crate::task::{Partials, Task};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;

/// The partial pictures of each task.
pub(super) type PartialsByTask = HashMap<String, Arc<Partials>>;

/// Returns a result in base64.
pub(super) async fn picture(shared: &Arc<Shared>, id: &str) -> Result<String> {
    let (platform, id) = (shared.platform.clone(), id.to_owned());
    blocking(shared, move || Ok(BASE64.encode(platform.result(&id)?.bytes))).await
}

pub(super) fn format_of(task: &Task) -> String {
    task.parameters.get("output_format").and_then(Value::as_str).unwrap_or("png").to_owned()
}

pub(super) fn size_of(task: &Task) -> String {
    format!("{}x{}", task.width, task.height)
}

/// Returns the task if it has a result.
///
/// # Errors
/// The reason why it has no result.
pub(super) fn with_result(last: Option<Task>) -> Result<Task> {
    let task = last.ok_or_else(|| Error::internal("a task ended without a state"))?;
    match task.error {
        Some(error) => {
            let code = ErrorCode::from_name(&error.code).unwrap_or(ErrorCode::Internal);
            Err(Error::new(code, error.detail))
        }
        None => Ok(task),
    }
}
