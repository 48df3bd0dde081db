//! The sizes of a T5 or UMT5 encoder, read from the shapes of its tensors and, where shapes do not determine them, from
//! `config.json`.
//!
//! Always holds: a field of a `config.json` that changes the computation is either honoured or refused by name.

use must_tensors::Result;
use serde::Deserialize;

use super::layouts::umt5;
use super::t5::T5Config;
use crate::parts::{ConfigJson, axis, text_of};
use crate::weights::{FoundNetwork, ModelFiles, Tensors, unusable};

/// Reads the sizes of the T5 or UMT5 encoder `found`. `tensors` are its canonical tensors.
pub(crate) fn t5_config(files: &ModelFiles, found: &FoundNetwork, tensors: &Tensors) -> Result<T5Config> {
    let json = ConfigJson::<ConfigFields>::read(files, found, ConfigFields::concerns)?;
    let fields = json.as_ref().map(|json| &json.fields);
    let (attention, feed) = ("encoder.block.0.layer.0.SelfAttention", "encoder.block.0.layer.1.DenseReluDense");
    let bias = format!("{attention}.relative_attention_bias.weight");
    let num_heads = axis(tensors, &bias, 2, 1)?;
    let inner = axis(tensors, &format!("{attention}.q.weight"), 2, 0)?;
    let config = T5Config {
        d_model: axis(tensors, "shared.weight", 2, 1)?,
        d_kv: inner / num_heads,
        d_ff: axis(tensors, &format!("{feed}.wi_0.weight"), 2, 0)?,
        num_layers: tensors.count("encoder.block"),
        num_heads,
        vocab_size: axis(tensors, "shared.weight", 2, 0)?,
        buckets: axis(tensors, &bias, 2, 0)?,
        max_distance: fields.and_then(|fields| fields.relative_attention_max_distance).unwrap_or(128),
        epsilon: fields.and_then(|fields| fields.layer_norm_epsilon).unwrap_or(1e-6),
        own_bias: std::ptr::eq(found.network(), &umt5::NETWORK),
    };
    let distance = config.max_distance;
    if !inner.is_multiple_of(num_heads) || config.buckets < 4 || distance <= config.buckets / 4 {
        return Err(unusable(format!(
            "{}: {num_heads} heads in {inner} channels with {} position buckets up to a distance of {distance} do not \
             fit together",
            tensors.origin(),
            config.buckets
        )));
    }
    if let Some(json) = &json {
        check(&config, json)?;
    }
    Ok(config)
}

/// Fails if `config.json` contradicts the tensors or sets something that this code does not compute.
fn check(config: &T5Config, json: &ConfigJson<ConfigFields>) -> Result<()> {
    let fields = &json.fields;
    for (field, says, tensors) in [
        ("d_model", fields.d_model, config.d_model),
        ("d_kv", fields.d_kv, config.d_kv),
        ("d_ff", fields.d_ff, config.d_ff),
        ("num_layers", fields.num_layers, config.num_layers),
        ("num_heads", fields.num_heads, config.num_heads),
        ("vocab_size", fields.vocab_size, config.vocab_size),
        ("relative_attention_num_buckets", fields.relative_attention_num_buckets, config.buckets),
    ] {
        json.agree(field, says, tensors)?;
    }
    json.refuse(&[
        (config.own_bias && fields.model_type != "umt5", "model_type is not umt5"),
        (!config.own_bias && fields.model_type != "t5", "model_type is not t5"),
        (fields.feed_forward_proj != "gated-gelu", "feed_forward_proj is not gated-gelu"),
        (!(config.epsilon.is_finite() && config.epsilon > 0.0), "layer_norm_epsilon is not above 0"),
    ])
}

/// The fields of transformers' `config.json`.
#[derive(Debug, Deserialize)]
struct ConfigFields {
    model_type: String,
    #[serde(default = "gated_gelu")]
    feed_forward_proj: String,
    d_model: Option<usize>,
    d_kv: Option<usize>,
    d_ff: Option<usize>,
    num_layers: Option<usize>,
    num_heads: Option<usize>,
    vocab_size: Option<usize>,
    relative_attention_num_buckets: Option<usize>,
    relative_attention_max_distance: Option<usize>,
    layer_norm_epsilon: Option<f64>,
}

fn gated_gelu() -> String {
    "gated-gelu".to_owned()
}

impl ConfigFields {
    fn concerns(value: &serde_json::Value) -> bool {
        text_of(value, "model_type").contains("t5")
    }
}
