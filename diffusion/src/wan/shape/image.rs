//! The sizes of the image encoder.

use must_tensors::Result;

use super::{ConfigJson, text_of};
use crate::vision::ClipVisionConfig;
use crate::weights::{FoundNetwork, ModelFiles, Tensors};

/// Reads the sizes of the CLIP image encoder `found`. `tensors` are its canonical tensors.
pub(crate) fn image_config(files: &ModelFiles, found: &FoundNetwork, tensors: &Tensors) -> Result<ClipVisionConfig> {
    let about_vision = |value: &serde_json::Value| text_of(value, "model_type") == "clip_vision_model";
    let Some(json) = ConfigJson::<ClipVisionConfig>::read(files, found, about_vision)? else {
        return ClipVisionConfig::from_tensors(tensors);
    };
    let config = &json.fields;
    config.check()?;
    let shape = |name: &str, axes, at| super::axis(tensors, name, axes, at);
    let (embeddings, feed) = ("vision_model.embeddings", "vision_model.encoder.layers.0.mlp.fc1.weight");
    let patch = format!("{embeddings}.patch_embedding.weight");
    json.agree("hidden_size", Some(config.hidden_size), shape(&patch, 4, 0)?)?;
    json.agree("patch_size", Some(config.patch_size), shape(&patch, 4, 2)?)?;
    json.agree("intermediate_size", Some(config.intermediate_size), shape(feed, 2, 0)?)?;
    let layers = tensors.count("vision_model.encoder.layers");
    json.agree("num_hidden_layers", Some(config.num_hidden_layers), layers)?;
    let positions = shape(&format!("{embeddings}.position_embedding.weight"), 2, 0)?;
    let states = config.tokens();
    json.refuse(&[(states != positions, "image_size and patch_size do not fit the position embedding")])?;
    Ok(json.fields)
}
