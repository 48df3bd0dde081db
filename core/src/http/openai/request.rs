//! The fields of a request for pictures, with or without pictures to start from.

use crate::error::{Error, Result};
use crate::http::call::whole;
use crate::request::GenerateRequest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Largest number of pictures of one request.
const MOST: u32 = 10;

/// Largest number of partial pictures of one picture.
const MOST_PARTIAL: u32 = 3;

/// A request of OpenAI's clients. Fields without a meaning for the models here are accepted and change nothing.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "ImageRequest")]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Request {
    #[schemars(length(min = 1, max = 2000), regex(pattern = r"\S"))]
    pub(super) prompt: String,
    #[serde(default)]
    pub(super) model: Option<String>,
    #[serde(default, deserialize_with = "whole")]
    #[schemars(range(min = 1, max = 10))]
    n: Option<u32>,
    /// `auto`, or `WIDTHxHEIGHT` in pixels.
    #[serde(default)]
    #[schemars(regex(pattern = r"^(auto|[1-9][0-9]{0,4}x[1-9][0-9]{0,4})$"))]
    pub(super) size: Option<String>,
    #[serde(default)]
    pub(super) response_format: Option<ResponseFormat>,
    #[serde(default)]
    output_format: Option<Format>,
    /// Whether the pictures come as server-sent events: `image_generation.partial_image` and `image_generation.completed`.
    #[serde(default)]
    stream: Option<bool>,
    /// With `stream`: the number of partial pictures of each picture, spread over its steps. There are fewer if it has fewer steps, or
    /// if there is not enough memory for them.
    #[serde(default, deserialize_with = "whole")]
    #[schemars(range(min = 0, max = 3))]
    partial_images: Option<u32>,
    /// Not OpenAI's: the seed of the first picture; each further picture has the next seed.
    #[serde(default, deserialize_with = "whole")]
    #[schemars(range(min = -1, max = 2_147_483_637))]
    seed: Option<i64>,
    /// Not OpenAI's: what to avoid.
    #[serde(default)]
    #[schemars(length(max = 1000))]
    negative_prompt: Option<String>,
    /// Not OpenAI's: denoising steps, within the bounds of the model.
    #[serde(default, deserialize_with = "whole")]
    #[schemars(range(min = 1, max = 1000))]
    steps: Option<u32>,
    /// Only opaque backgrounds can be made.
    #[serde(default)]
    background: Option<Background>,
    /// Changes nothing.
    #[serde(default, deserialize_with = "whole")]
    #[schemars(range(min = 0, max = 100))]
    output_compression: Option<u32>,
    /// Changes nothing.
    #[serde(default, rename = "quality")]
    _quality: Option<String>,
    /// Changes nothing.
    #[serde(default, rename = "style")]
    _style: Option<String>,
    /// Changes nothing.
    #[serde(default, rename = "complexity")]
    _complexity: Option<String>,
    /// Changes nothing.
    #[serde(default, rename = "input_fidelity")]
    _input_fidelity: Option<String>,
    /// Changes nothing.
    #[serde(default, rename = "moderation")]
    _moderation: Option<String>,
    /// Changes nothing.
    #[serde(default, rename = "user")]
    _user: Option<String>,
    /// Changes nothing.
    #[serde(default, rename = "safety_identifier")]
    _safety_identifier: Option<String>,
    /// Changes nothing.
    #[serde(default, rename = "metadata")]
    _metadata: Option<Map<String, Value>>,
    #[serde(default)]
    #[schemars(skip)]
    svg: Option<Value>,
    #[serde(default)]
    #[schemars(skip)]
    frame_count: Option<Value>,
    #[serde(default)]
    #[schemars(skip)]
    frame_duration_ms: Option<Value>,
}

#[derive(Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ResponseFormat {
    B64Json,
    Url,
}

/// A file format. OpenAI's other formats are parsed so that they can be refused by name.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Format {
    Png,
    Jpeg,
    Webp,
    #[schemars(skip)]
    Gif,
    #[schemars(skip)]
    Svg,
}

#[derive(Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Background {
    Auto,
    Opaque,
    #[schemars(skip)]
    Transparent,
}

impl Request {
    /// Refuses unsupported fields and values by name.
    ///
    /// # Errors
    /// `validation_error`.
    pub(super) fn check(&self) -> Result<()> {
        let refused = |name: &str, detail: &str, action: &str| {
            Err(Error::validation(format!("{name}: {detail}")).with_action(action).with_parameter(name))
        };
        if !(1..=MOST).contains(&self.count()) {
            return refused("n", &format!("must be from 1 to {MOST}"), "Ask for fewer pictures at once.");
        }
        if self.partial_images.is_some_and(|count| count > MOST_PARTIAL) {
            return refused("partial_images", &format!("must be from 0 to {MOST_PARTIAL}"), "Ask for fewer.");
        }
        if self.partial_images.is_some_and(|count| count > 0) && !self.streams() {
            return refused("partial_images", "only a stream has partial pictures", "Set stream to true.");
        }
        if self.streams() && self.response_format == Some(ResponseFormat::Url) {
            return refused("response_format", "a stream contains the pictures themselves", "Leave it out.");
        }
        if self.output_compression.is_some_and(|percent| percent > 100) {
            return refused(
                "output_compression",
                "must be from 0 to 100",
                "Correct it, or leave it out: it changes nothing.",
            );
        }
        if self.background == Some(Background::Transparent) {
            let action = "Leave background out, or send opaque or auto.";
            return refused("background", "pictures with a transparent background cannot be made", action);
        }
        if matches!(self.output_format, Some(Format::Gif | Format::Svg)) {
            return refused("output_format", "only png, jpeg and webp can be made", "Choose one of these.");
        }
        for (name, value) in
            [("svg", &self.svg), ("frame_count", &self.frame_count), ("frame_duration_ms", &self.frame_duration_ms)]
        {
            if value.is_some() {
                return refused(name, "only single raster pictures can be made", "Leave it out.");
            }
        }
        Ok(())
    }

    pub(super) fn count(&self) -> u32 {
        self.n.unwrap_or(1)
    }

    pub(super) fn streams(&self) -> bool {
        self.stream.unwrap_or(false)
    }

    pub(super) fn partial_images(&self) -> u8 {
        self.partial_images.and_then(|count| count.try_into().ok()).unwrap_or(0)
    }

    /// Sets the values that all pictures of the request share.
    pub(super) fn apply(&self, mut wanted: GenerateRequest) -> Result<GenerateRequest> {
        wanted = super::set_size(wanted, self.size.as_deref())?;
        if let Some(format) = self.output_format {
            wanted = wanted.set("output_format", serde_json::to_value(format).unwrap_or_default());
        }
        if let Some(negative) = &self.negative_prompt {
            wanted = wanted.set("negative_prompt", negative.as_str());
        }
        if let Some(steps) = self.steps {
            wanted = wanted.set("steps", steps);
        }
        Ok(wanted)
    }

    /// Sets the values of one picture of the request.
    pub(super) fn apply_to(&self, wanted: &GenerateRequest, index: u32) -> GenerateRequest {
        match self.seed {
            Some(seed) if seed >= 0 => wanted.clone().set("seed", seed.saturating_add(i64::from(index))),
            _ => wanted.clone(),
        }
    }
}
