//! Calls of OpenAI's own clients on the same platform: <https://platform.openai.com/docs/api-reference>.
//!
//! Every field that a client sends either works, is accepted because it makes no difference, or is refused by its name. Failures
//! have `error` in the form that those clients read, beside the fields that every failure has.

pub(super) mod edits;
pub(super) mod failure;
mod form;
pub(super) mod images;
pub(super) mod models;
mod picture;
pub(super) mod remix;
pub(super) mod request;
mod stream;
pub(super) mod videos;

use crate::catalog::{Model, ModelView};
use crate::error::{Error, ErrorCode, Result};
use crate::platform::Platform;
use crate::request::{GenerateRequest, MediaType};

/// Returns the requested model, or the first model of this type that can run in this mode.
///
/// # Errors
/// `validation_error` for a model of the other type; `model_unavailable` when none is requested and none can run.
fn model_or_first(platform: &Platform, asked: Option<&str>, kind: MediaType, mode: Option<&str>) -> Result<String> {
    if let Some(asked) = asked {
        // An unknown model is refused later, when the whole request is checked.
        let other = platform.catalog()?.model(asked).filter(|model| model.media_type != kind);
        return other.map_or_else(|| Ok(asked.to_owned()), |model| Err(makes_something_else(model, kind)));
    }
    let runs = |model: &ModelView| {
        let has_mode = mode.is_none_or(|mode| model.modes.iter().any(|known| known.as_str() == mode));
        model.media_type == kind && model.available && has_mode
    };
    let first = platform.models()?.into_iter().find(runs);
    first.map(|model| model.id).ok_or_else(|| {
        Error::new(ErrorCode::ModelUnavailable, format!("no {} model can run here", kind.as_str()))
            .with_parameter("model")
    })
}

fn makes_something_else(model: &Model, kind: MediaType) -> Error {
    let wanted = if kind == MediaType::Image { "pictures" } else { "clips" };
    Error::validation(format!("the model {} does not make {wanted}", model.id)).with_parameter("model")
}

/// Sets width and height from `WIDTHxHEIGHT`; `auto` leaves them to the model.
fn set_size(request: GenerateRequest, size: Option<&str>) -> Result<GenerateRequest> {
    let Some(size) = size.filter(|size| *size != "auto") else { return Ok(request) };
    let sides = size
        .split_once('x')
        .and_then(|(width, height)| Some((width.parse::<u32>().ok()?, height.parse::<u32>().ok()?)));
    let (width, height) = sides.ok_or_else(|| {
        Error::validation("size must be auto or WIDTHxHEIGHT in pixels, such as 1024x1024").with_parameter("size")
    })?;
    Ok(request.set("width", width).set("height", height))
}

/// Returns the default of a model's parameter that is a whole number.
fn whole_default(model: &Model, name: &str) -> Option<u32> {
    model.parameter(name)?.default.as_ref()?.as_u64()?.try_into().ok()
}

/// Returns the start of a caller's text.
fn short(name: &str) -> String {
    name.chars().take(40).collect()
}

/// Returns the start of a caller's text, quoted for a message.
fn shown(name: &str) -> String {
    format!("{:?}", short(name))
}
