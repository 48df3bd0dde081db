//! The sizes of the image encoder.

use super::{Described, text_of};
use crate::error::Result;
use crate::vision::ClipVisionConfig;
use crate::weights::{Found, ModelFiles, Tensors};

/// The sizes of the CLIP image encoder that `found` is, whose canonical tensors are `tensors`.
pub(crate) fn image_config(files: &ModelFiles, found: &Found, tensors: &Tensors) -> Result<ClipVisionConfig> {
    let about_vision = |value: &serde_json::Value| text_of(value, "model_type") == "clip_vision_model";
    let Some(described) = Described::<ClipVisionConfig>::read(files, found, about_vision)? else {
        return ClipVisionConfig::from_tensors(tensors);
    };
    let config = &described.fields;
    config.check()?;
    let shape = |name: &str, axes, at| super::axis(tensors, name, axes, at);
    let (embeddings, feed) = ("vision_model.embeddings", "vision_model.encoder.layers.0.mlp.fc1.weight");
    let patch = format!("{embeddings}.patch_embedding.weight");
    described.agree("hidden_size", Some(config.hidden_size), shape(&patch, 4, 0)?)?;
    described.agree("patch_size", Some(config.patch_size), shape(&patch, 4, 2)?)?;
    described.agree("intermediate_size", Some(config.intermediate_size), shape(feed, 2, 0)?)?;
    let layers = tensors.count("vision_model.encoder.layers");
    described.agree("num_hidden_layers", Some(config.num_hidden_layers), layers)?;
    let positions = shape(&format!("{embeddings}.position_embedding.weight"), 2, 0)?;
    let states = config.tokens();
    described.refuse(&[(states != positions, "image_size and patch_size do not fit the position embedding")])?;
    Ok(described.fields)
}
