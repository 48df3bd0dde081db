//! Prompts as people write them for CLIP: weights in brackets, `BREAK`, any length.
//!
//! The rule is that of AUTOMATIC1111's web UI with its default emphasis, "Original"; `docs/decisions.md` says why and where this
//! differs. Always holds: broken syntax is text; nothing of a prompt is cut; a prompt of one chunk without brackets has the ids
//! and the states of the reference, bit for bit.
//!
//! Reference: `parse_prompt_attention` in
//! <https://github.com/AUTOMATIC1111/stable-diffusion-webui/blob/master/modules/prompt_parser.py>, `tokenize_line` in
//! <https://github.com/AUTOMATIC1111/stable-diffusion-webui/blob/master/modules/sd_hijack_clip.py>, `EmphasisOriginal` in
//! <https://github.com/AUTOMATIC1111/stable-diffusion-webui/blob/master/modules/sd_emphasis.py>

mod chunks;
mod parse;
#[cfg(test)]
mod tests;

use candle_core::{DType, Tensor};

pub(crate) use self::chunks::{Chunk, ClipTokenizer, Padding};
use super::clip::{ClipEncoder, ClipStates};
use crate::error::{Error, Result};

impl ClipEncoder {
    /// States `[sum of the chunks' ids, width]` of a prompt, each chunk encoded and weighted by itself, `skip` layers before the
    /// last one; the pooled state is that of the first chunk, which weights do not change.
    pub(crate) fn encode(&self, chunks: &[Chunk], skip: usize) -> Result<ClipStates> {
        let mut states = vec![];
        let mut pooled = None;
        for chunk in chunks {
            let encoded = self.forward(&chunk.ids, skip)?;
            states.push(weighted(encoded.states, &chunk.weights)?);
            pooled.get_or_insert(encoded.pooled);
        }
        let pooled = pooled.ok_or_else(|| Error::internal("a prompt without chunks"))?;
        Ok(ClipStates { states: Tensor::cat(&states, 0)?, pooled })
    }
}

/// States `[ids, width]` times the weights of their tokens, scaled so that the mean of all of them stays what it was. Where no
/// factor does that, as with a mean of 0, they are not scaled.
fn weighted(states: Tensor, weights: &[f32]) -> Result<Tensor> {
    if weights.iter().all(|&weight| weight == 1.0) {
        return Ok(states);
    }
    let (rows, width) = states.dims2()?;
    let device = states.device().clone();
    let mut values = states.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
    let sum = |values: &[f32]| values.iter().map(|&value| f64::from(value)).sum::<f64>();
    let before = sum(&values);
    for (row, &weight) in values.chunks_exact_mut(width.max(1)).zip(weights) {
        row.iter_mut().for_each(|value| *value *= weight);
    }
    let factor = (before / sum(&values)) as f32;
    if factor.is_finite() {
        values.iter_mut().for_each(|value| *value *= factor);
    }
    Ok(Tensor::from_vec(values, (rows, width), &device)?)
}
