//! The weights of a convolution in the order in which its sums take them: four outputs beside each other.
//!
//! Always holds: weights that are decoded while they are used are the same numbers in the same order as those that were packed
//! once, and no more than a few megabytes of them are there at a time.
#![expect(clippy::indexing_slicing, reason = "sizes are checked when the weights are made")]

use rayon::prelude::*;

use super::sums::CHANNELS;
use crate::nn::conv::ConvShape;
use crate::weights::Stored;

/// Numbers that are decoded at a time: with what a job lays out of the input they stay in cache.
const DECODED: usize = 1 << 20;

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one of a layer, which is not moved about")]
pub(super) enum Weights {
    /// Packed at loading: `[out / 4][in][kt][k][k][4]`.
    Packed(Vec<f32>),
    /// `[out, in, kt, k, k]` as the file keeps it.
    Kept(Stored),
}

/// Weights of one output.
fn each(shape: ConvShape) -> usize {
    shape.inputs * shape.time * shape.kernel * shape.kernel
}

/// Puts the weights of one output, which is number `output` of its block, into the block.
fn pack(block: &mut [f32], output: usize, values: &[f32]) {
    for (place, &value) in block.as_chunks_mut::<CHANNELS>().0.iter_mut().zip(values) {
        place[output] = value;
    }
}

impl Weights {
    pub(super) fn packed(shape: ConvShape, values: &[f32]) -> Self {
        let each = each(shape);
        let mut packed = vec![0f32; shape.outputs.div_ceil(CHANNELS) * each * CHANNELS];
        for (output, values) in values.chunks_exact(each).enumerate() {
            let block = &mut packed[output / CHANNELS * each * CHANNELS..][..each * CHANNELS];
            pack(block, output % CHANNELS, values);
        }
        Self::Packed(packed)
    }

    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Packed(packed) => (packed.len() * size_of::<f32>()) as u64,
            Self::Kept(stored) => stored.file_bytes(),
        }
    }

    /// How many blocks of four outputs are worked on at a time.
    pub(super) fn blocks_at_once(&self, shape: ConvShape) -> usize {
        let all = shape.outputs.div_ceil(CHANNELS).max(1);
        match self {
            Self::Packed(_) => all,
            Self::Kept(_) => (DECODED / (each(shape) * CHANNELS).max(1)).clamp(1, all),
        }
    }

    /// The packed weights of the blocks from `first` on, as many as are worked on at a time; `decoded` is where they are put if
    /// they are not there yet.
    pub(super) fn blocks<'a>(
        &'a self,
        shape: ConvShape,
        first: usize,
        decoded: &'a mut Vec<f32>,
    ) -> candle_core::Result<&'a [f32]> {
        let stored = match self {
            Self::Packed(packed) => return Ok(packed),
            Self::Kept(stored) => stored,
        };
        let each = each(shape);
        let count = self.blocks_at_once(shape).min(shape.outputs.div_ceil(CHANNELS) - first);
        decoded.resize(count * each * CHANNELS, 0.0);
        decoded
            .par_chunks_exact_mut((each * CHANNELS).max(1))
            .enumerate()
            .try_for_each_init(
                || vec![0f32; each],
                |values, (index, block)| {
                    let output = (first + index) * CHANNELS;
                    // What is left of an earlier block where outputs are missing is summed up and not stored.
                    for lane in 0..CHANNELS.min(shape.outputs - output) {
                        stored.decode((output + lane) * each, values)?;
                        pack(block, lane, values);
                    }
                    Ok(())
                },
            )
            .map_err(|error: crate::error::Error| candle_core::Error::wrap(error))?;
        Ok(decoded)
    }
}
