//! Normalisation of queries and keys with rotary position embedding.

use candle_core::Tensor;

use crate::error::Result;

/// Cosines and sines of every token's position.
#[derive(Debug, Clone)]
pub(crate) struct Rotation {
    /// `[tokens, size / 2]`.
    pub(crate) cos: Tensor,
    /// `[tokens, size / 2]`.
    pub(crate) sin: Tensor,
}

/// Root-mean-square norm over all heads of `[tokens, heads * size]`, then, if asked, rotation of neighbouring channel
/// pairs by the token's angle.
pub(crate) fn norm_rotate(input: &Tensor, gain: &Tensor, epsilon: f64, rotation: Option<&Rotation>) -> Result<Tensor> {
    let normal = candle_nn::ops::rms_norm(input, gain, epsilon as f32)?;
    let Some(rotation) = rotation else { return Ok(normal) };
    let (tokens, width) = normal.dims2()?;
    let size = rotation.cos.dim(1)? * 2;
    let heads = normal.reshape((1, tokens, width / size, size))?.transpose(1, 2)?.contiguous()?;
    let turned = candle_nn::rotary_emb::rope_i(&heads, &rotation.cos, &rotation.sin)?;
    Ok(turned.transpose(1, 2)?.reshape((tokens, width))?)
}
