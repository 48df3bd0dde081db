//! Norms on the CPU, combined with the operation that follows them.
#![expect(clippy::indexing_slicing, reason = "shapes are checked before the loops")]

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Shape};
use rayon::prelude::*;

use super::simd::{silu, vectorized};

/// Pixels of one job. A block with all channels stays in cache.
const BLOCK: usize = 512;
/// Rows of one job.
pub(super) const ROWS: usize = 32;
/// Number of parts in which a row is summed.
const PARTS: usize = 8;

/// Returns the numbers of a contiguous tensor.
pub(super) fn contiguous<'a>(storage: &'a CpuStorage, layout: &Layout) -> candle_core::Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => candle_core::bail!("not contiguous"),
    }
}

/// Scales the channels `[channels, ...]` of each pixel to a length of 1, multiplies them by a gain `[channels]`, and optionally
/// applies SiLU.
pub struct ChannelNorm {
    /// Whether SiLU follows.
    pub activate: bool,
}

impl CustomOp2 for ChannelNorm {
    fn name(&self) -> &'static str {
        "channel norm"
    }

    fn cpu_fwd(
        &self,
        input: &CpuStorage,
        layout: &Layout,
        gain: &CpuStorage,
        gain_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (input, gain) = (contiguous(input, layout)?, contiguous(gain, gain_layout)?);
        let channels = gain.len();
        if channels == 0 || layout.dims().first() != Some(&channels) {
            candle_core::bail!("channel norm: {channels} gains for {:?}", layout.shape());
        }
        let pixels = input.len() / channels;
        let mut out = vec![0f32; input.len()];
        let mut jobs: Vec<Vec<&mut [f32]>> =
            (0..pixels.div_ceil(BLOCK)).map(|_| Vec::with_capacity(channels)).collect();
        for plane in out.chunks_exact_mut(pixels.max(1)) {
            plane.chunks_mut(BLOCK).zip(&mut jobs).for_each(|(part, job)| job.push(part));
        }
        jobs.into_par_iter().enumerate().for_each(|(block, mut parts)| {
            vectorized(
                #[inline(always)]
                || {
                    let count = parts.first().map_or(0, |part| part.len());
                    let source = |channel: usize| &input[channel * pixels + block * BLOCK..][..count];
                    let mut lengths = [0f32; BLOCK];
                    for channel in 0..channels {
                        for (sum, &value) in lengths.iter_mut().zip(source(channel)) {
                            *sum = value.mul_add(value, *sum);
                        }
                    }
                    for length in &mut lengths {
                        *length = 1.0 / length.sqrt().max(1e-12);
                    }
                    for (channel, part) in parts.iter_mut().enumerate() {
                        let gain = gain[channel];
                        let pixels = part.iter_mut().zip(source(channel)).zip(&lengths);
                        if self.activate {
                            for ((out, &value), &inverse) in pixels {
                                *out = silu(value * inverse * gain);
                            }
                        } else {
                            for ((out, &value), &inverse) in pixels {
                                *out = value * inverse * gain;
                            }
                        }
                    }
                },
            );
        });
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }
}

/// Normalises each row of `[rows, width]`, then applies a scale and a shift `[width]`.
pub struct LayerNorm {
    /// The number that is added to the variance.
    pub epsilon: f32,
}

/// Sums `term` over a row in eight interleaved parts, whatever the vector width.
#[inline(always)]
pub(super) fn sum(row: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let (blocks, rest) = row.as_chunks::<PARTS>();
    let mut parts = [0f32; PARTS];
    for block in blocks {
        for (part, &value) in parts.iter_mut().zip(block) {
            *part += term(value);
        }
    }
    for (part, &value) in parts.iter_mut().zip(rest) {
        *part += term(value);
    }
    parts.iter().sum()
}

impl CustomOp3 for LayerNorm {
    fn name(&self) -> &'static str {
        "layer norm"
    }

    fn cpu_fwd(
        &self,
        input: &CpuStorage,
        layout: &Layout,
        scale: &CpuStorage,
        scale_layout: &Layout,
        shift: &CpuStorage,
        shift_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let input = contiguous(input, layout)?;
        let (scale, shift) = (contiguous(scale, scale_layout)?, contiguous(shift, shift_layout)?);
        let width = scale.len();
        if width == 0 || shift.len() != width || layout.dims().last() != Some(&width) {
            candle_core::bail!("layer norm: {width} scales for {:?}", layout.shape());
        }
        let mut out = vec![0f32; input.len()];
        out.par_chunks_mut(ROWS * width).zip(input.par_chunks(ROWS * width)).for_each(|(out, input)| {
            vectorized(
                #[inline(always)]
                || {
                    for (out, row) in out.chunks_exact_mut(width).zip(input.chunks_exact(width)) {
                        let mean = sum(
                            row,
                            #[inline(always)]
                            |value| value,
                        ) / width as f32;
                        let variance = sum(
                            row,
                            #[inline(always)]
                            |value| (value - mean) * (value - mean),
                        ) / width as f32;
                        let inverse = 1.0 / (variance + self.epsilon).sqrt();
                        for (((out, &value), &scale), &shift) in out.iter_mut().zip(row).zip(scale).zip(shift) {
                            *out = ((value - mean) * inverse).mul_add(scale, shift);
                        }
                    }
                },
            );
        });
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }
}

/// Adds `output * gate` to a state. State and output are `[rows, width]`, the gate is `[width]`.
pub struct AddGated;

impl CustomOp3 for AddGated {
    fn name(&self) -> &'static str {
        "add gated"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (state, output, gate) = (contiguous(s1, l1)?, contiguous(s2, l2)?, contiguous(s3, l3)?);
        if gate.is_empty() || state.len() != output.len() || !state.len().is_multiple_of(gate.len()) {
            candle_core::bail!("add gated: shapes do not fit");
        }
        let mut out = vec![0f32; state.len()];
        vectorized(
            #[inline(always)]
            || {
                let rows = out
                    .chunks_exact_mut(gate.len())
                    .zip(state.chunks_exact(gate.len()))
                    .zip(output.chunks_exact(gate.len()));
                for ((out, state), output) in rows {
                    for (((out, &state), &output), &gate) in out.iter_mut().zip(state).zip(output).zip(gate) {
                        *out = output.mul_add(gate, state);
                    }
                }
            },
        );
        Ok((CpuStorage::F32(out), l1.shape().clone()))
    }
}
