//! The norm and the rotation of each head, on the CPU.
#![expect(clippy::indexing_slicing, reason = "shapes are checked before the loops")]

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Shape};
use rayon::prelude::*;

use super::norm::{ROWS, contiguous, sum};
use super::simd::vectorized;

pub(in super::super) struct NormRotateHeads {
    pub(in super::super) epsilon: f32,
}

impl NormRotateHeads {
    /// `turns` holds, per token, cosines then sines; it is empty for no rotation.
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
            _ => candle_core::bail!("norm of heads: rows are not contiguous"),
        };
        let size = gain.len();
        let turned = !turns.is_empty();
        if size == 0 || !width.is_multiple_of(size) || (turned && (turns.len() != size * tokens || size % 2 == 1)) {
            candle_core::bail!("norm of heads: shapes do not fit");
        }
        let data = &input.as_slice::<f32>()?[layout.start_offset()..];
        if tokens > 0 && (tokens - 1) * stride + width > data.len() {
            candle_core::bail!("norm of heads: shapes do not fit");
        }
        let mut out = vec![0f32; tokens * width];
        out.par_chunks_mut((ROWS * width).max(1)).enumerate().for_each(|(block, out)| {
            vectorized(
                #[inline(always)]
                || {
                    for (row, out) in out.chunks_exact_mut(width).enumerate() {
                        let token = block * ROWS + row;
                        let heads = data[token * stride..][..width].chunks_exact(size);
                        let turns = if turned { &turns[token * size..][..size] } else { &[] };
                        let (cos, sin) = turns.split_at(turns.len() / 2);
                        for (out, head) in out.chunks_exact_mut(size).zip(heads) {
                            let squares = sum(
                                head,
                                #[inline(always)]
                                |value| value * value,
                            );
                            let inverse = 1.0 / (squares / size as f32 + self.epsilon).sqrt();
                            for ((out, &value), &gain) in out.iter_mut().zip(head).zip(gain) {
                                *out = value * inverse * gain;
                            }
                            for ((pair, &cos), &sin) in out.as_chunks_mut::<2>().0.iter_mut().zip(cos).zip(sin) {
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

impl CustomOp2 for NormRotateHeads {
    fn name(&self) -> &'static str {
        "norm of heads"
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

impl CustomOp3 for NormRotateHeads {
    fn name(&self) -> &'static str {
        "norm and rotation of heads"
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
