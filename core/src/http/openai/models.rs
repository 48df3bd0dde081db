//! `/v1/models`.

use crate::error::{Error, ErrorCode, Result};
use crate::http::call::{Call, Reply};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// A model.
#[derive(Serialize, JsonSchema)]
pub(in crate::http) struct ModelObject {
    id: String,
    object: &'static str,
    /// Seconds since 1970; the models come with the library, so that they have no date of their own.
    created: i64,
    owned_by: &'static str,
}

/// The models.
#[derive(Serialize, JsonSchema)]
pub(in crate::http) struct List {
    object: &'static str,
    data: Vec<ModelObject>,
}

fn object(model: &Value) -> Option<ModelObject> {
    Some(ModelObject { id: model["id"].as_str()?.to_owned(), object: "model", created: 0, owned_by: "must" })
}

pub(in crate::http) fn list(call: &Call) -> Result<Reply> {
    call.only(&[])?;
    let models = call.platform().models()?;
    let data = models.iter().filter(|model| model["available"] == true).filter_map(object).collect();
    Reply::ok(&List { object: "list", data })
}

pub(in crate::http) fn retrieve(call: &Call) -> Result<Reply> {
    call.only(&[])?;
    let asked = call.part("model");
    let models = call.platform().models()?;
    let is_it = |model: &&Value| {
        model["id"] == asked || model["aliases"].as_array().is_some_and(|all| all.iter().any(|alias| alias == asked))
    };
    let found = models.iter().filter(|model| model["available"] == true).find(is_it).and_then(object);
    Reply::ok(&found.ok_or_else(|| Error::new(ErrorCode::NotFound, "there is no such model, or it cannot run here"))?)
}
