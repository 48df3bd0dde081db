//! `/v1/models`.

use crate::catalog::ModelView;
use crate::error::{Error, ErrorCode, Result};
use crate::http::call::{Call, Reply};
use schemars::JsonSchema;
use serde::Serialize;

/// A model.
#[derive(Serialize, JsonSchema)]
pub(in crate::http) struct ModelObject {
    id: String,
    object: &'static str,
    /// Seconds since 1970. Always 0: the models come with the library and have no date of their own.
    created: i64,
    owned_by: &'static str,
}

/// The models.
#[derive(Serialize, JsonSchema)]
pub(in crate::http) struct List {
    object: &'static str,
    data: Vec<ModelObject>,
}

fn object(model: ModelView) -> ModelObject {
    ModelObject { id: model.id, object: "model", created: 0, owned_by: "must" }
}

pub(in crate::http) fn list(call: &Call) -> Result<Reply> {
    call.only(&[])?;
    let models = call.platform().models()?;
    let data = models.into_iter().filter(|model| model.available).map(object).collect();
    Reply::ok(&List { object: "list", data })
}

pub(in crate::http) fn retrieve(call: &Call) -> Result<Reply> {
    call.only(&[])?;
    let asked = call.part("model");
    let mut models = call.platform().models()?.into_iter();
    let found = models.find(|model| model.available && model.is_named(asked)).map(object);
    Reply::ok(&found.ok_or_else(|| Error::new(ErrorCode::NotFound, "there is no such model, or it cannot run here"))?)
}
