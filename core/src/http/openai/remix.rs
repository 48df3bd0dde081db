//! `POST /v1/videos/{id}/remix`: makes a clip again with another prompt.
//!
//! The new clip has the model, the seed and every parameter of the first one. If the first clip began with pictures, which are not
//! kept after use, the new one begins with the first clip's first frame.

use super::form::{self, ParsedBody};
use super::videos::{Video, find};
use crate::catalog::Model;
use crate::error::{Error, ErrorCode, Result};
use crate::fields::Fields;
use crate::http::call::{Call, Reply};
use crate::http::generation::options;
use crate::http::route::ReplyFuture;
use crate::http::state::{blocking, proxied};
use crate::platform::Platform;
use crate::request::GenerateRequest;
use crate::task::Task;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

/// The mode that begins with a frame, and the parameter that holds it.
const MODE: &str = "i2v";
const FRAME: &str = "reference_image";

/// A request to make a clip again.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "RemixRequest")]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Request {
    #[schemars(length(min = 1, max = 2000), regex(pattern = r"\S"))]
    prompt: String,
}

pub(in crate::http) fn remix(call: Call) -> ReplyFuture {
    Box::pin(async move {
        call.only(&[])?;
        let ParsedBody { fields, .. } = form::read(&call, &[]).await?;
        let shared = Arc::clone(&call.shared);
        let source = call.part("id").to_owned();
        // A worker may have the clip's first frame.
        let _permit = proxied(&shared, &source).await?;
        let making = blocking(&shared, move || {
            let request: Request = crate::json::read_secret("the body", &Value::Object(fields).to_string())?;
            let source = find(&call)?;
            let options = options(&call)?.remix_of(source.id.as_str());
            Ok((remix_request(call.platform(), source, request.prompt)?, options))
        });
        let (request, options) = making.await?;
        Reply::ok(&Video::of(shared.platform.submit_async(request, options).await?, Some(source)))
    })
}

/// Returns the request that makes the clip of `source` again with another prompt.
fn remix_request(platform: &Platform, source: Task, prompt: String) -> Result<GenerateRequest> {
    let model = platform.catalog()?.model(&source.model).ok_or_else(|| {
        Error::new(ErrorCode::ModelUnavailable, format!("the catalog no longer has the model {}", source.model))
    })?;
    if let Some(rules) = model.parameter("prompt") {
        rules.check("prompt", &Value::from(prompt.as_str())).map_err(Error::validation)?;
    }
    // Fails with the reason when the clip is not ready yet or no longer there.
    let frame = platform.preview(&source.id)?;
    let began_with_pictures =
        model.parameters.iter().any(|(_, rules)| rules.is_media() && rules.is_required(&source.mode, &Fields::new()));
    let mode = if began_with_pictures { MODE } else { source.mode.as_str() };
    let mut wanted = GenerateRequest::new(source.model.as_str(), prompt).mode(mode);
    let columns = [
        ("negative_prompt", Value::from(source.negative_prompt.as_str())),
        ("seed", source.seed.into()),
        ("width", source.width.into()),
        ("height", source.height.into()),
    ];
    let values = columns.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(source.parameters.clone());
    for (name, value) in values {
        if applies(model, &name, mode, &source.parameters) {
            wanted = wanted.set(name, value);
        }
    }
    Ok(if began_with_pictures { wanted.image(FRAME, frame.bytes) } else { wanted })
}

/// Whether a parameter of the source also applies to the new clip.
fn applies(model: &Model, name: &str, mode: &str, values: &Fields) -> bool {
    model.parameter(name).is_some_and(|rules| !rules.is_media() && rules.is_visible(mode, values))
}
