//! `model_index.json`, which diffusers writes beside the folders of a model.

use serde::Deserialize;

use crate::error::Result;
use crate::weights::{ModelFiles, unusable};

const FILE: &str = "model_index.json";

/// Pipelines of diffusers whose models are computed here. What they start from is no matter of the model.
const CLASSES: [&str; 3] =
    ["StableDiffusionXLPipeline", "StableDiffusionXLImg2ImgPipeline", "StableDiffusionXLInpaintPipeline"];

/// What a model consists of and how its parts work together. All of it is optional: folders are saved without it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ModelIndex {
    #[serde(rename = "_class_name")]
    class_name: String,
    force_zeros_for_empty_prompt: Option<bool>,
}

impl ModelIndex {
    /// The index of a folder; an empty one if it has none. Refuses, by name, what is not computed.
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

    /// Whether an empty negative prompt is states of zeros. A model whose files do not say is taken to have been trained so, like
    /// the base model: diffusers, A1111 and Forge do the same.
    pub(super) fn zeros_for_empty(&self) -> bool {
        self.force_zeros_for_empty_prompt.unwrap_or(true)
    }
}
