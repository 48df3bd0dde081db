//! `model_index.json`, which diffusers writes beside the folders of a model.

use must_tensors::Result;
use serde::Deserialize;

use crate::weights::{ModelFiles, unusable};

const FILE: &str = "model_index.json";

/// Pipelines of diffusers whose models this family runs.
const CLASSES: [&str; 4] = ["WanPipeline", "WanImageToVideoPipeline", "WanVideoToVideoPipeline", "WanVACEPipeline"];

/// The parts of a model and how they work together. Every field is optional, since folders are also saved without this file.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ModelIndex {
    #[serde(rename = "_class_name")]
    class_name: String,
    /// The noise level below which `transformer_2` works.
    pub(super) boundary_ratio: Option<f64>,
    /// Whether each token has a time of its own.
    pub(super) expand_timesteps: Option<bool>,
    transformer_2: Option<Vec<Option<String>>>,
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
        if index.boundary_ratio.is_some_and(|ratio| !(0.0..=1.0).contains(&ratio)) {
            return Err(unusable(format!("{FILE}: boundary_ratio is not between 0 and 1")));
        }
        Ok(index)
    }

    /// Returns whether the model has a second expert.
    pub(super) fn lists_second_expert(&self) -> bool {
        self.transformer_2.as_ref().is_some_and(|class| class.iter().any(Option::is_some))
    }
}
