//! `POST /v1/images/edits`: makes pictures from pictures, with the mode `img2img` of a model.
//!
//! A model starts from one picture. Several are placed side by side, in their order, in one picture of the result's size.

use super::form::{self, ParsedBody};
use super::images::{Batch, answer, on_thread};
use super::request::Request;
use super::{model_or_first, stream, whole_default};
use crate::error::{Error, Result};
use crate::http::call::Call;
use crate::http::generation::options;
use crate::http::route::ReplyFuture;
use crate::media::{Frames, ImageLimits, ImageSource, OutputFormat, decode_image, encode, side_by_side};
use crate::platform::Platform;
use crate::request::{GenerateRequest, MediaType};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// Largest number of pictures of one request.
const MOST: usize = 16;

/// The mode that starts from a picture, and the parameter that holds it.
const MODE: &str = "img2img";
const PICTURE: &str = "reference_image";

/// The fields that hold pictures in the clients' forms and JSON.
const IMAGES: [&str; 2] = ["image", "images"];

/// The fields for the part of a picture to change; no model here supports that.
const MASKS: [&str; 2] = ["mask", "markup"];

/// A field that OpenAI does not have: how far the result may differ from the picture.
const STRENGTH: &str = "denoising_strength";

/// One picture of a request.
enum Picture {
    Uri(String),
    File(Vec<u8>),
}

impl Picture {
    fn source(&self) -> ImageSource<'_> {
        match self {
            Self::Uri(uri) => ImageSource::DataUri(uri),
            Self::File(bytes) => ImageSource::Bytes(bytes),
        }
    }
}

pub(in crate::http) fn edit(call: Call) -> ReplyFuture {
    Box::pin(async move {
        call.only(&[])?;
        let given = form::read(&call, &[IMAGES[0], IMAGES[1], MASKS[0], MASKS[1]]).await?;
        let (call, batch) = on_thread(call, move |call| batch(call, given)).await?;
        answer(call, batch).await
    })
}

fn batch(call: &Call, mut given: ParsedBody) -> Result<Batch> {
    for name in MASKS {
        let is_field = given.fields.remove(name).is_some_and(|value| !value.is_null());
        if is_field || given.files.iter().any(|(file, _)| file == name) {
            return Err(Error::validation(format!("{name}: no model here can change only a part of a picture"))
                .with_action("Leave it out: the whole picture is made again.")
                .with_parameter(name));
        }
    }
    // The form reader has already turned the text into a number.
    let strength = given.fields.remove(STRENGTH).filter(|value| !value.is_null());
    let pictures = pictures(&mut given)?;
    let request: Request = crate::json::read_secret("the body", &Value::Object(given.fields).to_string())?;
    request.check()?;
    let platform = call.platform();
    let model = model_or_first(platform, request.model.as_deref(), MediaType::Image, Some(MODE))?;
    let mut wanted = request.apply(GenerateRequest::new(model, request.prompt.as_str()).mode(MODE))?;
    if let Some(strength) = strength {
        wanted = wanted.set(STRENGTH, strength);
    }
    let wanted = start_from(platform, wanted, pictures)?;
    Ok(Batch { request, wanted, options: options(call)?, names: stream::EDIT })
}

/// Takes the pictures out of a body, in their order.
fn pictures(given: &mut ParsedBody) -> Result<Vec<Picture>> {
    let mut found = Vec::new();
    for name in IMAGES {
        match given.fields.remove(name) {
            None | Some(Value::Null) => {}
            Some(Value::Array(list)) => {
                for (index, value) in list.into_iter().enumerate() {
                    found.push(picture(&format!("{name}[{index}]"), value)?);
                }
            }
            Some(value) => found.push(picture(name, value)?),
        }
        let files = given.files.iter_mut().filter(|(file, _)| file == name);
        found.extend(files.map(|(_, bytes)| Picture::File(std::mem::take(bytes))));
    }
    match found.len() {
        0 => Err(Error::validation("image is required").with_parameter(IMAGES[0])),
        count if count > MOST => {
            Err(Error::validation(format!("at most {MOST} pictures are accepted, and {count} were sent"))
                .with_parameter(IMAGES[0]))
        }
        _ => Ok(found),
    }
}

/// Reads a picture from a field: a data URI, alone or as `image_url` of an object.
fn picture(name: &str, value: Value) -> Result<Picture> {
    let wrong = |detail: &str, action: &str| {
        Err(Error::validation(format!("{name}: {detail}")).with_action(action).with_parameter(name))
    };
    match value {
        Value::String(uri) => Ok(Picture::Uri(uri)),
        Value::Object(fields) => referenced(name, fields).map(Picture::Uri),
        _ => wrong("must be a picture", "Send a data URI, or the picture as a file of a form."),
    }
}

/// Returns the data URI in `{"image_url": ...}`.
///
/// # Errors
/// `validation_error` for the other references that OpenAI's clients may send.
pub(super) fn referenced(name: &str, mut fields: Map<String, Value>) -> Result<String> {
    fields.retain(|_, value| !value.is_null());
    let refused = |field: &str, detail: &str| {
        Err(Error::validation(format!("{name}.{field}: {detail}"))
            .with_action("Send the picture itself: as image_url with a data URI, or as a file of a form.")
            .with_parameter(format!("{name}.{field}")))
    };
    match fields.keys().find(|key| *key != "image_url").cloned() {
        Some(field) if field == "file_id" => refused("file_id", "this server stores no files"),
        Some(field) => refused(&super::short(&field), "there is no such field"),
        None => match fields.remove("image_url") {
            Some(Value::String(uri)) if uri.starts_with("data:") => Ok(uri),
            Some(Value::String(_)) => refused("image_url", "pictures are not downloaded"),
            _ => refused("image_url", "must be a data URI"),
        },
    }
}

/// Sets the picture that the generation starts from.
fn start_from(platform: &Platform, wanted: GenerateRequest, mut pictures: Vec<Picture>) -> Result<GenerateRequest> {
    if pictures.len() == 1 {
        return Ok(match pictures.pop() {
            Some(Picture::Uri(uri)) => wanted.set(PICTURE, uri),
            Some(Picture::File(bytes)) => wanted.image(PICTURE, bytes),
            None => wanted,
        });
    }
    let Some(model) = platform.catalog()?.model(&wanted.model) else { return Ok(wanted) };
    let side = |name: &str| {
        let asked = wanted.parameters.get(name).and_then(Value::as_u64).and_then(|side| side.try_into().ok());
        asked.or_else(|| whole_default(model, name)).filter(|side| (1..=8192).contains(side))
    };
    // An invalid size is refused later, when the whole request is checked.
    let (width, height) = (side("width").unwrap_or(64), side("height").unwrap_or(64));
    let decoded = pictures.iter().enumerate().map(|(index, picture)| {
        decode_image(picture.source(), &ImageLimits::default()).map_err(|error| {
            Error::new(error.code(), format!("image[{index}]: {}", error.detail()))
                .with_action(error.user_action())
                .with_parameter(format!("image[{index}]"))
        })
    });
    let sheet: Frames = side_by_side(decoded, pictures.len(), width, height)?;
    Ok(wanted.image(PICTURE, encode(&sheet, 1, OutputFormat::Png, &mut || Ok(()))?))
}

/// The JSON body.
pub(in crate::http) struct EditRequest;

impl JsonSchema for EditRequest {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ImageEditRequest".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let uri = json!({"type": "string", "format": "data-uri-image"});
        let object = json!({"type": "object", "properties": {"image_url": uri}, "required": ["image_url"],
                            "additionalProperties": false});
        let picture = json!({"anyOf": [uri, object]});
        schema(generator, json!({"type": "array", "minItems": 1, "maxItems": MOST, "items": picture}), "images")
    }
}

/// The form body, with the pictures as files.
pub(in crate::http) struct EditForm;

impl JsonSchema for EditForm {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ImageEditForm".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let file = json!({"type": "string", "format": "binary", "contentMediaType": "image/*"});
        schema(generator, json!({"type": "array", "minItems": 1, "maxItems": MOST, "items": file}), "image")
    }
}

/// Adds the pictures to the schema of a request without pictures.
fn schema(generator: &mut SchemaGenerator, pictures: Value, name: &str) -> Schema {
    let mut schema = Request::json_schema(generator);
    let strength = json!({"type": "number", "minimum": 0, "maximum": 1,
        "description": "Not OpenAI's: how far the result may differ from the picture."});
    if let Some(properties) = schema.ensure_object().get_mut("properties").and_then(Value::as_object_mut) {
        properties.insert(name.to_owned(), pictures);
        properties.insert(STRENGTH.to_owned(), strength);
    }
    if let Some(Value::Array(required)) = schema.ensure_object().get_mut("required") {
        required.push(json!(name));
    }
    schema
}
