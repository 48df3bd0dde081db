//! The sizes of a T5 or UMT5 encoder, from the shapes of its tensors and, for what shapes do not tell, from `config.json`.
//!
//! Always holds: a field of a `config.json` that changes the computation is either honoured or refused by name.

use serde::Deserialize;

use super::layouts::umt5;
use super::t5::T5Config;
use crate::error::Result;
use crate::parts::{Described, axis, text_of};
use crate::weights::{Found, ModelFiles, Tensors, unusable};

/// The sizes of the T5 or UMT5 encoder that `found` is, whose canonical tensors are `tensors`.
pub(crate) fn t5_config(files: &ModelFiles, found: &Found, tensors: &Tensors) -> Result<T5Config> {
    let described = Described::<ConfigFile>::read(files, found, ConfigFile::concerns)?;
    let fields = described.as_ref().map(|described| &described.fields);
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
            "{}: {num_heads} heads in {inner} channels with {} position buckets up to a distance of {distance} cannot \
             be",
            tensors.origin(),
            config.buckets
        )));
    }
    if let Some(described) = &described {
        check(&config, described)?;
    }
    Ok(config)
}

/// Refuses what `config.json` says otherwise than the tensors, or says and nothing computes.
fn check(config: &T5Config, described: &Described<ConfigFile>) -> Result<()> {
    let fields = &described.fields;
    for (field, says, tensors) in [
        ("d_model", fields.d_model, config.d_model),
        ("d_kv", fields.d_kv, config.d_kv),
        ("d_ff", fields.d_ff, config.d_ff),
        ("num_layers", fields.num_layers, config.num_layers),
        ("num_heads", fields.num_heads, config.num_heads),
        ("vocab_size", fields.vocab_size, config.vocab_size),
        ("relative_attention_num_buckets", fields.relative_attention_num_buckets, config.buckets),
    ] {
        described.agree(field, says, tensors)?;
    }
    described.refuse(&[
        (config.own_bias && fields.model_type != "umt5", "model_type is not umt5"),
        (!config.own_bias && fields.model_type != "t5", "model_type is not t5"),
        (fields.feed_forward_proj != "gated-gelu", "feed_forward_proj is not gated-gelu"),
        (!(config.epsilon.is_finite() && config.epsilon > 0.0), "layer_norm_epsilon is not above 0"),
    ])
}

/// `config.json` of transformers.
#[derive(Debug, Deserialize)]
struct ConfigFile {
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

impl ConfigFile {
    fn concerns(value: &serde_json::Value) -> bool {
        text_of(value, "model_type").contains("t5")
    }
}
