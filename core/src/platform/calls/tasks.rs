//! The calls on models and tasks.

use super::{IdAndCaller, caller};
use crate::catalog::ModelView;
use crate::error::{Error, Result};
use crate::json::{read_secret as read, secret_text as answer};
use crate::keyring::SecretText;
use crate::platform::Platform;
use crate::request::GenerateRequest;
use crate::task::TaskQuery;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Id {
    id: String,
}

/// The catalog, its fields in the order in which people read them.
#[derive(Serialize)]
struct Models {
    models: Vec<ModelView>,
}

/// The bytes of a result.
#[derive(Serialize)]
struct File<'a> {
    content_type: &'a str,
    file_name: &'a str,
    /// In base64.
    bytes: String,
}

pub(super) fn models(platform: &Platform, name: &str, text: &str) -> Result<SecretText> {
    let Nothing {} = read(name, text)?;
    answer(&Models { models: platform.models()? })
}

pub(super) fn submit(platform: &Platform, name: &str, text: &str) -> Result<SecretText> {
    answer(&platform.submit(&wanted(platform, name, text)?)?)
}

/// Whoever submits from outside waits for the result, which would never come from a platform that is paused.
pub(super) fn wanted(platform: &Platform, name: &str, text: &str) -> Result<GenerateRequest> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Arguments {
        model: String,
        #[serde(default)]
        mode: Option<String>,
        #[serde(default)]
        parameters: Map<String, Value>,
        /// Files by the name of their parameter, in base64.
        #[serde(default)]
        images: BTreeMap<String, String>,
    }
    let Arguments { model, mode, parameters, images } = read(name, text)?;
    if platform.is_paused()? {
        return Err(Error::invalid_state(
            "the platform that has the data folder open is paused",
            "Wait until it is closed, or open it without the setting paused.",
        ));
    }
    let mut request = GenerateRequest { model, mode, parameters, images: BTreeMap::new() };
    for (name, file) in images {
        let bytes = STANDARD.decode(file).map_err(|_| Error::validation(format!("the image {name} is not base64")))?;
        request = request.image(name, bytes);
    }
    Ok(request)
}

pub(super) fn status(platform: &Platform, name: &str, text: &str) -> Result<SecretText> {
    let Id { id } = read(name, text)?;
    answer(&platform.status(&id)?)
}

pub(super) fn list(platform: &Platform, name: &str, text: &str) -> Result<SecretText> {
    answer(&platform.tasks(&read::<TaskQuery>(name, text)?)?)
}

pub(super) fn gallery(platform: &Platform, name: &str, text: &str) -> Result<SecretText> {
    answer(&platform.gallery(&read::<TaskQuery>(name, text)?)?)
}

pub(super) fn result(platform: &Platform, name: &str, text: &str) -> Result<SecretText> {
    let Id { id } = read(name, text)?;
    let media = platform.result(&id)?;
    answer(&File {
        content_type: media.content_type,
        file_name: &media.file_name,
        bytes: STANDARD.encode(&media.bytes),
    })
}

/// Whoever asks from outside is an administrator and seldom the task's owner, so the audit log notes it.
pub(super) fn cancel(platform: &Platform, name: &str, text: &str) -> Result<SecretText> {
    let IdAndCaller { id, caller: by } = read(name, text)?;
    answer(&json!({"cancelled": platform.cancel_as(&id, &caller(by))?}))
}

/// Noted like [`cancel`].
pub(super) fn delete(platform: &Platform, name: &str, text: &str) -> Result<SecretText> {
    let IdAndCaller { id, caller: by } = read(name, text)?;
    answer(&platform.delete_as(&id, &caller(by))?)
}
