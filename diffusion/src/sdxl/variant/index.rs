//! `model_index.json`, which diffusers writes beside the folders of a model.

use must_tensors::Result;
use serde::Deserialize;

use crate::weights::{ModelFiles, unusable};

const FILE: &str = "model_index.json";

/// diffusers' pipelines of supported models. They differ only in what generation starts from.
const CLASSES: [&str; 3] =
    ["StableDiffusionXLPipeline", "StableDiffusionXLImg2ImgPipeline", "StableDiffusionXLInpaintPipeline"];

/// The fields of `model_index.json`. The file is optional. If it exists, `_class_name` must be one of [`CLASSES`].
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ModelIndex {
    #[serde(rename = "_class_name")]
    class_name: String,
    force_zeros_for_empty_prompt: Option<bool>,
}

impl ModelIndex {
    /// Reads the index of a folder, or returns an empty one if there is none. Fails for another pipeline, naming it.
    pub(super) fn read(files: &ModelFiles) -> Result<Self> {
        if !files.has(FILE) {
            return Ok(Self::default());
        }
        let index: Self = files.json(FILE)?;
        if !CLASSES.contains(&index.class_name.as_str()) {
            return Err(unusable(format!("{FILE}: {} is none of {}", index.class_name, CLASSES.join(", "))));
        }
        Ok(index)
    }

    /// Returns whether an empty negative prompt is encoded as zeros. This is the default, as in the training of the base model
    /// and in diffusers, A1111 and Forge.
    pub(super) fn zeros_for_empty(&self) -> bool {
        self.force_zeros_for_empty_prompt.unwrap_or(true)
    }
}
