//! Calls that OpenAI's own clients make, onto the same platform: <https://platform.openai.com/docs/api-reference>.
//!
//! Failures keep the one shape of the platform: those clients choose their error class by the status alone.

pub(super) mod images;
pub(super) mod models;
pub(super) mod videos;

use crate::error::{Error, Result};
use crate::platform::Platform;
use crate::task::{GenerateRequest, MediaType};

/// The model that is asked for, or the first of the kind that can run.
fn model_or_first(platform: &Platform, asked: Option<&str>, kind: MediaType) -> Result<String> {
    if let Some(asked) = asked {
        return Ok(asked.to_owned());
    }
    let mut models = platform.models()?.into_iter();
    let first = models.find(|model| model.media_type == kind && model.available);
    first.map(|model| model.id).ok_or_else(|| {
        Error::new(crate::ErrorCode::ModelUnavailable, format!("no {} model can run here", kind.as_str()))
    })
}

/// Sets width and height from `WIDTHxHEIGHT`; `auto` leaves them to the model.
fn set_size(request: GenerateRequest, size: Option<&str>) -> Result<GenerateRequest> {
    let Some(size) = size.filter(|size| *size != "auto") else { return Ok(request) };
    let sides = size
        .split_once('x')
        .and_then(|(width, height)| Some((width.parse::<u32>().ok()?, height.parse::<u32>().ok()?)));
    let (width, height) =
        sides.ok_or_else(|| Error::validation("size must be auto or WIDTHxHEIGHT in pixels, such as 1024x1024"))?;
    Ok(request.set("width", width).set("height", height))
}
