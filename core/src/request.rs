//! The request of a caller, before it is checked against the catalog.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A picture or a clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MediaType {
    /// One frame.
    Image,
    /// Several frames.
    Video,
}

impl MediaType {
    /// Returns the stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
        }
    }
}

/// A request to generate a picture or a clip: a model, its mode and its parameters.
///
/// In JSON it is one flat object: `{"model": .., "mode": .., "prompt": .., ...}`. Images are data URIs in the parameters, or raw
/// bytes in `images` under the parameter's name (`reference_image`, `arbitrary_frames[0].image`).
///
/// ```
/// use must::GenerateRequest;
///
/// let request = GenerateRequest::new("tiny-video", "a red circle moving left").mode("t2v").set("seed", 7);
/// let same = GenerateRequest::from_json(
///     r#"{"model": "tiny-video", "prompt": "a red circle moving left", "mode": "t2v", "seed": 7}"#,
/// )?;
/// assert_eq!(request, same);
/// # Ok::<(), must::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, JsonSchema)]
pub struct GenerateRequest {
    /// Catalog id or alias.
    pub model: String,
    /// Mode of the model. The default is the model's default mode.
    pub mode: Option<String>,
    /// Values of the model's parameters by name, such as `prompt` and `steps`.
    #[schemars(flatten)]
    pub parameters: Map<String, Value>,
    /// Raw image bytes by parameter name.
    #[schemars(skip)]
    pub images: BTreeMap<String, Vec<u8>>,
}

impl GenerateRequest {
    /// Returns a request with only a model and a prompt.
    pub fn new(model: impl Into<String>, prompt: impl Into<String>) -> Self {
        let mut request = Self { model: model.into(), ..Self::default() };
        request.parameters.insert("prompt".to_owned(), Value::String(prompt.into()));
        request
    }

    /// Reads the flat JSON object.
    ///
    /// # Errors
    /// `validation_error` if the text is not a JSON object, if `model` is missing, or if `model` or `mode` is not a string. The
    /// parameters are checked only when the request is submitted.
    pub fn from_json(text: &str) -> crate::Result<Self> {
        let value: Value = serde_json::from_str(text)
            .map_err(|e| crate::Error::validation(format!("the request is not valid JSON: {e}")))?;
        let Value::Object(mut parameters) = value else {
            return Err(crate::Error::validation("the request must be a JSON object"));
        };
        let model = match parameters.remove("model") {
            Some(Value::String(model)) => model,
            Some(_) => return Err(crate::Error::validation("model must be a string")),
            None => return Err(crate::Error::validation("model is required")),
        };
        let mode = match parameters.remove("mode") {
            Some(Value::String(mode)) => Some(mode),
            Some(Value::Null) | None => None,
            Some(_) => return Err(crate::Error::validation("mode must be a string")),
        };
        Ok(Self { model, mode, parameters, images: BTreeMap::new() })
    }

    /// Returns the request with this mode.
    #[must_use]
    pub fn mode(mut self, mode: impl Into<String>) -> Self {
        self.mode = Some(mode.into());
        self
    }

    /// Returns the request with this parameter.
    #[must_use]
    pub fn set(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.parameters.insert(name.into(), value.into());
        self
    }

    /// Returns the request with this image, given as raw PNG, JPEG or WebP bytes.
    ///
    /// ```
    /// use must::GenerateRequest;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("sketch.png");
    /// # std::fs::write(&path, b"a picture")?;
    /// let sketch = std::fs::read(path)?;
    /// let request = GenerateRequest::new("tiny-image", "a red circle").mode("img2img").image("reference_image", sketch);
    /// # Ok::<(), must::Error>(())
    /// ```
    #[must_use]
    pub fn image(mut self, name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        self.images.insert(name.into(), bytes.into());
        self
    }
}
