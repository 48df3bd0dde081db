//! Root-mean-square norm followed by rotation, on the CPU.
#![expect(clippy::indexing_slicing, reason = "shapes are checked before the loops")]

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Shape};
use rayon::prelude::*;

use super::norm::{ROWS, contiguous, sum};
use super::simd::vectorized;

/// Normalises each group of as many channels as the gain has, then rotates each head if a rotation is given.
pub struct NormRotate {
    /// The number that is added to the mean square.
    pub epsilon: f32,
}

impl NormRotate {
    /// `turns` holds cosines, then sines, for each token. It is empty if there is no rotation.
    fn run(
        &self,
        input: &CpuStorage,
        layout: &Layout,
        gain: &[f32],
        turns: &[f32],
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (tokens, width) = layout.shape().dims2()?;
        let stride = match *layout.stride() {
            [stride, 1] => stride,
            _ => candle_core::bail!("norm and rotation: rows are not contiguous"),
        };
        let group = gain.len();
        let size = turns.len().checked_div(tokens).unwrap_or(0);
        let divides = |part: usize| part > 0 && width.is_multiple_of(part);
        if !divides(group) || turns.len() != size * tokens || (size > 0 && (!divides(size) || size % 2 == 1)) {
            candle_core::bail!("norm and rotation: shapes do not fit");
        }
        let data = &input.as_slice::<f32>()?[layout.start_offset()..];
        if tokens > 0 && (tokens - 1) * stride + width > data.len() {
            candle_core::bail!("norm and rotation: shapes do not fit");
        }
        let mut out = vec![0f32; tokens * width];
        out.par_chunks_mut((ROWS * width).max(1)).enumerate().for_each(|(block, out)| {
            vectorized(
                #[inline(always)]
                || {
                    for (row, out) in out.chunks_exact_mut(width).enumerate() {
                        let token = block * ROWS + row;
                        let values = data[token * stride..][..width].chunks_exact(group);
                        for (out, values) in out.chunks_exact_mut(group).zip(values) {
                            let squares = sum(
                                values,
                                #[inline(always)]
                                |value| value * value,
                            );
                            let inverse = 1.0 / (squares / group as f32 + self.epsilon).sqrt();
                            for ((out, &value), &gain) in out.iter_mut().zip(values).zip(gain) {
                                *out = value * inverse * gain;
                            }
                        }
                        if size == 0 {
                            continue;
                        }
                        let (cos, sin) = turns[token * size..][..size].split_at(size / 2);
                        for head in out.chunks_exact_mut(size) {
                            for ((pair, &cos), &sin) in head.as_chunks_mut::<2>().0.iter_mut().zip(cos).zip(sin) {
                                let [first, second] = *pair;
                                *pair = [first * cos - second * sin, first * sin + second * cos];
                            }
                        }
                    }
                },
            );
        });
        Ok((CpuStorage::F32(out), Shape::from((tokens, width))))
    }
}

impl CustomOp2 for NormRotate {
    fn name(&self) -> &'static str {
        "norm"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        self.run(s1, l1, contiguous(s2, l2)?, &[])
    }
}

impl CustomOp3 for NormRotate {
    fn name(&self) -> &'static str {
        "norm and rotation"
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
        self.run(s1, l1, contiguous(s2, l2)?, contiguous(s3, l3)?)
    }
}
