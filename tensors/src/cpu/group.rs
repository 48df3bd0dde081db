//! Group norm on the CPU.
#![expect(clippy::indexing_slicing, reason = "shapes are checked before the loops")]

use candle_core::{CpuStorage, CustomOp1, CustomOp3, Layout, Shape};
use rayon::prelude::*;

use super::norm::{contiguous, sum};
use super::simd::{silu, vectorized};

/// Count of numbers in a piece. A piece is summed in float32, and the sums of the pieces are added in float64.
const PIECE: usize = 4096;

/// The source of means and reciprocal deviations.
pub enum Moments {
    /// The input itself. The number is the epsilon that is added to the variance.
    Own(f32),
    /// Given pairs, one for each group.
    Given(Vec<Vec<f32>>),
}

/// Normalises each group of adjacent channels of `[channels, ...]`, scales and shifts each channel by a gain and a shift `[channels]`,
/// and optionally applies SiLU.
pub struct GroupNorm {
    /// The number of groups.
    pub groups: usize,
    /// The means and deviations.
    pub moments: Moments,
    /// Whether SiLU follows.
    pub activate: bool,
}

/// Computes mean and reciprocal deviation of each group, `[groups, 2]`.
pub struct GroupMoments {
    /// The number of groups.
    pub groups: usize,
    /// The number that is added to the variance.
    pub epsilon: f32,
}

/// Sums `term` over a group, which may have millions of numbers.
#[inline(always)]
fn total(numbers: &[f32], term: impl Fn(f32) -> f32 + Copy) -> f64 {
    numbers.chunks(PIECE).map(|piece| f64::from(sum(piece, term))).sum()
}

/// Returns the mean and `1 / sqrt(variance + epsilon)`.
#[inline(always)]
fn moments(numbers: &[f32], epsilon: f32) -> (f32, f32) {
    let count = numbers.len() as f64;
    let mean = (total(
        numbers,
        #[inline(always)]
        |value| value,
    ) / count) as f32;
    let variance = total(
        numbers,
        #[inline(always)]
        |value| (value - mean) * (value - mean),
    ) / count;
    (mean, (1.0 / (variance + f64::from(epsilon)).sqrt()) as f32)
}

impl CustomOp1 for GroupMoments {
    fn name(&self) -> &'static str {
        "group moments"
    }

    fn cpu_fwd(&self, input: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let input = contiguous(input, layout)?;
        if self.groups == 0 || input.is_empty() || !input.len().is_multiple_of(self.groups) {
            candle_core::bail!("group moments: {} groups of {:?}", self.groups, layout.shape());
        }
        let of = |input: &[f32]| {
            let (mean, inverse) = vectorized(
                #[inline(always)]
                || moments(input, self.epsilon),
            );
            [mean, inverse]
        };
        let pairs: Vec<f32> = input.par_chunks_exact(input.len() / self.groups).flat_map_iter(of).collect();
        Ok((CpuStorage::F32(pairs), Shape::from((self.groups, 2))))
    }
}

impl CustomOp3 for GroupNorm {
    fn name(&self) -> &'static str {
        "group norm"
    }

    fn cpu_fwd(
        &self,
        input: &CpuStorage,
        layout: &Layout,
        gain: &CpuStorage,
        gain_layout: &Layout,
        shift: &CpuStorage,
        shift_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let input = contiguous(input, layout)?;
        let (gain, shift) = (contiguous(gain, gain_layout)?, contiguous(shift, shift_layout)?);
        let channels = gain.len();
        let divides = self.groups > 0 && channels.is_multiple_of(self.groups);
        if let Moments::Given(pairs) = &self.moments
            && (pairs.len() != self.groups || pairs.iter().any(|pair| pair.len() != 2))
        {
            candle_core::bail!("group norm: {} moments for {} groups", pairs.len(), self.groups);
        }
        if channels == 0 || !divides || shift.len() != channels || layout.dims().first() != Some(&channels) {
            candle_core::bail!("group norm: {channels} gains and {} groups for {:?}", self.groups, layout.shape());
        }
        let (each, pixels) = (channels / self.groups, input.len() / channels);
        let mut out = vec![0f32; input.len()];
        let size = (each * pixels).max(1);
        out.par_chunks_exact_mut(size).zip(input.par_chunks_exact(size)).enumerate().for_each(
            |(group, (out, input))| {
                vectorized(
                    #[inline(always)]
                    || {
                        let (mean, inverse) = match &self.moments {
                            Moments::Own(epsilon) => moments(input, *epsilon),
                            Moments::Given(pairs) => (pairs[group][0], pairs[group][1]),
                        };
                        let planes = out.chunks_exact_mut(pixels).zip(input.chunks_exact(pixels));
                        for (channel, (out, input)) in planes.enumerate() {
                            let (gain, shift) = (gain[group * each + channel], shift[group * each + channel]);
                            if self.activate {
                                for (out, &value) in out.iter_mut().zip(input) {
                                    *out = silu(((value - mean) * inverse).mul_add(gain, shift));
                                }
                            } else {
                                for (out, &value) in out.iter_mut().zip(input) {
                                    *out = ((value - mean) * inverse).mul_add(gain, shift);
                                }
                            }
                        }
                    },
                );
            },
        );
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }
}
