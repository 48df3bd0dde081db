//! The weights of a convolution in the order in which its sums use them: those of four outputs next to each other.
//!
//! Always holds: weights that are decoded on use are the same numbers in the same order as packed ones, and at most a few
//! megabytes of them are decoded at a time.
#![expect(clippy::indexing_slicing, reason = "sizes are checked when the weights are made")]

use rayon::prelude::*;

use super::ConvShape;
use super::sums::CHANNELS;
use crate::stored::StoredTensor;

/// Numbers that are decoded at a time. They stay in cache together with a job's layout of the input.
const DECODED: usize = 1 << 20;

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "each layer has one, and it is not moved")]
pub(super) enum Weights {
    /// Packed when the layer was loaded: `[out / 4][in][kt][k][k][4]`.
    Packed(Vec<f32>),
    /// `[out, in, kt, k, k]` in the encoding of the file.
    Encoded(StoredTensor),
}

/// Returns the number of weights of one output.
fn each(shape: ConvShape) -> usize {
    shape.inputs * shape.time * shape.kernel * shape.kernel
}

/// Writes the weights of one output into its block. `output` is its number in the block.
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
            Self::Encoded(stored) => stored.file_bytes(),
        }
    }

    /// Returns the number of blocks of four outputs that are processed at a time.
    pub(super) fn blocks_at_once(&self, shape: ConvShape) -> usize {
        let all = shape.outputs.div_ceil(CHANNELS).max(1);
        match self {
            Self::Packed(_) => all,
            Self::Encoded(_) => (DECODED / (each(shape) * CHANNELS).max(1)).clamp(1, all),
        }
    }

    /// Returns the packed weights of the blocks that begin at `first`, as many as are processed at a time. Decodes them to
    /// `decoded` if they are not packed yet.
    pub(super) fn blocks<'a>(
        &'a self,
        shape: ConvShape,
        first: usize,
        decoded: &'a mut Vec<f32>,
    ) -> candle_core::Result<&'a [f32]> {
        let stored = match self {
            Self::Packed(packed) => return Ok(packed),
            Self::Encoded(stored) => stored,
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
                    // When the last block has missing outputs, weights of an earlier block remain there. Their sums are not
                    // stored.
                    for lane in 0..CHANNELS.min(shape.outputs - output) {
                        stored.decode((output + lane) * each, values)?;
                        pack(block, lane, values);
                    }
                    Ok(())
                },
            )
            .map_err(|error: crate::Error| candle_core::Error::wrap(error))?;
        Ok(decoded)
    }
}
