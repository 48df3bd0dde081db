//! Prompts in the form that people write for CLIP: weights in brackets, `BREAK`, any length.
//!
//! The rules are those of AUTOMATIC1111's web UI with its default emphasis, "Original". `docs/decisions.md` gives the
//! reasons and the differences. Always holds: broken syntax is treated as text, and no part of a prompt is cut off. A prompt
//! of one chunk without brackets has the ids and the states of the reference, bit for bit.
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
use must_tensors::{Error, Result};

pub(crate) use self::chunks::{Chunk, ClipTokenizer, Padding};
use super::clip::{ClipEncoder, ClipStates};

impl ClipEncoder {
    /// Computes the states `[sum of the chunks' ids, width]` of a prompt, with the last `skip` layers left out. Each chunk
    /// is encoded and weighted on its own. The pooled state is that of the first chunk, without weights.
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

/// Multiplies states `[ids, width]` by the weights of their tokens, then scales all of them so that their mean does not
/// change. Skips the scaling when no factor restores the mean, for example when it is 0.
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
