//! `model_index.json`, which diffusers writes beside the folders of a model.

use must_tensors::Result;
use serde::Deserialize;

use crate::weights::{ModelFiles, unusable};

const FILE: &str = "model_index.json";

/// Pipelines of diffusers for text-to-image and image-to-image with the same parts.
const CLASSES: [&str; 2] = ["FluxPipeline", "FluxImg2ImgPipeline"];

/// The fields of `model_index.json`. A folder may lack the file.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ModelIndex {
    #[serde(rename = "_class_name")]
    class_name: String,
}

impl ModelIndex {
    /// Fails for a folder of another pipeline, naming its model.
    pub(super) fn check(files: &ModelFiles) -> Result<()> {
        if !files.has(FILE) {
            return Ok(());
        }
        let index: Self = files.json(FILE)?;
        let name = index.class_name.as_str();
        if CLASSES.contains(&name) {
            return Ok(());
        }
        let model = match name {
            "FluxKontextPipeline" | "FluxKontextInpaintPipeline" => "FLUX.1 Kontext, which MUST does not run",
            "FluxFillPipeline" => "FLUX.1 Fill, which MUST does not run",
            "FluxControlPipeline" | "FluxControlImg2ImgPipeline" | "FluxControlInpaintPipeline" => {
                "FLUX.1 Depth or Canny, which MUST does not run"
            }
            "Flux2Pipeline" | "Flux2KleinPipeline" => "FLUX.2, which MUST does not run",
            "ChromaPipeline" | "ChromaImg2ImgPipeline" => "Chroma, which MUST does not run",
            _ => return Err(unusable(format!("{FILE}: {name} is none of {}", CLASSES.join(", ")))),
        };
        let advice = "Use the folder of FLUX.1-dev or FLUX.1-schnell.";
        Err(unusable(format!("{FILE}: {name} is the pipeline of {model}")).with_action(advice))
    }
}
